import { expect, test } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import {
  believedAfterMs,
  type ClockFinding,
  downtimeMsMax,
  stepMsMax,
  TrustedTime,
} from '../../lib/event/trusted-time.ts';

const startMs = 1_800_000_000_000;
const dayMs = 24 * 3_600_000;

/** A machine whose clocks are set by the test. */
class Machine {
  wallMs = startMs;
  monotonicMs = 5_000;
  uptimeMs = 90_000;
  readonly findings: ClockFinding[] = [];
  readonly time: TrustedTime;
  readonly clock: Clock;

  constructor(newestUs = 0, wallMs = startMs) {
    this.wallMs = wallMs;
    this.time = new TrustedTime(newestUs, (finding) => this.findings.push(finding), {
      wallMs: () => this.wallMs,
      monotonicMs: () => this.monotonicMs,
      uptimeMs: () => this.uptimeMs,
    });
    this.clock = new Clock(newestUs, () => this.time.nowMs());
  }

  /** Time passes, and is asked for once a second. */
  run(ms: number): void {
    for (let left = ms; left > 0; left -= 1000) {
      const passedMs = Math.min(left, 1000);
      this.wallMs += passedMs;
      this.monotonicMs += passedMs;
      this.uptimeMs += passedMs;
      this.clock.nowUs();
    }
  }

  get names(): string[] {
    return this.findings.map(({ what }) => what);
  }
}

test('slews and small steps are followed at once, and are nothing to report', () => {
  const machine = new Machine();
  for (const stepMs of [1, -1, 900, -900, stepMsMax, -stepMsMax]) {
    machine.wallMs += stepMs;
    expect(machine.time.nowMs()).toBe(machine.wallMs);
    machine.run(1000);
  }
  expect(machine.findings).toEqual([]);
  expect(machine.time.aheadMs).toBe(0);
});

test.each([dayMs, -dayMs])('a step of %d ms that lasts 20 s moves nothing', (stepMs) => {
  const machine = new Machine();
  machine.run(10_000);
  machine.wallMs += stepMs;
  machine.run(10_000);
  expect(machine.clock.next()).toBe((startMs + 20_000) * 1000);
  expect(machine.time.aheadMs).toBe(stepMs);
  machine.run(10_000);
  machine.wallMs -= stepMs;
  machine.run(1000);
  expect(machine.clock.next()).toBe((startMs + 31_000) * 1000);
  expect(machine.names).toEqual(['stepped', 'returned']);
  expect(machine.findings[0]).toMatchObject({
    trustedMs: startMs + 11_000,
    wallMs: startMs + 11_000 + stepMs,
  });
  expect(machine.time.steps).toBe(1);
  expect(machine.time.aheadMs).toBe(0);
});

test('a step that lasts is followed; one back holds events just after the last until the clock has caught up', () => {
  const machine = new Machine();
  machine.wallMs += dayMs;
  machine.run(believedAfterMs);
  expect(machine.time.nowMs()).toBe(startMs + believedAfterMs);
  machine.run(2000);
  expect(machine.time.nowMs()).toBe(machine.wallMs);
  const aheadUs = machine.clock.next();
  machine.wallMs -= dayMs;
  machine.run(believedAfterMs + 2000);
  expect(machine.time.nowMs()).toBe(machine.wallMs);
  const lastUs = machine.clock.lastUs;
  expect(lastUs).toBe(aheadUs);
  expect(machine.clock.next()).toBe(lastUs + 1);
  expect(machine.names).toEqual(['stepped', 'followed', 'stepped', 'followed']);
});

test('a clock that is set again and again has to stay at one time', () => {
  const machine = new Machine();
  for (let times = 0; times < 10; times++) {
    machine.wallMs += dayMs;
    machine.run(believedAfterMs / 2);
  }
  expect(machine.time.nowMs()).toBe(startMs + 5 * believedAfterMs);
  expect(machine.names).toEqual(Array(10).fill('stepped'));
});

test('a machine that slept is known by its uptime: the wall clock is followed at once', () => {
  const machine = new Machine();
  machine.wallMs += dayMs;
  machine.uptimeMs += dayMs;
  expect(machine.time.nowMs()).toBe(machine.wallMs);
  machine.run(1000);
  // And in the middle of a step.
  machine.wallMs += dayMs;
  machine.run(1000);
  machine.wallMs += dayMs;
  machine.uptimeMs += dayMs;
  machine.run(1000);
  expect(machine.time.nowMs()).toBe(machine.wallMs - dayMs);
  expect(machine.names).toEqual(['stepped']);
});

test('a process that stood still between two readings has seen no step', () => {
  const machine = new Machine();
  let readings = 0;
  const time = new TrustedTime(0, (finding) => machine.findings.push(finding), {
    wallMs: () => machine.wallMs,
    monotonicMs: () => {
      if (++readings === 3) machine.run(60_000);
      return machine.monotonicMs;
    },
    uptimeMs: () => machine.uptimeMs,
  });
  for (let times = 0; times < 5; times++) time.nowMs();
  expect(time.nowMs()).toBe(machine.wallMs);
  expect(machine.findings).toEqual([]);
});

test('a start with the clock before the newest event goes on from that event', () => {
  const machine = new Machine(startMs * 1000, 3_000);
  expect(machine.names).toEqual(['stepped']);
  machine.run(10_000);
  expect(machine.clock.next()).toBe((startMs + 10_000) * 1000);
  // NTP finds the time.
  machine.wallMs = startMs + 60_000;
  machine.run(1000);
  expect(machine.time.aheadMs).toBe(50_000);
  machine.run(believedAfterMs + 1000);
  expect(machine.time.nowMs()).toBe(machine.wallMs);
});

test('a start far later than the newest event is a step, after a usual pause it is not', () => {
  const usual = new Machine((startMs - downtimeMsMax + 1000) * 1000);
  expect(usual.time.nowMs()).toBe(startMs);
  const far = new Machine((startMs - downtimeMsMax - 1000) * 1000);
  expect(far.names).toEqual(['stepped']);
  expect(far.time.nowMs()).toBe(startMs - downtimeMsMax - 1000);
  far.run(believedAfterMs + 1000);
  expect(far.time.nowMs()).toBe(far.wallMs);
});

test('another thread reads the same time', () => {
  const machine = new Machine();
  machine.wallMs += dayMs;
  machine.run(10_000);
  const read = TrustedTime.reader(machine.time.memory, () => machine.monotonicMs);
  expect(read()).toBe(machine.time.nowMs());
});
