// How much clients may send, judged without sockets.

import { describe, expect, it } from 'vitest';
import { clientBytesPerSecondMax, MessageIntake, MessageRate } from '../../lib/session/message-intake.ts';

const mebibyte = 2 ** 20;

describe('the rate of one client', () => {
  it('takes the longest message at once, and the next when its time has passed', () => {
    const rate = new MessageRate();
    expect(rate.take(10_000_000, 1000)).toBe(true);
    expect(rate.take(1_000_000, 1500)).toBe(false);
    const other = new MessageRate();
    expect(other.take(10_000_000, 1000)).toBe(true);
    expect(other.take(1_000_000, 2000)).toBe(true);
  });

  it('goes on for ever at the rate', () => {
    const rate = new MessageRate();
    for (let second = 0; second < 1000; second++) {
      expect(rate.take(clientBytesPerSecondMax, second * 1000)).toBe(true);
    }
  });

  it('counts short messages for more than they have', () => {
    const rate = new MessageRate();
    let taken = 0;
    while (rate.take(1, 0)) taken++;
    expect(taken).toBe(10_100);
  });

  it('saves up nothing in quiet times', () => {
    const rate = new MessageRate();
    expect(rate.take(0, 0)).toBe(true);
    expect(rate.take(10_000_000, 1e9)).toBe(true);
    expect(rate.take(200_000, 1e9)).toBe(false);
  });
});

describe('unfinished messages', () => {
  function holders(intake: MessageIntake, count: number) {
    const shed: number[] = [];
    const list = Array.from({ length: count }, (_, at) => ({
      shed(): void {
        shed.push(at);
        // As a session does when it is gone.
        intake.holds(this, 0);
      },
    }));
    return { shed, list };
  }

  it('short ones are not counted, however many', () => {
    const intake = new MessageIntake();
    const { shed, list } = holders(intake, 5000);
    for (const holder of list) intake.holds(holder, 65_536);
    expect([intake.bytes, shed.length]).toEqual([0, 0]);
  });

  it('those that hold most are shed when there is no room', () => {
    const intake = new MessageIntake();
    const { shed, list } = holders(intake, 9);
    const bytes = [9, 8, 7.5, 9.5, 6, 9, 8, 5];
    for (const [at, size] of bytes.entries()) intake.holds(list[at], size * mebibyte);
    expect(shed).toEqual([]);
    intake.holds(list[8], 3 * mebibyte);
    expect(shed).toEqual([3]);
    expect(intake.bytes).toBe((62 - 9.5 + 3) * mebibyte);
  });

  it('are forgotten when they end', () => {
    const intake = new MessageIntake();
    const { shed, list } = holders(intake, 1000);
    for (const holder of list) {
      intake.holds(holder, mebibyte);
      intake.holds(holder, 10 * mebibyte);
      intake.holds(holder, 0);
    }
    expect([intake.bytes, shed.length]).toEqual([0, 0]);
  });
});
