// The zstd messages of one block, and how much effort goes into them; blocks that outgrow the first columns. What a block
// holds besides is tested with the log.

import { expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { noPath } from '../../lib/event/subject.ts';
import { binaryMessage, textMessage } from '../../lib/event/websocket-frame.ts';
import { compressEvents, fastEventsMin } from '../../lib/log/block-builder.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

test.each([
  [1, false],
  [fastEventsMin - 1, false],
  [fastEventsMin, true],
  [300, true],
])('%i events in one go, compressed at the fast level: %s', (count, expected) => {
  const { index, json } = new SampleLog(seededRandom(count)).block(count);
  const fast: boolean[] = [];
  const compressor: typeof fakeCompressor = {
    ...fakeCompressor,
    compress(source, start, end, out, isFast) {
      fast.push(isFast);
      fakeCompressor.compress(source, start, end, out, isFast);
    },
  };
  const { zstd, zstdEnd } = compressEvents(json, index.jsonEnd, compressor, new ByteWriter());
  expect(fast).toEqual(Array(count).fill(expected));
  expect(zstdEnd.at(-1)).toBe(zstd.length);
  expect(payloadsOf(zstd, binaryMessage).map(unfake)).toEqual(
    payloadsOf(json, textMessage).map((payload) => Buffer.from(payload).toString()),
  );
});

test('a block of any number of events has the columns of each', () => {
  const sample = new SampleLog(seededRandom(8), { textBytesMax: 20 });
  const { index, json } = sample.block(1100);
  expect([...index.timeUs]).toEqual(sample.events.map(({ time_us }) => time_us));
  expect(payloadsOf(json, textMessage).map((payload) => Buffer.from(payload).toString())).toEqual(
    sample.events.map((event) => JSON.stringify(event)),
  );
  const collections = sample.events.map(({ commit }) => commit?.collection);
  expect([...index.collection].map((id) => index.collections[id])).toEqual(collections);
  const hasPath = sample.events.map(({ commit }) => commit !== undefined);
  expect([...(index.subjects?.path ?? [])].map((path) => path !== noPath)).toEqual(hasPath);
  expect([...(index.subjects?.keyTimeUs ?? [])]).toHaveLength(1100);
  const hasher = new DidHasher(new Uint8Array(8));
  for (const [event, { did }] of sample.events.entries()) {
    hasher.hash(Buffer.from(did), 0, did.length);
    expect([...index.didHash.subarray(event * 2, event * 2 + 2)]).toEqual([hasher.low, hasher.high]);
  }
});
