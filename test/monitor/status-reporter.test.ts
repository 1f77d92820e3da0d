// Reports made on a clock that is the test's, from sources that it sets.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { dropReasons } from '../../lib/decode/drop-reason.ts';
import type { Reason } from '../../lib/event/verdict.ts';
import { IngestTotals } from '../../lib/ingest/ingest-totals.ts';
import type { Block } from '../../lib/log/block.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import { EventCounts } from '../../lib/monitor/event-counts.ts';
import {
  StatusReporter,
  type StatusSources,
  type SubscriberCounts,
} from '../../lib/monitor/status-reporter.ts';
import type { StatusReport } from '../../lib/status/status-report.ts';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';
import { creates, indexOf } from './blocks.ts';

const startedAtMs = Date.UTC(2026, 5, 1);
const relays = ['wss://secret:token@one.example', 'wss://two.example/?key=hidden'].map(parseRelayUrl);

beforeEach(() => {
  vi.useFakeTimers({ now: startedAtMs });
});
afterEach(() => {
  vi.useRealTimers();
});

function started(overrides: Partial<StatusSources> = {}) {
  const reports: StatusReport[] = [];
  const failures: unknown[] = [];
  const counts = {
    sessions: 0,
    subscribers: 0,
    live: 0,
    slowestLagUs: 0,
    deliveredEvents: 0,
    deliveredBytes: 0,
    refusals: {},
    heapUsedBytes: { main: 1, worker_1: 2 },
    externalBytes: { main: 3, worker_1: 4 },
  } satisfies SubscriberCounts as { -readonly [Key in keyof SubscriberCounts]: SubscriberCounts[Key] };
  const ledger = new CoverageLedger();
  ledger.add([
    { reason: 'relay_gap', relay: 'one.example', fromUs: 5, toUs: 6, count: 1 },
    { reason: 'log_cut', relay: '', fromUs: 7, toUs: 8, count: 1 },
  ]);
  const sources = {
    version: '1.2.3',
    aboutUrl: 'https://a.example/',
    workers: 2,
    retentionMs: 3_600_000,
    retentionBytes: 1024,
    relays,
    compressor: { name: 'wasm', dictionaryId: 7 },
    totals: new IngestTotals(),
    published: new EventCounts(),
    log: {
      databaseBytes: 8,
      positions: new Map([
        ['one.example', 41],
        ['two.example', 99],
      ]),
      coverage: ledger,
      stats: () => ({ firstTimeUs: 1, lastTimeUs: 2, storedBytes: 3, storedEvents: 4, memoryBytes: 5 }),
    },
    nowUs: () => Date.now() * 1000,
    link: { relay: relays[0], connectedSinceUs: startedAtMs * 1000, failure: undefined },
    queue: { newestFrameTimeUs: undefined, stalledBy: undefined },
    counts: async () => counts,
    report: (report: StatusReport) => void reports.push(report),
    failed: (error: unknown) => void failures.push(error),
    ...overrides,
  } satisfies StatusSources as { -readonly [Key in keyof StatusSources]: StatusSources[Key] };
  const reporter = new StatusReporter(sources);
  return {
    reporter,
    sources,
    counts,
    reports,
    failures,
    async seconds(count: number): Promise<StatusReport> {
      await vi.advanceTimersByTimeAsync(count * 1000);
      return reports.at(-1) as StatusReport;
    },
  };
}

function block(events: number, jsonBytes: number, zstdBytes: number): Block {
  return {
    index: indexOf(creates(...Array.from({ length: events }, () => 'app.post'))),
    json: new Uint8Array(jsonBytes),
    zstd: new Uint8Array(zstdBytes),
    dictionaryId: 7,
    positions: new Map(),
  };
}

test('a report a second, of what was there', async () => {
  const { reporter, reports, counts, sources, seconds } = started();
  Object.assign(counts, { sessions: 9, subscribers: 8, live: 5, slowestLagUs: 1_500_400 });
  Object.assign(counts, {
    deliveredEvents: 400,
    deliveredBytes: 90_000,
    refusals: { bad_did: 0, bad_cursor: 3 },
  });
  sources.queue = { newestFrameTimeUs: (startedAtMs - 500) * 1000, stalledBy: undefined };
  sources.published.count(block(30, 1000, 300));
  sources.published.count(block(20, 1000, 500));
  const report = await seconds(1);
  expect(reports).toHaveLength(1);
  expect(report).toMatchObject({
    timeUs: (startedAtMs + 1000) * 1000,
    version: '1.2.3',
    aboutUrl: 'https://a.example/',
    uptimeMs: 1000,
    workers: 2,
    events: { total: 50, perSecond: 50, collections: [{ name: 'app.post', perSecond: 50 }] },
    upstream: {
      relays: ['one.example', 'two.example'],
      relay: 'one.example',
      connectedSinceUs: startedAtMs * 1000,
      failure: null,
      sequence: 41,
      lagMs: 1500,
      stalled: null,
    },
    log: { firstTimeUs: 1, lastTimeUs: 2, events: 4, bytes: 3, retentionMs: 3_600_000, retentionBytes: 1024 },
    compression: { ratio: 0.4, compressor: 'wasm', dictionaryId: 7, v2DictionaryId: 37694 },
    subscribers: {
      connected: 9,
      live: 5,
      catchingUp: 3,
      slowestLagMs: 1500,
      eventsPerSecond: 400,
      bytesPerSecond: 90_000,
      refusals: [{ reason: 'bad_cursor', count: 3 }],
    },
    drops: { total: 0, reasons: [], last: [] },
    coverage: {
      last: [
        { reason: 'log_cut', relay: null, fromUs: 7, toUs: 8, count: 1, missing: false, repeated: true },
        { reason: 'relay_gap', relay: 'one.example', missing: true, repeated: false },
      ],
    },
  });
  expect(report.memoryBytes).toBeGreaterThan(1e6);
  const { memory } = report;
  expect(memory).toMatchObject({ heapBytes: 3, externalBytes: 7, databaseBytes: 8 });
  expect(memory.residentBytes).toBe(report.memoryBytes);
  expect(memory.totalBytes).toBe(
    (memory.anonymousBytes ?? memory.residentBytes) +
      (memory.socketsOf === 'cgroup' ? (memory.socketBytes ?? 0) : 0),
  );
  await seconds(2);
  expect(reports).toHaveLength(3);
  reporter.stop();
  await seconds(5);
  expect(reports).toHaveLength(3);
});

