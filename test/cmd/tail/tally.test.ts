import { expect, test } from 'vitest';
import type { StreamEvent, StreamStatus } from '../../../client/lib/subscribe.ts';
import { progressOf, replayBar, Tally, tallyLines } from '../../../cmd/tail/tally.ts';

const commit = (collection: string, operation = 'create') =>
  ({ kind: 'commit', commit: { collection, operation } }) as StreamEvent;

test('counts, and lines for a person', () => {
  const tally = new Tally(1_000);
  for (let at = 0; at < 1_997; at++) tally.add(commit('a.b.c'));
  tally.add(commit('evil\x1b[2J', 'delete'));
  tally.add(commit('x.y.z', 'update'));
  tally.add({ kind: 'identity' } as StreamEvent);
  const report = tally.report(2, 3_000);
  expect(report).toEqual({
    events: 2_000,
    seconds: 2,
    eventsPerSecond: 1_000,
    kinds: { commit: 1_999, identity: 1, account: 0 },
    operations: { create: 1_997, update: 1, delete: 1 },
    collections: [
      { collection: 'a.b.c', events: 1_997 },
      { collection: 'evil\x1b[2J', events: 1 },
    ],
    otherCollections: 1,
  });
  const lines = tallyLines(report, 990, 'live');
  expect(lines[0]).toBe('2,000 events in 2 s, 1,000 a second, now 990; live');
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}a\.b\.c {30,}1,997 {2,}99\.9 %$/));
  expect(lines.join('')).not.toMatch(/\p{C}/u);
  expect(lines.at(-1)).toMatch(/^ {2}all others +1 /);
});

test('any number of names takes bounded memory', () => {
  const tally = new Tally(0);
  for (let at = 0; at < 25_000; at++) tally.add(commit(`a.b.c${at}`));
  const { collections, otherCollections } = tally.report(1e9, 1);
  expect(collections.length).toBeLessThanOrEqual(20_000);
  expect(collections.length + otherCollections).toBe(25_000);
});

test('nothing yet', () => {
  expect(tallyLines(new Tally(0).report(3, 0), undefined, 'live')[1]).toMatch(/commit +0 +0\.0 %/);
});

const status = (more: Partial<StreamStatus>) =>
  ({ state: 'open', live: false, lagUs: undefined, newestUs: undefined, ...more }) as StreamStatus;

test('the bar', () => {
  const span = { startUs: 1_000_000, endUs: 5_000_000 };
  const half = status({ newestUs: 3_000_000, lagUs: 3_720_000_000 });
  expect(replayBar(half, span, 12_345, 200)).toBe(
    '[############------------]  50 %  12,345 events a second  1 h 2 min behind',
  );
  expect(replayBar(half, span, 12_345, 40)).toHaveLength(39);
  expect(replayBar(status({}), span, 0, 200)).toBe(
    '[------------------------]   0 %  0 events a second  nothing yet',
  );
  expect(replayBar(status({ newestUs: 9e9 }), span, 0, 200)).toContain('100 %');
  expect(replayBar(half, { startUs: 5, endUs: 5 }, 0, 200)).toContain('100 %');
});

test('where a stream is', () => {
  expect(progressOf(status({ live: true, lagUs: 0 }))).toBe('live');
  expect(progressOf(status({ state: 'waiting' }))).toBe('not connected');
  expect(progressOf(status({ state: 'ended', newestUs: 1_000_000 }))).toBe(
    'up to 1970-01-01T00:00:01.000000Z',
  );
});
