import { expect, test } from 'vitest';
import type { SubjectColumns } from '../../lib/log/block.ts';
import { SubjectFilter } from '../../lib/log/subject-filter.ts';
import { seededRandom } from '../support/events.ts';

const random = seededRandom(21);
const word = (): number => Math.floor(random() * 2 ** 32);

/** A block like the network's: 256 events with 1.4 subjects each, most to records. */
function columns(): SubjectColumns {
  const subjectHashes = Uint32Array.from({ length: 3 * 360 }, (_, at) =>
    at % 3 === 2 && random() < 0.2 ? 0 : word(),
  );
  const none = new Uint32Array(0);
  return { createdFromUs: 1, createdThroughUs: 2, path: none, ends: none, subjectHashes };
}

test('what is in a block is never denied, and what is not seldom claimed; also when it is read back', () => {
  const blocks = Array.from({ length: 50 }, columns);
  const made = new SubjectFilter();
  for (const block of blocks) {
    made.add(block);
    made.add(undefined);
  }
  let claimed = 0;
  for (const filter of [made, SubjectFilter.read(made.write())]) {
    for (const [at, { subjectHashes }] of blocks.entries()) {
      for (let start = 0; start < subjectHashes.length; start += 3) {
        const [low, high, path] = subjectHashes.subarray(start, start + 3);
        expect(filter.mayMatch(at * 2, Uint32Array.of(low, high, path))).toBe(true);
        expect(filter.mayMatch(at * 2, Uint32Array.of(word(), word(), 1, low, high, 0))).toBe(true);
        if (filter.mayMatch(at * 2, Uint32Array.of(low, high, word()))) claimed++;
        expect(filter.mayMatch(at * 2 + 1, Uint32Array.of(low, high, 0))).toBe(false);
      }
    }
  }
  expect(claimed / (2 * 50 * 360)).toBeLessThan(0.03);
});

test('nothing stored claims nothing; too many wanted claim everything', () => {
  const empty = new SubjectFilter();
  empty.add(undefined);
  expect(empty.write().length).toBeLessThan(20);
  expect(SubjectFilter.read(empty.write()).mayMatch(0, Uint32Array.of(1, 2, 0))).toBe(false);
  const some = new SubjectFilter();
  some.add(columns());
  expect(some.mayMatch(0, new Uint32Array(3 * 513))).toBe(true);
});

test('every truncation and flipped bit is seen', () => {
  const filter = new SubjectFilter();
  filter.add(columns());
  const bytes = filter.write();
  const corrupt = expect.objectContaining({ code: 'LOG_CORRUPT' });
  for (let length = 0; length < bytes.length; length += 7)
    expect(() => SubjectFilter.read(bytes.subarray(0, length))).toThrow(corrupt);
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    expect(() => SubjectFilter.read(damaged)).toThrow(corrupt);
  }
});

test('a block of which nothing is known may have everything', () => {
  const filter = new SubjectFilter();
  filter.add(undefined);
  filter.addUnknown();
  filter.add(undefined);
  const some = Uint32Array.of(word(), word(), word());
  expect([0, 1, 2].map((block) => filter.mayMatch(block, some))).toEqual([false, true, false]);
  expect(SubjectFilter.read(filter.write()).mayMatch(1, some)).toBe(true);
});
