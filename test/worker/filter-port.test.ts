// The store of filters as other threads have it.

import { MessageChannel } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { passAll } from '../../lib/event/filter.ts';
import { FilterStore } from '../../lib/wire/filter-store.ts';
import { filterFrom, storedFormOf } from '../../lib/wire/stored-filter.ts';
import { answerFilters, RemoteFilters } from '../../lib/worker/filter-port.ts';

function connected(store: FilterStore): RemoteFilters {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  answerFilters(port1, store);
  return new RemoteFilters(port2);
}

const filter = { ...passAll, dids: new Set(['did:web:a']) };

test('what one thread stores, all have', async () => {
  const store = new FilterStore();
  const [one, other] = [connected(store), connected(store)];
  const stored = storedFormOf(filter);
  const { id } = stored;
  const length = stored.bytes.length;
  expect(await one.put(stored, 'a')).toEqual({ outcome: 'stored', description: store.look(id) });
  // Not copied: its memory has gone to the store.
  expect(stored.bytes.length).toBe(0);
  expect(await other.put(storedFormOf(filter), 'b')).toMatchObject({ outcome: 'known' });
  expect(await other.look(id)).toEqual(store.look(id));
  expect(await other.hold(id)).toBe(true);
  expect(filterFrom(await other.bytesOf(id))).toEqual(filter);
  expect(filterFrom(await one.bytesOf(id))).toEqual(filter);
  expect(store.stats()).toEqual({ filters: 1, bytes: length });
  await other.release(id);
});

test('each question has its own answer, however many are asked at once', async () => {
  const remote = connected(new FilterStore());
  const made = Array.from({ length: 50 }, (_, at) =>
    storedFormOf({ ...passAll, dids: new Set([`did:web:a${at}`]) }),
  );
  const ids = made.map(({ id }) => id);
  const results = await Promise.all([
    ...made.map((one) => remote.put(one, 'a')),
    ...ids.map((id) => remote.look(id)),
  ]);
  expect(
    results.map(
      (result) => result && ('description' in result ? result.description.id : 'id' in result && result.id),
    ),
  ).toEqual([...ids, ...ids]);
  expect(await Promise.all([remote.look('none'), remote.hold('none')])).toEqual([undefined, false]);
});
