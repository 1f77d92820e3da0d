import { expect, test } from 'vitest';
import type { SubjectColumns } from '../../lib/log/block.ts';
import {
  joinSubjects,
  readSubjects,
  subjectHashesOf,
  withSubjectHashes,
  writeSubjects,
} from '../../lib/log/subject-columns.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

/** Columns as the log has them. */
function sample(seed: number, count: number): SubjectColumns {
  const { keyTimeUs: _, ...columns } = new SampleLog(seededRandom(seed)).block(count).index
    .subjects as SubjectColumns;
  return columns;
}

function lists(columns: SubjectColumns): number[][] {
  return Array.from(columns.path, (_, event) => [...subjectHashesOf(columns, event)]);
}

const corrupt = expect.objectContaining({ code: 'LOG_CORRUPT' });

test('columns read back as they were written, at any alignment', () => {
  for (const count of [3, 7, 256]) {
    const columns = sample(count + 1, count);
    const shifted = Buffer.concat([Buffer.from('abc'), writeSubjects(columns)]).subarray(3);
    expect(readSubjects(shifted, count)).toEqual(columns);
  }
});

test('every truncation, every flipped bit and another count are seen', () => {
  const bytes = writeSubjects(sample(1, 5));
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readSubjects(bytes.subarray(0, length), 5)).toThrow(corrupt);
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    expect(() => readSubjects(damaged, 5)).toThrow(corrupt);
  }
  for (const count of [0, 4, 6, 2 ** 32]) expect(() => readSubjects(bytes, count)).toThrow(corrupt);
});

test('joined columns are those of the blocks, one after the other', () => {
  const [first, second] = [sample(1, 5), sample(2, 9)];
  const joined = joinSubjects([undefined, first, undefined, second], [2, 5, 3, 9]) as SubjectColumns;
  expect(lists(joined)).toEqual([[], [], ...lists(first), [], [], [], ...lists(second)]);
  expect([...joined.path]).toEqual([0, 0, ...first.path, 0, 0, 0, ...second.path]);
  expect(joined.createdFromUs).toBe(Math.min(first.createdFromUs, second.createdFromUs));
  expect(joined.createdThroughUs).toBe(Math.max(first.createdThroughUs, second.createdThroughUs));
  expect(joinSubjects([undefined, undefined], [1, 2])).toBeUndefined();
});

test('subjects are added to events that have none', () => {
  const columns = sample(3, 40);
  const none = [...columns.ends.keys()].filter((event) => subjectHashesOf(columns, event).length === 0);
  expect(none.length).toBeGreaterThan(10);
  for (const events of [none, none.slice(0, 1), none.slice(-1), [], none.toReversed()]) {
    const added = new Map(events.map((event, at) => [event, new Uint32Array(3 * (at % 3)).fill(event + 1)]));
    const changed = withSubjectHashes(columns, added);
    expect(lists(changed)).toEqual(lists(columns).map((list, event) => [...(added.get(event) ?? list)]));
    expect(changed.path).toBe(columns.path);
  }
});
