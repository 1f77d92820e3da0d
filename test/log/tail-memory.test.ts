import { expect, test } from 'vitest';
import { TailMemory } from '../../lib/log/tail-memory.ts';
import { seededRandom } from '../support/events.ts';

test('what is given back is used for what fits, and never for two at a time', () => {
  const random = seededRandom(6);
  const memory = new TailMemory();
  const held: Buffer[] = [];
  const seen = new Set<ArrayBufferLike>();
  for (let round = 0; round < 1000; round++) {
    const bytes = Math.floor(250_000 + 40_000 * random());
    const taken = memory.take(bytes);
    expect(taken.length).toBe(bytes);
    expect(held.some(({ buffer }) => buffer === taken.buffer)).toBe(false);
    seen.add(taken.buffer);
    held.push(taken);
    if (held.length > 20) memory.give(held.shift() as Buffer);
  }
  expect(seen.size).toBeLessThan(40);
});

test('what is lent, or was not made here, or is given twice, is not used again', () => {
  const memory = new TailMemory();
  const lent = memory.take(100_000);
  memory.lend(lent);
  memory.give(lent);
  const foreign = Buffer.allocUnsafeSlow(100_000);
  memory.give(foreign);
  const first = memory.take(100_000);
  expect([lent.buffer, foreign.buffer]).not.toContain(first.buffer);
  memory.give(first);
  memory.give(first);
  expect(memory.take(90_000).buffer).toBe(first.buffer);
  expect(memory.take(90_000).buffer).not.toBe(first.buffer);
});

test('a large piece is not used for little', () => {
  const memory = new TailMemory();
  const large = memory.take(10_000_000);
  memory.give(large);
  expect(memory.take(100_000).buffer.byteLength).toBeLessThan(200_000);
  expect(memory.take(9_900_000).buffer).toBe(large.buffer);
});
