// Progress messages, read as a client does, and the room for a reason in a close.

import { describe, expect, it } from 'vitest';
import { messageOf } from '../../lib/event/websocket-frame.ts';
import { cutCloseReason, gapText, progressText } from '../../lib/wire/server-messages.ts';

describe('a progress message', () => {
  it.each([
    [
      { positionUs: 0, newestUs: 0, live: true },
      { cursor: 1, lag_us: 0, live: true },
    ],
    [
      { positionUs: 1_780_000_000_000_000, newestUs: 1_780_000_000_500_000, live: false },
      { cursor: 1_780_000_000_000_001, lag_us: 500_000, live: false },
    ],
    [
      { positionUs: 1e15, newestUs: Number.MAX_SAFE_INTEGER - 1, live: false },
      { cursor: 1e15 + 1, lag_us: 8_007_199_254_740_990, live: false },
    ],
  ])('%j', (report, progress) => {
    const message = messageOf(progressText(report));
    expect(message[0]).toBe(0x81);
    expect(message[1]).toBe(message.length - 2);
    expect(message[1]).toBeLessThan(126);
    expect(message.toString('utf8', 2)).toBe(
      JSON.stringify({ kind: 'progress', time_us: report.positionUs, progress }),
    );
  });
});

describe('a gap', () => {
  const row = { reason: 'relay_gap', relay: 'relay.test', fromUs: 5, toUs: 9, toSeq: 3, count: 2 } as const;
  const fields = {
    reason: 'relay_gap',
    relay: 'relay.test',
    from_us: 5,
    to_us: 9,
    to_seq: 3,
    count: 2,
    missing: true,
    repeated: false,
  };

  it('is a text message with the fields of /coverage, and a relay only if there is one', () => {
    const message = messageOf(gapText(row));
    expect(message[0]).toBe(0x81);
    expect(JSON.parse(message.toString('utf8', 4))).toEqual({ kind: 'gap', time_us: 9, gap: fields });
    expect(gapText({ reason: 'log_cut', relay: '', fromUs: 5, toUs: 9, count: 1 })).not.toContain('relay');
  });
});

describe('a close reason', () => {
  it('leaves what fits', () => {
    expect(cutCloseReason('')).toBe('');
    expect(cutCloseReason('a'.repeat(123))).toBe('a'.repeat(123));
  });

  it('cuts at 123 bytes, between characters', () => {
    expect(cutCloseReason('a'.repeat(124))).toBe('a'.repeat(123));
    expect(cutCloseReason('\u00e9'.repeat(100))).toBe('\u00e9'.repeat(61));
    expect(cutCloseReason(`a${'\u20ac'.repeat(100)}`)).toBe(`a${'\u20ac'.repeat(40)}`);
    expect(cutCloseReason('\u{1f600}'.repeat(50))).toBe('\u{1f600}'.repeat(30));
  });

  it('counts half a surrogate pair as the three bytes it is sent as', () => {
    const cut = cutCloseReason('\ud83d'.repeat(50));
    expect(Buffer.byteLength(cut)).toBe(123);
  });
});
