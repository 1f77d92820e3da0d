import { expect, test } from 'vitest';
import { emptyBatch, gather, mergeBatches, noRun, Runs } from '../../lib/fanout/batch.ts';
import { seededRandom } from '../support/events.ts';

/** One frame of two bytes for each event: its number. */
const count = 1000;
const bytes = Buffer.from(Uint16Array.from({ length: count }, (_, at) => at).buffer);
const messages = { bytes, ends: Uint32Array.from({ length: count }, (_, at) => at * 2 + 2) };

function eventsIn(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length / 2 }, (_, at) => Buffer.from(bytes).readUInt16LE(at * 2));
}

test('chains that grow at the same time keep their events apart, block after block', () => {
  const seed = 90;
  const random = seededRandom(seed);
  const runs = new Runs();
  for (let block = 0; block < 5; block++) {
    runs.clear();
    const chains = Array.from({ length: 200 }, () => ({ first: noRun, last: noRun, events: [] as number[] }));
    for (let event = 0; event < count; event++) {
      for (const [at, chain] of chains.entries()) {
        if (random() < at / 250) continue;
        chain.last = runs.add(chain.last, event);
        if (chain.first === noRun) chain.first = chain.last;
        chain.events.push(event);
      }
    }
    for (const { first, events } of chains) {
      const batch = gather(messages, runs, first);
      expect(batch.events).toBe(events.length);
      expect(eventsIn(batch.bytes), `seed ${seed}`).toEqual(events);
    }
  }
});

test('one run is not copied, all events are the messages themselves, and no run is nothing', () => {
  const runs = new Runs();
  let last = runs.add(noRun, 3);
  last = runs.add(last, 4);
  const some = gather(messages, runs, last);
  expect([some.bytes.buffer, some.bytes.byteOffset]).toEqual([bytes.buffer, bytes.byteOffset + 6]);
  let all = runs.add(noRun, 0);
  for (let event = 1; event < count; event++) all = runs.add(all, event);
  expect(gather(messages, runs, all).bytes).toBe(bytes);
  expect(gather(messages, runs, noRun)).toBe(emptyBatch);
});

test('batches merge in their order', () => {
  const runs = new Runs();
  const batches = [5, 2, 9].map((event) => gather(messages, runs, runs.add(noRun, event)));
  expect(eventsIn(mergeBatches(batches).bytes)).toEqual([5, 2, 9]);
  expect(mergeBatches(batches).events).toBe(3);
});
