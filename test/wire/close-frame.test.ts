// The room for a reason in a close frame.

import { expect, it } from 'vitest';
import { cutCloseReason } from '../../lib/wire/close-frame.ts';

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