test('a report is plain data, and has no secret of a relay’s address', async () => {
  const { seconds } = started();
  const report = await seconds(1);
  expect(structuredClone(report)).toEqual(report);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  expect(JSON.stringify(report)).not.toMatch(/secret|token|hidden/);
});

test('drops are listed with their second, newest first, and not for ever', async () => {
  const { sources, seconds } = started();
  const { totals } = sources;
  const drop = totals as IngestTotals;
  drop.drop('bad_car');
  drop.drop('bad_car');
  drop.drop('too_big');
  await seconds(1);
  drop.drop('bad_car');
  const report = await seconds(1);
  const atUs = (seconds: number): number => (startedAtMs + seconds * 1000) * 1000;
  expect(report.drops).toEqual({
    total: 4,
    reasons: [
      { reason: 'bad_car', count: 3 },
      { reason: 'too_big', count: 1 },
    ],
    last: [
      { timeUs: atUs(2), reason: 'bad_car', count: 1 },
      { timeUs: atUs(1), reason: 'too_big', count: 1 },
      { timeUs: atUs(1), reason: 'bad_car', count: 2 },
    ],
  });
  for (let second = 0; second < 30; second++) {
    for (const reason of dropReasons) drop.drop(reason);
    await seconds(1);
  }
  expect((await seconds(1)).drops.last).toHaveLength(20);
});

test('without a relay the place is still that of the last one', async () => {
  const link = { relay: relays[1], connectedSinceUs: 5, failure: undefined };
  const { sources, seconds } = started({ link });
  await seconds(1);
  const failure = { relay: relays[1], reason: 'dns', next: relays[0], retryAtUs: 7 } as const;
  sources.link = { relay: undefined, connectedSinceUs: undefined, failure };
  sources.queue = { newestFrameTimeUs: undefined, stalledBy: 'LOG_DISK_FULL' };
  const { upstream } = await seconds(1);
  expect(upstream).toMatchObject({
    relay: null,
    connectedSinceUs: null,
    failure: { relay: 'two.example', reason: 'dns', next: 'one.example', retryAtUs: 7 },
    sequence: 99,
    lagMs: null,
    stalled: 'LOG_DISK_FULL',
  });
});

test('the lag grows while nothing comes, and is never negative', async () => {
  const { sources, seconds } = started();
  expect((await seconds(1)).upstream.lagMs).toBe(null);
  sources.queue = { newestFrameTimeUs: startedAtMs * 1000, stalledBy: undefined };
  expect((await seconds(2)).upstream.lagMs).toBe(3000);
  sources.queue = { newestFrameTimeUs: (startedAtMs + 60_000) * 1000, stalledBy: undefined };
  expect((await seconds(1)).upstream.lagMs).toBe(0);
});

test('while threads have not answered there is no report, and nobody is asked again', async () => {
  const { sources, counts, reports, seconds } = started();
  const slow = Promise.withResolvers<SubscriberCounts>();
  let asked = 0;
  sources.counts = () => {
    asked++;
    return slow.promise;
  };
  await seconds(5);
  expect([asked, reports.length]).toEqual([1, 0]);
  slow.resolve(counts);
  await seconds(1);
  expect([asked, reports.length]).toEqual([2, 2]);
});

test('a thread that cannot answer, or a mistake of ours, is told once and ends the reports', async () => {
  const gone = started();
  const ended = new Error('gone');
  gone.sources.counts = () => Promise.reject(ended);
  await gone.seconds(3);
  expect([gone.failures, gone.reports]).toEqual([[ended], []]);
  const mistaken = started();
  const mistake = new TypeError('not a function');
  mistaken.sources.report = () => {
    throw mistake;
  };
  await mistaken.seconds(3);
  expect(mistaken.failures).toEqual([mistake]);
});

test('an answer that fails after the stop is nothing', async () => {
  const { reporter, sources, failures, seconds } = started();
  const pending = Promise.withResolvers<SubscriberCounts>();
  sources.counts = () => pending.promise;
  await seconds(1);
  reporter.stop();
  pending.reject(new Error('gone'));
  await seconds(1);
  expect(failures).toEqual([]);
});

test('verdicts are told by name, what is vouched for without its reasons', async () => {
  const counts = new Map<Reason, number>([
    ['continuous', 90],
    ['first_sight', 6],
    ['gap', 1],
    ['too_late', 2],
    ['bad_signature', 1],
    ['legacy', 0],
  ]);
  const { reports } = started({ verification: { counts, isUp: true } });
  await vi.advanceTimersByTimeAsync(1000);
  expect(reports[0].verification).toEqual({
    commits: 100,
    verdicts: [
      { verdict: 'verified', count: 90 },
      { verdict: 'anchored', count: 7 },
      { verdict: 'unchecked', count: 2 },
      { verdict: 'refuted', count: 1 },
    ],
    reasons: [
      { reason: 'too_late', count: 2 },
      { reason: 'bad_signature', count: 1 },
    ],
    isUp: true,
    isArmed: null,
    waiting: 0,
    dropped: 0,
  });
});
