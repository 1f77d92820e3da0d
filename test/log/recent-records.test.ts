// What is remembered of records, against a map of all of them.

import { expect, it } from 'vitest';
import { RecentRecords, recentRecordsMin } from '../../lib/log/recent-records.ts';
import { seededRandom } from '../support/events.ts';

const random = seededRandom(7);
const hash = (): number => Math.floor(random() * 2 ** 32);

it('knows the newest records by all of their hashes, once', () => {
  const records = new RecentRecords();
  records.set(0, 0, 0, 5);
  records.set(0, 0, 1, 6);
  records.set(2048, 0, 0, 7);
  records.set(0, 0, 0, 8);
  expect(records.take(1 << 12, 0, 0)).toBeUndefined();
  expect(records.take(0, 0, 0)).toBe(8);
  expect(records.take(0, 0, 0)).toBeUndefined();
  expect(records.take(2048, 0, 0)).toBe(7);
  expect(records.take(0, 0, 1)).toBe(6);
  records.set(0, 0, 0, 9);
  expect(records.take(0, 0, 0)).toBe(9);
});

it('says of a record the time of its last event, or nothing, and forgets no new one', () => {
  const records = new RecentRecords();
  const known = new Map<string, number>();
  const hashes: number[][] = [];
  for (let timeUs = 1; timeUs <= 4 * recentRecordsMin; timeUs++) {
    // A tenth are events of a record that had some before, a tenth delete one.
    const choice = random();
    const old = hashes[Math.floor(random() * hashes.length)];
    const record = choice < 0.2 && old !== undefined ? old : [hash(), hash(), hash()];
    const [low, high, path] = record;
    if (choice < 0.1) {
      const found = records.take(low, high, path);
      if (found !== undefined && found !== known.get(String(record))) throw new Error(`${record}: ${found}`);
      known.delete(String(record));
      continue;
    }
    records.set(low, high, path, timeUs);
    known.set(String(record), timeUs);
    if (record !== old) hashes.push(record);
  }
  const newest = [...known].filter(([, timeUs]) => timeUs > 3 * recentRecordsMin);
  const found = newest.map(([name]) => {
    const [low, high, path] = name.split(',').map(Number);
    return records.take(low, high, path);
  });
  expect(found).toEqual(newest.map(([, timeUs]) => timeUs));
});

it('forgets the oldest', () => {
  const records = new RecentRecords();
  for (let at = 0; at <= 2 * recentRecordsMin; at++) records.set(at << 11, 1, 1, at + 1);
  expect(records.take(0, 1, 1)).toBeUndefined();
  expect(records.take((recentRecordsMin + 1) << 11, 1, 1)).toBe(recentRecordsMin + 2);
});

it('keeps records that last, whatever comes and is deleted meanwhile', () => {
  const records = new RecentRecords();
  for (let at = 0; at < 1000; at++) records.set(at << 11, 1, 1, at + 1);
  for (let at = 0; at < 4 * recentRecordsMin; at++) {
    records.set(at << 11, 2, 9, at + 1);
    if (records.take(at << 11, 2, 9) !== at + 1) throw new Error(`${at} is forgotten`);
  }
  for (let at = 0; at < 1000; at++) expect(records.take(at << 11, 1, 1)).toBe(at + 1);
});
