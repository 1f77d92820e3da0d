// The forms of events on the second wire: made once a block for all, and nothing of what this wire does not show.

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { BlockCache } from '../../lib/fanout/block-cache.ts';
import { v2Encodings } from '../../lib/fanout/v2-encodings.ts';
import type { BlockIndex } from '../../lib/log/block.ts';
import { BlockBuilder } from '../../lib/log/block-builder.ts';
import { fakeCompressor, payloadsOf, unfake } from '../support/events.ts';

const did = 'did:web:a.test';

function blockOf(...v1Only: readonly boolean[]) {
  const builder = new BlockBuilder(new Clock(0), new DidHasher(new Uint8Array(8)), new Map());
  for (const [at, isV1Only] of v1Only.entries()) {
    const time_us = builder.begin();
    const record = { n: at, text: 'x'.repeat([0, 70_000, 5][at % 3]) };
    const commit = { rev: '3kaaaaaaaaaa2', operation: 'delete', collection: 'a.b.c', rkey: '1', record };
    builder.writer.ascii(JSON.stringify({ did, time_us, kind: 'commit', commit }));
    const source = Buffer.from(`${did}a.b.c/1`);
    builder.end(eventKinds.commit, operations.delete, source, 0, 14, 14, 19, source.length, isV1Only);
  }
  return builder.seal(fakeCompressor);
}

const opened: string[] = [];
const open = () => {
  opened.push('open');
  return { ...fakeCompressor, dictionaryId: 9, close: () => {} };
};

it('has a message for each event that this wire shows, JSON and compressed the same', () => {
  const { json, byId, currentId } = v2Encodings(new Map([[9, open]]));
  expect(currentId).toBe(9);
  const { index, json: stored } = blockOf(false, false, true, false, true);
  const { bytes, ends } = json.recode!(index, stored);
  expect(ends[1]).toBe(ends[2]);
  expect(ends[3]).toBe(ends[4]);
  const texts = payloadsOf(bytes, 0x81).map((payload) => Buffer.from(payload).toString());
  expect(texts.map((text) => JSON.parse(text).payload.record.n)).toEqual([0, 1, 3]);
  const zstd = byId.get(9)!.recode!(index, stored);
  expect(payloadsOf(zstd.bytes, 0x82).map(unfake)).toEqual(texts);
  expect(zstd.ends).toHaveLength(5);
});

it('makes a block once, whoever asks, and as many objects as it is read into', () => {
  const encodings = v2Encodings(new Map([[9, open]]));
  const { index, json } = blockOf(false, false);
  const first = encodings.json.recode!(index, json);
  expect(encodings.json.recode!({ ...index }, Uint8Array.from(json))).toBe(first);
  const zstd = encodings.byId.get(9)!.recode!(index, json);
  expect(encodings.byId.get(9)!.recode!({ ...index }, json)).toBe(zstd);
  const other = blockOf(false);
  expect(encodings.json.recode!(other.index, other.json)).not.toBe(first);
});

it('has no compressor open before somebody receives', () => {
  opened.length = 0;
  const encodings = v2Encodings(new Map([[9, open]]));
  const { index, json } = blockOf(false);
  encodings.json.recode!(index, json);
  expect(opened).toEqual([]);
  expect(unfake(payloadsOf(encodings.byId.get(9)!.message!('{"a":1}'), 0x82)[0])).toBe('{"a":1}');
  expect(opened).toEqual(['open']);
});

describe('what is kept', () => {
  const kib = 1024;
  const messages = (bytes: Buffer) => ({ bytes, ends: Uint32Array.of(bytes.length) });
  const indexOf = (timeUs: number, count: number) =>
    ({ count, timeUs: Float64Array.from({ length: count }, (_, at) => timeUs + at) }) as BlockIndex;

  it('of blocks that are replayed is what was asked for last, and small ones take nothing from it', () => {
    let made = 0;
    const cache = new BlockCache((index, _json, take) => {
      made++;
      return messages(take(index.count * kib));
    }, 350 * kib);
    const [first, second, third, fourth] = [0, 1000, 2000, 3000].map((timeUs) => indexOf(timeUs, 100));
    const get = (index: BlockIndex) => cache.get(index, new Uint8Array(0));
    for (const index of [first, second]) get(index);
    // Whatever is asked for again is kept from then on.
    for (const index of [first, second, third, first]) get(index);
    expect(made).toBe(4);
    for (let at = 0; at < 2000; at++) get(indexOf(10_000 + 10 * at, 3));
    get(fourth);
    made = 0;
    for (const index of [first, third, fourth]) get(index);
    expect(made).toBe(0);
    get(second);
    expect(made).toBe(1);
  });

  it('goes when nothing is replayed any more', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    let made = 0;
    const cache = new BlockCache((_index, _json, take) => {
      made++;
      return messages(take(kib));
    }, 300 * kib);
    const index = indexOf(0, 100);
    const get = () => cache.get(index, new Uint8Array(0));
    get();
    vi.advanceTimersByTime(59_000);
    get();
    expect(made).toBe(1);
    vi.advanceTimersByTime(2_000);
    get();
    expect(made).toBe(2);
  });
});
