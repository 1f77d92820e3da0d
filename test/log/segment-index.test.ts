import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { hashDids } from '../../lib/fanout/hash-lists.ts';
import type { Block } from '../../lib/log/block.ts';
import { SegmentIndex, segmentBlocks, wants } from '../../lib/log/segment-index.ts';
import { collections, SampleLog, seededRandom } from '../support/events.ts';

const hasher = new DidHasher(new Uint8Array(8));

function filled(
  seed: number,
  blocks: number,
): { segment: SegmentIndex; made: { block: Block; from: number }[]; sample: SampleLog } {
  const random = seededRandom(seed);
  const sample = new SampleLog(random);
  const segment = new SegmentIndex(5);
  const made = Array.from({ length: blocks }, () => {
    const from = sample.events.length;
    return { block: sample.block(1 + Math.floor(random() * 4)), from };
  });
  for (const { block } of made) segment.add(block.index);
  return { segment, made, sample };
}

test('never skips a block that holds what is wanted, and skips most that do not', () => {
  const { segment, made, sample } = filled(60, segmentBlocks);
  expect(segment.isFull).toBe(true);
  const reread = SegmentIndex.read(segment.write());
  let possible = 0;
  let skipped = 0;
  for (const collection of [...collections, undefined]) {
    for (const did of [...new Set(sample.events.map((event) => event.did)), undefined]) {
      const filter = {
        ...(collection !== undefined && { wantsCollection: (name: string) => name === collection }),
        ...(did !== undefined && { didHashes: hashDids(new Set([did]), hasher) }),
      };
      const candidates = segment.mayMatch(filter);
      expect(reread.mayMatch(filter)).toEqual(candidates);
      for (const [at, { block, from }] of made.entries()) {
        const events = sample.events.slice(from, from + block.index.count);
        const passing = events.filter(
          (event) => (event.commit?.collection ?? collection) === collection || collection === undefined,
        );
        // The two conditions are tested apart, so a block that meets each with different events counts as a match.
        const holds = passing.length > 0 && (did === undefined || events.some((event) => event.did === did));
        const isCollected =
          collection === undefined || events.some((event) => event.commit?.collection === collection);
        if (holds) expect(candidates[at]).toBe(isCollected ? wants.block : wants.withoutCollection);
        else {
          possible++;
          skipped += candidates[at] === wants.nothing ? 1 : 0;
        }
      }
    }
  }
  expect(skipped / possible).toBeGreaterThan(0.99);
});

test('finds blocks by time, and reads back its link and its count', () => {
  const { segment, made } = filled(61, 37);
  const reread = SegmentIndex.read(Buffer.concat([Buffer.from('x'), segment.write()]).subarray(1));
  expect(reread.count).toBe(37);
  expect(reread.previousUs).toBe(5);
  for (const [at, { block }] of made.entries()) {
    expect(reread.lastTimeOf(at)).toBe(block.index.lastTimeUs);
    expect(reread.blockAfter(block.index.lastTimeUs - 1)).toBe(at);
    expect(reread.blockAfter(block.index.lastTimeUs)).toBe(at + 1);
  }
});

test('every flipped bit of the head, and every truncation, is seen', () => {
  const bytes = filled(62, 2).segment.write();
  for (let length = 0; length < bytes.length; length += 7) {
    expect(() => SegmentIndex.read(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'LOG_CORRUPT' }),
    );
  }
  for (let bit = 0; bit < 64 * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    expect(() => SegmentIndex.read(damaged)).toThrow(expect.objectContaining({ code: 'LOG_CORRUPT' }));
  }
});
