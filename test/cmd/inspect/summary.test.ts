import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { type LogSummary, summarizeLog } from '../../../cmd/inspect/summary.ts';
import { summaryTable } from '../../../cmd/inspect/table.ts';
import { blockKey, descriptionKey, parts } from '../../../lib/log/block-format.ts';
import { segmentBlocks } from '../../../lib/log/segment-index.ts';
import type { SampleEvent } from '../../support/events.ts';
import { bytesIn, contentOf, edit, flip, rewrite } from './raw-log.ts';
import { compressor, makeLog, makeLogOfBlocks } from './sample-log.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-summary-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

async function summarize(topMax = 20): Promise<LogSummary> {
  const reader = await ClosedLog.open(dataDir);
  try {
    return await summarizeLog(reader, topMax);
  } finally {
    await reader.close();
  }
}

function countsOf(events: readonly SampleEvent[], nameOf: (event: SampleEvent) => string | undefined) {
  const counts: Record<string, number> = {};
  for (const event of events) {
    const name = nameOf(event);
    if (name !== undefined) counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test('counts what was written, in the store and in the journal', async () => {
  const { sample, stored, journalled } = await makeLog(dataDir, 91, [300, 3, 280, 0, 7, 2, 0, 1]);
  const { events } = sample;
  const before = await contentOf(dataDir);
  const summary = await summarize(2);
  expect(await contentOf(dataDir)).toEqual(before);
  const byCollection = Object.entries(countsOf(events, ({ commit }) => commit?.collection)).toSorted(
    ([nameA, countA], [nameB, countB]) => countB - countA || (nameA < nameB ? -1 : 1),
  );
  const journalEvents = journalled.reduce((sum, { index }) => sum + index.count, 0);
  const spanSeconds = (events.at(-1)!.time_us - events[0].time_us) / 1e6;
  const commits = events.filter(({ kind }) => kind === 'commit').length;
  expect(stored.length).toBe(3);
  expect(summary).toMatchObject({
    dataDir,
    format: 6,
    first: { timeUs: events[0].time_us, time: expect.stringMatching(/^20\d\d-.*\.\d{6}Z$/) },
    last: { timeUs: events.at(-1)!.time_us },
    spanSeconds,
    events: events.length,
    eventsPerSecond: expect.closeTo(events.length / spanSeconds, 0),
    blocks: { count: 3, eventsMin: 3, eventsMedian: 280, eventsMax: 300 },
    journal: { blocks: journalled.length, events: journalEvents, alreadyStored: 0 },
    segments: { count: 0, blocksEach: segmentBlocks },
    upstreamPositions: { 'relay.test': 8 },
    dictionaries: [{ id: compressor.dictionaryId, events: events.length, blocks: 3 + journalled.length }],
    kinds: { ...countsOf(events, ({ kind }) => kind), sync: 0 },
    operations: countsOf(events, ({ commit }) => commit?.operation),
    collections: {
      names: byCollection.length,
      isPartial: false,
      top: byCollection.slice(0, 2).map(([collection, count]) => ({ collection, events: count })),
      other: byCollection.slice(2).reduce((sum, [, count]) => sum + count, 0),
      none: events.length - commits,
    },
    damagedBlocks: 0,
  });
  const sizes = await edit(dataDir, 'blocks', (db) => db.iterator({ gte: blockKey(0, parts.head) }).all());
  const sum = (part: number): number =>
    sizes.reduce((bytes, [key, value]) => bytes + (key[9] === part ? value.length : 0), 0);
  const stores = { heads: sum(0), json: sum(1), zstd: sum(2), subjects: sum(5), segments: 0 };
  expect(summary.bytes).toMatchObject({ ...stores, store: sum(0) + sum(1) + sum(2) + sum(5) });
  expect(summary.bytes.perEvent.json).toBeCloseTo(sum(1) / (events.length - journalEvents), 0);
  expect(summary.diskBytes).toBeGreaterThan(summary.bytes.store);
  expect(summary.journal.bytes).toBe(await bytesIn(dataDir, 'journal'));
});

test('counts segments, also that of the newest block, and blocks that are in both', async () => {
  await makeLogOfBlocks(dataDir, 92, 2 * segmentBlocks, 0, 1);
  const bytes = await edit(dataDir, 'blocks', async (db) => {
    const entries = await db.iterator({ gte: blockKey(0, parts.head) }).all();
    return entries.map(([key, value]) => ({ part: key[9], bytes: value.length }));
  });
  const segmentParts: number[] = [parts.segment, parts.withoutCollection, parts.subjectFilter];
  const ofSegments = bytes.filter(({ part }) => segmentParts.includes(part));
  expect(ofSegments.length).toBe(6);
  const summary = await summarize();
  const sum = (values: typeof bytes): number => values.reduce((total, value) => total + value.bytes, 0);
  expect(summary.segments.count).toBe(2);
  expect(summary.bytes).toMatchObject({ segments: sum(ofSegments), store: sum(bytes) });
  await edit(dataDir, 'journal', (db) => db.put(blockKey(5, parts.head), Buffer.from('old')));
  expect((await summarize()).journal).toEqual({ blocks: 0, events: 0, bytes: 0, alreadyStored: 1 });
});

test('an empty log has no first event', async () => {
  await makeLog(dataDir, 93, []);
  const summary = await summarize();
  expect(summary).toMatchObject({ events: 0, eventsPerSecond: 0, blocks: { count: 0, eventsMedian: 0 } });
  expect(summary.first).toBeUndefined();
  expect(summaryTable(summary)).toContain('first event   none');
});

test('damage is told, and the rest is counted', async () => {
  const { stored, sample } = await makeLogOfBlocks(dataDir, 94, 20, 0);
  await edit(dataDir, 'blocks', async (db) => {
    await flip(db, blockKey(stored[3], parts.head), 500);
    await db.del(blockKey(stored[9], parts.head));
    await db.del(descriptionKey);
  });
  const lost = sample.events.filter(({ time_us }) =>
    [3, 9].some((at) => time_us > stored[at - 1] && time_us <= stored[at]),
  );
  const summary = await summarize();
  expect(summary).toMatchObject({ damagedBlocks: 2, events: sample.events.length - lost.length });
  expect(summary.format).toBeUndefined();
  expect(summaryTable(summary)).toMatch(/format +unknown[\s\S]*DAMAGED +2 blocks/);
});

test('the table has at most 100 columns and no control characters, whatever the names', async () => {
  const { stored } = await makeLogOfBlocks(dataDir, 98, 4, 2);
  const name = `\x1b[31m\u202e${'long.'.repeat(40)}`;
  await edit(dataDir, 'blocks', (db) =>
    rewrite(db, stored[3], (block) => {
      block.index = { ...block.index, collections: block.index.collections.map((_, at) => `${at}${name}`) };
      block.positions = new Map(
        Array.from({ length: 30 }, (_, at) => [`${'relay.'.repeat(30)}${at}`, 2 ** 50]),
      );
    }),
  );
  await edit(dataDir, 'journal', (db) => db.clear());
  const table = summaryTable(await summarize());
  expect(table).toContain('and 10 more');
  expect(table).toContain('?[31m?long.');
  for (const line of table.split('\n')) {
    expect(line.length).toBeLessThanOrEqual(100);
    expect(line).toMatch(/^[\x20-\x7e]*$/);
  }
});
