// The frames of one block, and how much effort goes into them. What a block holds besides is tested with the log.

import { expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { binaryMessage, textMessage } from '../../lib/event/websocket-frame.ts';
import { compressEvents, fastEventsMin } from '../../lib/log/block-builder.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

test.each([
  [1, false],
  [fastEventsMin - 1, false],
  [fastEventsMin, true],
  [300, true],
])('%i events in one go: a hurry is %s', (count, expected) => {
  const { index, json } = new SampleLog(seededRandom(count)).block(count);
  const hurries: boolean[] = [];
  const compressor: typeof fakeCompressor = {
    ...fakeCompressor,
    compress(source, start, end, out, isFast) {
      hurries.push(isFast);
      fakeCompressor.compress(source, start, end, out, isFast);
    },
  };
  const { zstd, zstdEnd } = compressEvents(json, index.jsonEnd, compressor, new ByteWriter());
  expect(hurries).toEqual(Array(count).fill(expected));
  expect(zstdEnd.at(-1)).toBe(zstd.length);
  expect(payloadsOf(zstd, binaryMessage).map(unfake)).toEqual(
    payloadsOf(json, textMessage).map((payload) => Buffer.from(payload).toString()),
  );
});
