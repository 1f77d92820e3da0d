import { expect, test } from 'vitest';
import { ByteWriter } from '../lib/byte-writer.ts';

function written(out: ByteWriter): string {
  return out.buffer.toString('latin1', 0, out.length);
}

test('what is appended survives growing', () => {
  const out = new ByteWriter(1);
  const source = Buffer.from('x'.repeat(100));
  out.ascii('ab');
  out.byte(0x63);
  out.bytes(source, 1, 4);
  out.bytes(source);
  expect(written(out)).toBe(`abcxxx${'x'.repeat(100)}`);
});

test('reserving makes room without moving the end', () => {
  const out = new ByteWriter(4);
  out.ascii('abc');
  out.reserve(1000);
  expect(out.buffer.length).toBeGreaterThanOrEqual(1003);
  expect(written(out)).toBe('abc');
});

test('shrinking empties a writer and gives back what it grew to', () => {
  const out = new ByteWriter(4);
  out.ascii('a'.repeat(100));
  out.shrink(16);
  expect(out.length).toBe(0);
  expect(out.buffer.length).toBe(16);
  out.ascii('b');
  out.shrink(16);
  expect(out.length).toBe(0);
});
