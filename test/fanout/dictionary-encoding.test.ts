// Encodings of additional dictionaries: what they make of a block, read by zstd inside of Node, and when their compressors
// are open.

import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { chooseCompressor } from '../../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../../lib/codec/compressor.ts';
import { defaultDictionaryPath, parseDictionary, readDictionary } from '../../lib/codec/dictionary.ts';
import { binaryMessage, textMessage } from '../../lib/event/websocket-frame.ts';
import { zstdEncodings } from '../../lib/fanout/dictionary-encoding.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom, unfake } from '../support/events.ts';

const own = readDictionary(defaultDictionaryPath());

function withOtherId(): typeof own {
  const bytes = new Uint8Array(readFileSync(defaultDictionaryPath()));
  new DataView(bytes.buffer).setUint32(4, 40_000, true);
  return parseDictionary(bytes, 'test');
}

const plain = () => ({ ...fakeCompressor, dictionaryId: 0, close() {} });

/** Encodings with one further dictionary, 9, and what happens to its compressors. */
function faked() {
  const calls: string[] = [];
  const open = () => {
    calls.push('open');
    return { ...fakeCompressor, dictionaryId: 9, close: () => void calls.push('close') };
  };
  const encoding = zstdEncodings(7, new Map([[9, open]]), plain).byId.get(9)!;
  return { calls, recode: encoding.recode!, encoding };
}

describe('encodings by the id of their dictionary', () => {
  it('have the stored one first, as it is', () => {
    const openers = new Map([9, 8].map((id) => [id, () => ({ ...fakeCompressor, close() {} })]));
    const { byId } = zstdEncodings(7, openers, plain);
    expect([...byId.keys()]).toEqual([7, 9, 8]);
    expect(byId.get(7)).toBe(encodings.zstd);
    expect(new Set([...byId.values()].map(({ name }) => name)).size).toBe(3);
    expect(byId.get(9)).toMatchObject({ stored: 'json' });
  });

  it('make binary messages of the same events, in the same order', () => {
    const { recode } = faked();
    const log = new SampleLog(seededRandom(5));
    for (const count of [1, 30, 300]) {
      const { index, json } = log.block(count);
      const { bytes, ends } = recode(index, json);
      expect(ends).toHaveLength(count);
      expect(ends.at(-1)).toBe(bytes.length);
      expect(payloadsOf(bytes, binaryMessage).map(unfake)).toEqual(
        payloadsOf(json, textMessage).map((payload) => Buffer.from(payload).toString()),
      );
    }
  });

  it('keep what they made: the next block is in other memory', () => {
    const { recode } = faked();
    const log = new SampleLog(seededRandom(6));
    const [first, second] = [log.block(5), log.block(5)];
    const made = recode(first.index, first.json);
    const copy = Buffer.from(made.bytes);
    recode(second.index, second.json);
    expect(Buffer.from(made.bytes)).toEqual(copy);
  });

  it('are messages of their dictionary, from a compressor of the same build', async () => {
    const stored = await chooseCompressor('auto', own, compressionLevels.default);
    const other = withOtherId();
    const open = () => stored.withDictionary(other);
    const { recode } = zstdEncodings(own.id, new Map([[other.id, open]]), plain).byId.get(other.id)!;
    const { index, json } = new SampleLog(seededRandom(7)).block(40);
    const payloads = payloadsOf(recode!(index, json).bytes, binaryMessage);
    const texts = payloadsOf(json, textMessage);
    for (const [at, payload] of payloads.entries()) {
      expect(Buffer.from(payload).readUInt16LE(payload[4] & 0x20 ? 5 : 6)).toBe(40_000);
      expect(zstdDecompressSync(payload, { dictionary: other.bytes }).equals(texts[at])).toBe(true);
      expect(() => zstdDecompressSync(payload, { dictionary: own.bytes })).toThrow();
    }
    stored.close();
  });
});

describe('who names no dictionary', () => {
  const others = new Map([[9, plain]]);

  it('gets the official one where it is, stored or not', () => {
    const stored = zstdEncodings(7, others, plain, 7);
    expect(stored.unnamed).toBe(encodings.zstd);
    const recoded = zstdEncodings(7, others, plain, 9);
    expect(recoded.unnamed).toBe(recoded.byId.get(9));
  });

  it('else gets zstd frames without a dictionary, which any decoder reads with whatever dictionary it holds', async () => {
    for (const preference of ['node', 'wasm'] as const) {
      const stored = await chooseCompressor(preference, own, compressionLevels.default);
      const { unnamed, byId } = zstdEncodings(own.id, new Map(), () => stored.withDictionary(undefined));
      expect([...byId.values()]).not.toContain(unnamed);
      expect(unnamed).toMatchObject({ stored: 'json', compressed: true });
      const { index, json } = new SampleLog(seededRandom(9)).block(40);
      const texts = payloadsOf(json, textMessage);
      const payloads = payloadsOf(unnamed.recode!(index, json).bytes, binaryMessage);
      for (const [at, payload] of payloads.entries()) {
        // No id in the header (RFC 8878, section 3.1.1.1.1.6), and the size of the content.
        expect(payload[4] & 3).toBe(0);
        for (const options of [{}, { dictionary: own.bytes }, { dictionary: withOtherId().bytes }])
          expect(zstdDecompressSync(payload, options).equals(texts[at])).toBe(true);
      }
      stored.close();
    }
  });

  it('costs what is counted, once for each event', () => {
    const { unnamed, withoutDictionary } = zstdEncodings(7, new Map(), plain);
    expect(withoutDictionary).toEqual({ events: 0, bytes: 0, storedBytes: 0 });
    const log = new SampleLog(seededRandom(10));
    const [first, second] = [log.block(5), log.block(7)];
    const made = [first, second].map(({ index, json }) => unnamed.recode!(index, json));
    expect(withoutDictionary).toEqual({
      events: 12,
      bytes: made[0].bytes.length + made[1].bytes.length,
      storedBytes: first.zstd.length + second.zstd.length,
    });
  });
});

describe('a compressor', () => {
  afterEach(() => void vi.useRealTimers());

  it('is open from the first block to a minute after the last', () => {
    vi.useFakeTimers();
    const { calls, recode } = faked();
    const log = new SampleLog(seededRandom(8));
    const publish = (): void => {
      const { index, json } = log.block(3);
      recode(index, json);
    };
    expect(calls).toEqual([]);
    publish();
    for (let second = 0; second < 200; second += 50) {
      vi.advanceTimersByTime(50_000);
      publish();
    }
    expect(calls).toEqual(['open']);
    vi.advanceTimersByTime(60_000);
    expect(calls).toEqual(['open', 'close']);
    publish();
    vi.advanceTimersByTime(59_999);
    expect(calls).toEqual(['open', 'close', 'open']);
    vi.advanceTimersByTime(1);
    expect(calls).toEqual(['open', 'close', 'open', 'close']);
  });
});
