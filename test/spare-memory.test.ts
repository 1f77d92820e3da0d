import { expect, test } from 'vitest';
import { SpareMemory } from '../lib/spare-memory.ts';

test('the smallest piece that is enough is taken, and made when there is none', () => {
  const spare = new SpareMemory({ stepBytes: 100 });
  const [small, large] = [spare.take(150), spare.take(450)];
  expect([small.length, large.length, spare.take(0).length]).toEqual([200, 500, 100]);
  spare.give(large);
  spare.give(small);
  expect(spare.take(200)).toBe(small);
  expect(spare.take(201)).toBe(large);
  expect(spare.take(1).length).toBe(100);
});

test('few pieces are kept, the newest, and none that is too large', () => {
  const spare = new SpareMemory({ stepBytes: 100, bytesMax: 500 });
  const pieces = Array.from({ length: 6 }, () => spare.take(500));
  spare.give(spare.take(501));
  for (const piece of pieces) spare.give(piece);
  const again = pieces.map(() => spare.take(500));
  expect(again.filter((piece) => pieces.includes(piece))).toEqual(pieces.slice(2));
});

test('a piece that is too large for what is asked stays for something larger', () => {
  const spare = new SpareMemory({ stepBytes: 100, mostBytesFor: (bytes) => 2 * bytes });
  const piece = spare.take(1000);
  spare.give(piece);
  expect(spare.take(400)).not.toBe(piece);
  expect(spare.take(500)).toBe(piece);
});
