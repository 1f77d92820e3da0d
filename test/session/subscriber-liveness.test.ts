// When a subscriber counts as dead, and when as stalled.

import { describe, expect, it } from 'vitest';
import { SubscriberLiveness } from '../../lib/session/subscriber-liveness.ts';

describe('silence', () => {
  it('is given two intervals after the first ping', () => {
    const liveness = new SubscriberLiveness();
    expect(liveness.silentAtPing(100, 200, 0)).toBe(false);
    expect(liveness.silentAtPing(100, 202, 0)).toBe(false);
    expect(liveness.silentAtPing(100, 204, 0)).toBe(true);
  });

  it('is broken by anything received', () => {
    const liveness = new SubscriberLiveness();
    for (let ping = 0; ping < 10; ping++)
      expect(liveness.silentAtPing(100 + 6 * Math.floor(ping / 2), 200, 0)).toBe(false);
  });

  it('is broken by data that was taken, and not by pings', () => {
    const liveness = new SubscriberLiveness();
    for (let ping = 0; ping < 10; ping++) expect(liveness.silentAtPing(100, 200 + 5 * ping, 0)).toBe(false);
    expect(liveness.silentAtPing(100, 249, 0)).toBe(false);
    expect(liveness.silentAtPing(100, 253, 0)).toBe(true);
  });

  it('is not judged while bytes wait, for pings wait behind them', () => {
    const liveness = new SubscriberLiveness();
    liveness.silentAtPing(100, 200, 0);
    for (let ping = 0; ping < 10; ping++) expect(liveness.silentAtPing(100, 200, 1)).toBe(false);
    expect(liveness.silentAtPing(100, 200, 0)).toBe(false);
    expect(liveness.silentAtPing(100, 200, 0)).toBe(true);
  });
});

describe('a stall', () => {
  /** Looks at a socket every 100 ms; says when it stalled. */
  function watch(socket: { taken: number; waiting: number }, step: (ms: number) => void = () => {}) {
    const liveness = new SubscriberLiveness();
    for (let ms = 5000; ms < 15_000; ms += 100) {
      step(ms);
      if (liveness.stalledFor(1000, ms, socket.taken, socket.waiting)) return ms;
    }
    return undefined;
  }

  it('is bytes that wait while none is taken', () => {
    expect(watch({ taken: 200, waiting: 1 })).toBe(6000);
    expect(watch({ taken: 0, waiting: 1 })).toBe(6000);
  });

  it('is none when nothing waits, or something is taken now and then', () => {
    expect(watch({ taken: 200, waiting: 0 })).toBeUndefined();
    const socket = { taken: 200, waiting: 1 };
    expect(watch(socket, (ms) => void (ms % 900 === 0 && socket.taken++))).toBeUndefined();
  });

  it('starts when bytes begin to wait', () => {
    const socket = { taken: 200, waiting: 0 };
    const later = (ms: number): void => {
      if (ms === 8000) socket.waiting = 1;
    };
    expect(watch(socket, later)).toBe(8900);
  });
});
