// How much clients may send, judged without sockets.

import { describe, expect, it } from 'vitest';
import { clientBytesPerSecondMax, MessageRate } from '../../lib/session/message-rate.ts';

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
