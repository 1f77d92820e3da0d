import { describe, expect, it } from 'vitest';
import { Pace } from '../lib/pace.ts';

describe('Pace', () => {
  it.each([1, 333, 1000, 77_777])('counts %i frames a second, whatever the steps of the clock', (rate) => {
    const pace = new Pace(rate, 0);
    let frames = 0;
    let nowMs = 0;
    for (const stepMs of [5, 0.3, 17.1, 5, 990].flatMap((step) => Array.from({ length: 9 }, () => step))) {
      nowMs += stepMs;
      frames += pace.take(nowMs);
    }
    expect(Math.abs(frames - (nowMs * rate) / 1000)).toBeLessThanOrEqual(1);
  });

  it('keeps what was due when the rate changes', () => {
    const pace = new Pace(100, 0);
    pace.setRate(0, 500);
    expect(pace.take(900)).toBe(50);
    pace.setRate(10, 900);
    expect(pace.take(1500)).toBe(6);
  });

  it('forgives debt beyond a second, and time that runs backwards', () => {
    const pace = new Pace(100, 0);
    expect(pace.take(60_000)).toBe(100);
    expect(pace.take(59_000)).toBe(0);
    expect(pace.take(59_500)).toBe(50);
  });

  it('owes nothing at an infinite rate', () => {
    const pace = new Pace(Number.POSITIVE_INFINITY, 0);
    expect(pace.take(1000)).toBe(0);
    pace.setRate(10, 1000);
    expect(pace.take(2000)).toBe(10);
  });
});
