import { describe, expect, it } from 'vitest';
import { tidTimeUs } from '../../lib/event/tid.ts';
import { SeededRandom } from '../lib/seeded-random.ts';
import { epochOfStampedRev, seqOfStampedRev, stampedRev } from '../lib/stamped-rev.ts';
import { tidOf } from '../lib/tid.ts';

/** The definition of a TID, in 64-bit integers. */
function tidByDefinition(timeUs: number, clockId: number): string {
  let value = (BigInt(timeUs) << 10n) | BigInt(clockId);
  let text = '';
  for (let i = 0; i < 13; i++) {
    text = '234567abcdefghijklmnopqrstuvwxyz'[Number(value & 31n)] + text;
    value >>= 5n;
  }
  return text;
}

describe('tid', () => {
  it('follows the definition over the whole range and reads back', () => {
    const random = new SeededRandom('tid', 'test');
    const edges = [0, 1, 31, 2 ** 30 - 1, 2 ** 30, 2 ** 32, 2 ** 53 - 1];
    const drawn = Array.from({ length: 500 }, () => Math.floor(random.float() * 2 ** random.between(1, 53)));
    for (const timeUs of [...edges, ...drawn]) {
      const clockId = random.int(1024);
      expect(tidOf(timeUs, clockId)).toBe(tidByDefinition(timeUs, clockId));
      expect(tidTimeUs(Buffer.from(tidOf(timeUs, clockId)), 0, 13)).toBe(timeUs);
    }
  });
});

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
