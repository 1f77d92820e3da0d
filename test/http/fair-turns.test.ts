import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FairTurns } from '../../lib/http/fair-turns.ts';

test('who comes while nobody works begins at once', async () => {
  const turns = new FairTurns();
  let hasBegun = false;
  const result = turns.take('a', async () => {
    hasBegun = true;
    return 5;
  });
  expect(hasBegun).toBe(true);
  expect(await result).toBe(5);
});

test('others wait, each address in its turn, however many one has', async () => {
  const turns = new FairTurns();
  const order: string[] = [];
  let working = 0;
  const work = (address: string, name: string) =>
    turns.take(address, async () => {
      expect(++working).toBe(1);
      await sleep(1);
      working--;
      order.push(name);
    });
  const works = ['a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2'].map((name) => work(name[0], name));
  // The address that works can wait behind itself like any other.
  await works[0];
  works.push(work('d', 'd1'), work('a', 'a5'));
  await Promise.all(works);
  expect(order).toEqual(['a1', 'a2', 'b1', 'c1', 'd1', 'a3', 'b2', 'a4', 'a5']);
});

test('after each there is a rest as long as it took', async () => {
  const turns = new FairTurns();
  let endMs = 0;
  const busy = turns.take('a', async () => {
    await sleep(60);
    endMs = performance.now();
  });
  const next = turns.take('b', async () => performance.now());
  await busy;
  const late = turns.take('c', async () => performance.now());
  expect((await next) - endMs).toBeGreaterThan(50);
  expect(await late).toBeGreaterThan(await next);
});

test('a failure is its own', async () => {
  const turns = new FairTurns();
  const failing = turns.take('a', async () => {
    throw new Error('no');
  });
  const other = turns.take('a', async () => 1);
  await expect(failing).rejects.toThrow('no');
  expect(await other).toBe(1);
});
