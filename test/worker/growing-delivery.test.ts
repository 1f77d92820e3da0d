// What ends the daemon while workers start, and what does not. That they take over with nothing lost is growing-delivery.long.ts's.

import { expect, test } from 'vitest';
import type { Block } from '../../lib/log/block.ts';
import {
  GrowingDelivery,
  type GrowingDeliveryOptions,
  mainSubscribersMax,
} from '../../lib/worker/growing-delivery.ts';

const block = {} as Block;

/** A delivery with too many subscribers for one thread; its threads start until `loading` is settled, and end with a stop. */
function crowded() {
  const loading = Promise.withResolvers<void>();
  const failures: unknown[] = [];
  let loads = 0;
  const own = { subscribers: mainSubscribersMax + 1, publish() {}, stop: async () => true };
  const pool = {
    load() {
      loads++;
      return loading.promise;
    },
    async stop() {
      loading.reject(new Error('a thread has ended'));
      return true;
    },
  };
  const delivery = new GrowingDelivery({
    own,
    pool,
    failed: (error: unknown) => failures.push(error),
  } as unknown as GrowingDeliveryOptions);
  return { delivery, loading, failures, loads: () => loads };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a stop while workers start is no failure of theirs', async () => {
  const { delivery, failures, loads } = crowded();
  delivery.publish(block);
  expect(loads()).toBe(1);
  expect(await delivery.stop(0)).toBe(true);
  await turn();
  expect(failures).toEqual([]);
});

test('none start after a stop', async () => {
  const { delivery, loading, loads } = crowded();
  loading.promise.catch(() => {});
  await delivery.stop(0);
  expect(delivery.publish(block)).toBeUndefined();
  expect(loads()).toBe(0);
});

test('workers that do not start end the daemon', async () => {
  const { delivery, loading, failures } = crowded();
  delivery.publish(block);
  const error = new Error('no more threads');
  loading.reject(error);
  await turn();
  expect(failures).toEqual([error]);
});
