// The walk over sessions: all of them, none too often, a few at a time.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SessionTimer } from '../../lib/session/session-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Visits {
  readonly timesMs: number[] = [];
  visit(nowMs: number): void {
    this.timesMs.push(nowMs);
  }
}

it('visits thousands once a second, a twentieth at a time', () => {
  const sessions = new Set(Array.from({ length: 5000 }, () => new Visits()));
  const rounds = new SessionTimer(sessions, 5000);
  rounds.start();
  rounds.start();
  vi.advanceTimersByTime(10_500);
  const perTick = new Map<number, number>();
  for (const { timesMs } of sessions) {
    expect(timesMs.length).toBeGreaterThanOrEqual(9);
    expect(timesMs.length).toBeLessThanOrEqual(11);
    for (const [at, ms] of timesMs.entries()) {
      perTick.set(ms, (perTick.get(ms) ?? 0) + 1);
      if (at > 0) expect(ms - timesMs[at - 1]).toBeLessThanOrEqual(1100);
    }
  }
  expect(Math.max(...perTick.values())).toBe(250);
});

it('visits few soon enough for short intervals', () => {
  const session = new Visits();
  new SessionTimer(new Set([session]), 20).start();
  vi.advanceTimersByTime(1000);
  expect(session.timesMs.length).toBeGreaterThan(150);
});

it('goes on while sessions come and go, and rests when there are none', () => {
  const sessions = new Set<Visits>();
  const rounds = new SessionTimer(sessions, 4000);
  class Leaving extends Visits {
    override visit(nowMs: number): void {
      super.visit(nowMs);
      if (this.timesMs.length === 3) sessions.delete(this);
    }
  }
  const all: Visits[] = [];
  for (let second = 0; second < 10; second++) {
    const session = new Leaving();
    all.push(session);
    sessions.add(session);
    rounds.start();
    vi.advanceTimersByTime(1000);
  }
  vi.advanceTimersByTime(5000);
  expect(all.map(({ timesMs }) => timesMs.length)).toEqual(Array(10).fill(3));
  expect(vi.getTimerCount()).toBe(0);
  sessions.add(new Leaving());
  rounds.start();
  expect(vi.getTimerCount()).toBe(1);
});

it('wakes for a few sessions no more often than for one', () => {
  let ticks = 0;
  const sessions = new Set(Array.from({ length: 12 }, () => new Visits()));
  new SessionTimer(sessions, 5000, () => ticks++).start();
  vi.advanceTimersByTime(10_000);
  expect(ticks).toBe(40);
  for (const { timesMs } of sessions) expect(timesMs.length).toBeGreaterThanOrEqual(9);
});
