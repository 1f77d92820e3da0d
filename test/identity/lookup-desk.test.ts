import { expect, test } from 'vitest';
import { LookupDesk } from '../../lib/identity/lookup-desk.ts';

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { work: () => promise, resolve, reject };
}

test('so many run at a time, in their order', async () => {
  const desk = new LookupDesk({ concurrentMax: 2, perSecondMax: 1e6, waitingMax: 10 });
  const began: number[] = [];
  const works = Array.from({ length: 4 }, held);
  const ends = works.map(({ work }, index) =>
    desk.run(() => {
      began.push(index);
      return work();
    }),
  );
  await expect.poll(() => began).toEqual([0, 1]);
  expect(desk.waiting).toBe(2);
  works[1].resolve();
  await expect.poll(() => began).toEqual([0, 1, 2]);
  // One that fails makes room, too.
  works[0].reject(new Error('no'));
  await expect(ends[0]).rejects.toThrow('no');
  await expect.poll(() => began).toEqual([0, 1, 2, 3]);
  for (const { resolve } of works) resolve();
  await Promise.all(ends.slice(1));
});

test('so many begin in a second', async () => {
  const desk = new LookupDesk({ concurrentMax: 100, perSecondMax: 50, waitingMax: 100 });
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 11 }, () => desk.run(async () => {})));
  // Timers may be late, and a millisecond early.
  expect(performance.now() - startMs).toBeGreaterThan(10 * 20 - 11);
});

test('one more than may wait is refused', async () => {
  const desk = new LookupDesk({ concurrentMax: 1, perSecondMax: 1e6, waitingMax: 1 });
  const { work, resolve } = held();
  const first = desk.run(work);
  const second = desk.run(work);
  await expect(desk.run(work)).rejects.toMatchObject({ code: 'IDENTITY_LIMITED', retryable: true });
  resolve();
  await Promise.all([first, second]);
});

test('nothing begins in a pause', async () => {
  const desk = new LookupDesk({ concurrentMax: 4, perSecondMax: 1e6, waitingMax: 4 });
  const startMs = performance.now();
  desk.pause(60);
  desk.pause(10);
  await desk.run(async () => {});
  expect(performance.now() - startMs).toBeGreaterThan(58);
});

test('what waits is refused when it closes', async () => {
  const desk = new LookupDesk({ concurrentMax: 1, perSecondMax: 1e6, waitingMax: 4 });
  const { work, resolve } = held();
  const running = desk.run(work);
  const waiting = desk.run(work);
  desk.pause(1e6);
  desk.close();
  await expect(waiting).rejects.toMatchObject({ code: 'IDENTITY_LIMITED' });
  await expect(desk.run(work)).rejects.toMatchObject({ code: 'IDENTITY_LIMITED' });
  resolve();
  await running;
});
