// The text that Prometheus reads, from sources that a test sets.

import { expect, test } from 'vitest';
import { IngestTotals } from '../../lib/ingest/ingest-totals.ts';
import { EventCounts } from '../../lib/monitor/event-counts.ts';
import { type MetricSources, Metrics } from '../../lib/monitor/metrics.ts';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';
import { type DeliveryCounts, noCounts } from '../../lib/worker/delivery-counts.ts';
import { parseExposition } from '../deploy/exposition.ts';

const relays = ['wss://user:secret@one.example', 'wss://two.example'].map(parseRelayUrl);

function started() {
  const server = { counts: noCounts as DeliveryCounts | Promise<DeliveryCounts> };
  const sources = {
    version: '1.2.3',
    workers: 0,
    relays,
    compressor: { name: 'wasm', dictionaryId: 7 },
    totals: new IngestTotals(),
    published: new EventCounts(),
    log: {
      databaseBytes: 8,
      positions: new Map([['one.example', 41]]),
      coverageTotals: new Map([['log_cut', 2] as const]),
      deletions: { found: 6, unknown: 7, skipped: 0 },
      tableDamages: 0,
      stats: () => ({ firstTimeUs: 1e6, lastTimeUs: 2e6, storedBytes: 3, storedEvents: 4, memoryBytes: 5 }),
    },
    link: {
      relay: undefined as (typeof relays)[number] | undefined,
      connectedSinceUs: undefined as number | undefined,
      disconnects: new Map(),
    },
    queue: {
      newestFrameTimeUs: undefined as number | undefined,
      stalledBy: undefined as string | undefined,
      pendingBytes: 0,
      isPaused: false as boolean,
    },
    disk: { freeBytes: undefined, totalBytes: undefined, refresh: async () => {} },
    retentionBytes: 7e9,
    nowUs: () => 10e6,
    time: { steps: 0, aheadMs: 0 },
    lostLines: () => 0,
    checks: () => ({ relay: { ok: false, detail: 'none' }, log: { ok: true, detail: '' } }),
    server,
    counts: async () => server.counts,
  } satisfies MetricSources & { server: unknown };
  const metrics = new Metrics(sources);
  const read = async (name: string): Promise<Record<string, number>> => {
    const { body } = await metrics.read();
    expect(body).not.toContain('secret');
    return Object.fromEntries(parseExposition(body).get(name)?.samples ?? []);
  };
  return { sources, metrics, read };
}

test('what is not known is not there, and goes when it is not known any more', async () => {
  const { sources, read } = started();
  const names = [
    'slipstream_upstream_lag_seconds',
    'slipstream_upstream_connected_timestamp_seconds',
    'slipstream_disk_free_bytes',
    'consumer_last_evt_created_at',
    'consumer_last_evt_created_evt_processed_gap',
  ];
  for (const name of names) expect(await read(name), name).toEqual({});
  sources.queue.newestFrameTimeUs = 8e6;
  sources.link.connectedSinceUs = 5e6;
  expect(await read('slipstream_upstream_lag_seconds')).toEqual({ '': 2 });
  expect(await read('slipstream_upstream_connected_timestamp_seconds')).toEqual({ '': 5 });
  sources.link.connectedSinceUs = undefined;
  expect(await read('slipstream_upstream_connected_timestamp_seconds')).toEqual({});
});

test('a clock of the relay that is ahead makes no negative lag', async () => {
  const { sources, read } = started();
  sources.queue.newestFrameTimeUs = 12e6;
  expect(await read('slipstream_upstream_lag_seconds')).toEqual({ '': 0 });
});

test('relays are told apart, checks and stalls are 0 or 1', async () => {
  const { sources, read } = started();
  sources.link.relay = relays[1];
  sources.queue.stalledBy = 'LOG_DISK_FULL';
  sources.queue.isPaused = true;
  expect(await read('slipstream_upstream_connected')).toEqual({
    'relay="one.example"': 0,
    'relay="two.example"': 1,
  });
  expect(await read('slipstream_upstream_sequence')).toEqual({ 'relay="one.example"': 41 });
  expect(await read('consumer_last_seq')).toEqual({ 'socket_url="one.example"': 41 });
  expect(await read('slipstream_check_ok')).toEqual({ 'check="relay"': 0, 'check="log"': 1 });
  expect(await read('slipstream_ingest_stalled')).toEqual({ '': 1 });
  expect(await read('slipstream_ingest_paused')).toEqual({ '': 1 });
  sources.totals.frames[0] = 3;
  expect(await read('consumer_events_processed_total')).toMatchObject({
    'event_type="commit",socket_url="one.example,two.example"': 3,
  });
});

test('subscribers and threads', async () => {
  const { sources, read } = started();
  const counts = {
    ...noCounts,
    sessions: 10,
    subscribers: 9,
    live: 5,
    zstdSubscribers: 2,
    deliveredEvents: 100,
    zstdEvents: 30,
    pacingWaits: 4,
    pacingWaitedMs: 1500,
    busyMs: { worker_1: 250 },
  };
  sources.server.counts = counts;
  expect(await read('slipstream_subscribers')).toEqual({ '': 10 });
  expect(await read('slipstream_subscribers_behind')).toEqual({ '': 4 });
  expect(await read('slipstream_subscribers_by_encoding')).toEqual({
    'encoding="json"': 7,
    'encoding="zstd"': 2,
  });
  expect(await read('slipstream_delivered_events_total')).toEqual({
    'encoding="json"': 70,
    'encoding="zstd"': 30,
  });
  expect(await read('jetstream_events_delivered_total')).toEqual({ '': 100 });
  expect(await read('slipstream_pacing_wait_seconds_total')).toEqual({ '': 1.5 });
  const busy = await read('slipstream_thread_busy_seconds_total');
  expect(busy['thread="worker_1"']).toBe(0.25);
});

test('writes are a histogram', async () => {
  const { metrics, read } = started();
  for (const seconds of [0.0004, 0.02, 0.02, 60]) metrics.written(seconds);
  expect(await read('slipstream_log_write_seconds_count')).toEqual({ '': 4 });
  expect(await read('slipstream_log_write_seconds_bucket')).toMatchObject({
    'le="0.0005"': 1,
    'le="0.025"': 3,
    'le="5"': 3,
    'le="+Inf"': 4,
  });
});

test('a thread that does not answer fails the read', async () => {
  const { sources, metrics } = started();
  sources.server.counts = Promise.reject(new Error('gone'));
  await expect(metrics.read()).rejects.toThrow('gone');
});
