// Where a pull ends: in a batch, between batches, and at the newest event.

import { expect, test } from 'vitest';
import { NdjsonBody, type NdjsonOptions } from '../../lib/wire/ndjson-body.ts';

const line = (timeUs: number): string => `{"did":"did:web:a","time_us":${timeUs},"kind":"identity"}\n`;
const lines = (...times: number[]): Buffer => Buffer.from(times.map(line).join(''));

function pull(options: Partial<NdjsonOptions> = {}) {
  const body = new NdjsonBody({
    limit: 100,
    throughUs: 1000,
    wantsProgress: false,
    nowUs: () => 2000,
    ...options,
  });
  return {
    body,
    /** The times in what is sent of a batch, and the last line if it is no event. */
    send(...times: number[]) {
      const sent = Buffer.from(body.eventsOf(lines(...times)))
        .toString()
        .trimEnd()
        .split('\n')
        .filter((text) => text !== '')
        .map((text) => JSON.parse(text));
      return sent.map((event) => (event.kind === 'progress' ? event : event.time_us));
    },
  };
}

const progress = (positionUs: number, lagUs: number, live: boolean) => ({
  kind: 'progress',
  time_us: positionUs,
  progress: { cursor: positionUs + 1, lag_us: lagUs, live },
});

test.each([
  [1, [10], false, [10], true],
  [2, [10, 11, 12], false, [10, 11], true],
  [2, [10, 11, 12], true, [10, 11, progress(11, 1989, false)], true],
  [3, [10, 11, 12], true, [10, 11, 12, progress(12, 1988, false)], true],
  [4, [10, 11, 12], true, [10, 11, 12], false],
  [100, [999, 1000, 1001, 1002], false, [999, 1000], true],
  [100, [999, 1000, 1001, 1002], true, [999, 1000, progress(1000, 1000, false)], true],
  [2, [999, 1000, 1001], true, [999, 1000, progress(1000, 1000, false)], true],
  [100, [998, 1000], true, [998, 1000], false],
  [100, [1001], true, [progress(1000, 1000, false)], true],
  [100, [1001, 1002], false, [], true],
])('limit %j, batch %j, progress %j', (limit, times, wantsProgress, sent, isComplete) => {
  const { body, send } = pull({ limit, wantsProgress });
  expect(send(...times)).toEqual(sent);
  expect(body.isComplete).toBe(isComplete);
});

test('the limit is of all batches together', () => {
  const { body, send } = pull({ limit: 4 });
  expect(send(1, 2)).toEqual([1, 2]);
  expect(send(3)).toEqual([3]);
  expect(body.isComplete).toBe(false);
  expect(send(4, 5, 6)).toEqual([4]);
  expect(body.isComplete).toBe(true);
});

test.each([
  [{ positionUs: 500, newestUs: 1500, live: false }, progress(500, 1000, false), false],
  [{ positionUs: 500, newestUs: 500, live: true }, progress(500, 0, true), true],
  [{ positionUs: 1000, newestUs: 1000, live: true }, progress(1000, 0, true), true],
  [{ positionUs: 1000, newestUs: 1500, live: false }, progress(1000, 500, false), true],
  [{ positionUs: 1400, newestUs: 1500, live: false }, progress(1000, 500, false), true],
  [{ positionUs: 1500, newestUs: 1500, live: true }, progress(1000, 500, false), true],
])('a report of %j', (report, told, isComplete) => {
  const { body } = pull({ wantsProgress: true });
  expect(JSON.parse(body.progressOf(report))).toEqual(told);
  expect(body.isComplete).toBe(isComplete);
  const quiet = pull().body;
  expect(quiet.progressOf(report)).toBe('');
  expect(quiet.isComplete).toBe(isComplete);
});
