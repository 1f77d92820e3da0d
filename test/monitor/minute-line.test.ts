import { expect, test } from 'vitest';
import type { LogFields } from '../../lib/logger.ts';
import { MinuteLine } from '../../lib/monitor/minute-line.ts';
import type { StatusReport } from '../../lib/status/status-report.ts';
import { sampleReport } from '../status/sample-report.ts';

function started() {
  const lines: [LogFields, string][] = [];
  const clock = { atMs: 5_000, cpuMs: 100 };
  const line = new MinuteLine(
    { info: (fields, message) => lines.push([fields, message]) },
    { nowMs: () => clock.atMs, cpuMs: () => clock.cpuMs },
  );
  return { lines, clock, line };
}

const base: StatusReport = sampleReport();

function report(events: number, delivered: number, drops: Record<string, number>): StatusReport {
  return {
    ...base,
    events: { ...base.events, total: events },
    subscribers: { ...base.subscribers, events: delivered, bytes: delivered * 100 },
    drops: { ...base.drops, reasons: Object.entries(drops).map(([reason, count]) => ({ reason, count })) },
  };
}

test('a line a minute, of the minute', () => {
  const { lines, clock, line } = started();
  for (let second = 0; second < 125; second++) {
    line.take(report(1_000 + second * 500, second * 2_000, { bad_car: 3 }));
    clock.atMs += 1000;
    clock.cpuMs += 250;
  }
  expect(lines.map(([, message]) => message)).toEqual(['the last minute', 'the last minute']);
  const [fields] = lines[1];
  expect(fields).toMatchObject({
    eventsPerSecond: 500,
    relay: base.upstream.relay,
    lagMs: base.upstream.lagMs,
    subscribers: base.subscribers.connected,
    live: base.subscribers.live,
    behind: base.subscribers.catchingUp,
    slowestLagMs: base.subscribers.slowestLagMs,
    deliveriesPerSecond: 2_000,
    sentBytesPerSecond: 200_000,
    logBytes: base.log.bytes,
    logSeconds: Math.round((base.log.lastTimeUs - base.log.firstTimeUs) / 1e6),
    memoryBytes: base.memoryBytes,
    cpuCores: 0.25,
  });
});

test('for people it is a sentence', () => {
  const lines: string[] = [];
  const clock = { atMs: 5_000, cpuMs: 100 };
  const line = new MinuteLine(
    { info: (_, message) => lines.push(message), isForPeople: true },
    { nowMs: () => clock.atMs, cpuMs: () => clock.cpuMs },
  );
  const quiet = { ...base.subscribers, connected: 0, catchingUp: 0, slowestLagMs: 0 };
  const log = { ...base.log, firstTimeUs: 1, lastTimeUs: 3_720_000_001, bytes: 111 * 2 ** 20 };
  const shared = { ...report(0, 0, {}), log, memoryBytes: 413 * 2 ** 20 };
  const minutes: StatusReport[] = [
    shared,
    {
      ...shared,
      events: { ...base.events, total: 5_820 },
      upstream: { ...base.upstream, relay: 'a', lagMs: 10 },
      subscribers: { ...quiet, connected: 3, catchingUp: 1, slowestLagMs: 65_000, bytes: 75_497_472 },
    },
    {
      ...shared,
      events: { ...base.events, total: 5_820 },
      upstream: { ...base.upstream, relay: null, stalled: 'LOG_DISK_FULL' },
      subscribers: { ...quiet, bytes: 75_497_472 },
    },
  ];
  for (const minute of minutes) {
    line.take(minute);
    clock.atMs += 60_000;
    clock.cpuMs += 4_200;
  }
  expect(lines).toEqual([
    '97 events/s, 0 s behind the network · subscribers: 3, 1 up to 1 min 5 s behind · 1.2 MiB/s out · log 1 h 2 min, 111 MiB · memory 413 MiB · 0.07 cores',
    'no relay · ingest waits (LOG_DISK_FULL) · 0 events/s · no subscribers · log 1 h 2 min, 111 MiB · memory 413 MiB · 0.07 cores',
  ]);
});

test('and one of what was dropped in it, when something was', () => {
  const { lines, clock, line } = started();
  for (const drops of [{ bad_car: 3 }, { bad_car: 10, bad_op: 2 }, { bad_car: 10, bad_op: 2 }]) {
    line.take(report(0, 0, drops));
    clock.atMs += 60_000;
  }
  expect(lines.map(([, message]) => message)).toEqual([
    'the last minute',
    'dropped in the last minute',
    'the last minute',
  ]);
  expect(lines[1][0]).toEqual({ bad_car: 7, bad_op: 2 });
});

test('reports that were missing do not make rates wrong', () => {
  const { lines, clock, line } = started();
  line.take(report(0, 0, {}));
  clock.atMs += 300_000;
  line.take(report(30_000, 0, {}));
  expect(lines[0][0]).toMatchObject({ eventsPerSecond: 100 });
});
