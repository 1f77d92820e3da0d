import { describe, expect, it } from 'vitest';
import { tidTimeUs } from '../../lib/event/tid.ts';
import { epochOfStampedRev, seqOfStampedRev, stampedRev } from '../lib/stamped-rev.ts';

describe('stampedRev', () => {
  it('carries the sequence and the epoch, and rises with both', () => {
    let last = '';
    for (const epoch of [0, 1, 20]) {
      for (const seq of [0, 1, 70_000, 30_000_000_001, 2 ** 43 - 1]) {
        const rev = stampedRev(seq, epoch);
        expect([seqOfStampedRev(rev), epochOfStampedRev(rev)]).toEqual([seq, epoch]);
        expect(rev > last).toBe(true);
        last = rev;
      }
    }
    expect(tidTimeUs(Buffer.from(last), 0, 13)).toBeLessThan(Date.UTC(2026, 0, 1) * 1000);
  });
});
