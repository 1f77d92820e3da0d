// What `LogReader` promises, of each that implements it. What only one of them does is tested with it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import { firstEventAfter } from '../../lib/log/block.ts';
import { blockKey, parts } from '../../lib/log/block-format.ts';
import { segmentBlocks } from '../../lib/log/segment-index.ts';
import {
  type fakeCompressor,
  matches,
  payloadsOf,
  randomFilter,
  type SampleEvent,
  SampleLog,
  seededRandom,
} from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { type OpenOptions, openReplica, openWriter, type ReadLog, textsAfter } from './log-readers.ts';

const linesOf = (events: readonly SampleEvent[]): string[] => events.map((event) => JSON.stringify(event));

describe.each([
  ['the log itself', openWriter],
  ['a replica', openReplica],
])('%s', (_name, openLog: (options: OpenOptions) => Promise<ReadLog>) => {
  let dataDir: string;
  let opened: ReadLog;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'slipstream-reader-'));
  });
  afterEach(async () => {
    await opened.close();
    await rm(dataDir, { recursive: true });
  });

  async function open(options: Partial<OpenOptions> = {}): Promise<ReadLog> {
    opened = await openLog({ dataDir, ...options });
    return opened;
  }

  function sampleOf(seed: number): SampleLog {
    const { didHashKey, lastTimeUs } = opened.reader;
    return new SampleLog(seededRandom(seed), { didHashKey, lastTimeUs });
  }

  async function append(sample: SampleLog, ...sizes: readonly number[]): Promise<void> {
    for (const size of sizes) await opened.append(sample.block(size));
    opened.catchUp();
  }

  test('an empty log has nothing, and says where its end is', async () => {
    const { reader, log } = await open();
    expect(reader.lastTimeUs).toBe(0);
    expect(reader.recentAfter(0)).toBeUndefined();
    expect(await reader.read(0, 'json', 1e6)).toEqual({ slices: [], throughUs: 0 });
    expect([...reader.didHashKey]).toEqual([...log.didHashKey]);
    expect(reader.didHashKey).toHaveLength(8);
  });

  test('what is appended is read from any position in both encodings, and again after reopening', async () => {
    await open();
    const sample = sampleOf(10);
    await append(sample, ...Array.from({ length: 40 }, (_, made) => 1 + (made % 7)));
    const { didHashKey } = opened.reader;
    for (const round of ['first', 'reopened']) {
      const { reader } = opened;
      for (const from of [0, 1, 50, sample.events.length - 1]) {
        const after = sample.events[from].time_us - 1;
        const expected = linesOf(sample.events.slice(from));
        expect(await textsAfter(reader, after, 'json', 1), round).toEqual(expected);
        expect(await textsAfter(reader, after, 'zstd', 300_000), round).toEqual(expected);
      }
      expect(reader.lastTimeUs).toBe(sample.events.at(-1)?.time_us);
      expect(reader.didHashKey).toEqual(didHashKey);
      expect(await reader.read(reader.lastTimeUs, 'json', 1e6)).toEqual({
        slices: [],
        throughUs: reader.lastTimeUs,
      });
      await opened.close();
      await open();
    }
  });

  test('memory has the newest blocks, and says when it does not know', async () => {
    const { reader } = await open({ tailBytesMax: 30_000 });
    const sample = sampleOf(11);
    await append(sample, ...Array.from({ length: 60 }, () => 3));
    const times = sample.events.map(({ time_us }) => time_us);
    const known = times.filter((timeUs) => reader.recentAfter(timeUs - 1) !== undefined);
    expect(known.length).toBeGreaterThan(0);
    expect(known.length).toBeLessThan(times.length);
    expect(known).toEqual(times.slice(-known.length));
    for (const timeUs of known) {
      const { index } = reader.recentAfter(timeUs - 1)!;
      expect(index.timeUs[firstEventAfter(index, timeUs - 1)]).toBe(timeUs);
    }
    expect(reader.recentAfter(reader.lastTimeUs)).toBeUndefined();
  });

  test('a read takes about the bytes it may', async () => {
    const { reader } = await open();
    const sample = sampleOf(12);
    await append(sample, ...Array.from({ length: 12 }, () => 256));
    const whole = (await reader.read(0, 'json', 1e9)).slices;
    const part = (await reader.read(0, 'json', 4 * 128 * 1024)).slices;
    expect(whole.length).toBe(12);
    expect(part.length).toBe(4);
    expect((await reader.read(0, 'json', 1)).slices.length).toBe(1);
  });

  test('events stay readable from the journal, through compaction and in the store', async () => {
    const { reader } = await open({ tailBytesMax: 1 });
    const sample = sampleOf(13);
    for (let made = 0; made < 400; made++) {
      await append(sample, made % 5);
      if (made % 40 === 0)
        expect(await textsAfter(reader, 0, made % 80 === 0 ? 'json' : 'zstd')).toEqual(
          linesOf(sample.events),
        );
    }
    await opened.close();
    await open();
    expect(await textsAfter(opened.reader, 0, 'zstd', 1e9)).toEqual(linesOf(sample.events));
  });

  test('with a filter, every wanted event is read, and blocks without one may be left out', async () => {
    const { reader, log } = await open();
    const random = seededRandom(14);
    const sample = new SampleLog(random, { didHashKey: log.didHashKey, textBytesMax: 10 });
    // A segment and some more, compacted from the journal at last.
    await append(sample, ...Array.from({ length: segmentBlocks + 8 }, () => 256), 1, 2, 3);
    const hasher = new DidHasher(log.didHashKey);
    const filters = Array.from({ length: 3 }, () => ({ ...randomFilter(random), maxMessageSizeBytes: 0 }));
    const rare = { ...passAll, collections: new Set(['com.example.none']) };
    const nobody = { ...passAll, dids: new Set(['did:plc:nobody']) };
    const read = new Map<Filter, number>();
    for (const filter of [...filters, rare, nobody]) {
      const selection = new Selection(filter, hasher);
      const texts: string[] = [];
      let events = 0;
      for (let timeUs = 0; timeUs < reader.lastTimeUs; ) {
        const { slices, throughUs } = await reader.read(timeUs, 'json', 1e6, selection.readFilter);
        for (const { index, messages } of slices) {
          const from = firstEventAfter(index, timeUs);
          const batch = selection.cut(index, { bytes: messages, ends: index.jsonEnd }, from, index.count);
          texts.push(...payloadsOf(batch.bytes, 0x81).map((payload) => `${Buffer.from(payload)}`));
          events += index.count - from;
        }
        expect(throughUs).toBeGreaterThan(timeUs);
        timeUs = throughUs;
      }
      expect(texts).toEqual(linesOf(sample.events.filter((event) => matches(filter, event))));
      read.set(filter, events);
    }
    expect(read.get(rare)).toBeLessThan(sample.events.length / 2);
    expect(read.get(nobody)).toBeLessThan(sample.events.length / 10);
  });

  test('after a trim, reads go on at the oldest block that is left', async () => {
    const { reader, log } = await open();
    const sample = sampleOf(15);
    await append(sample, ...Array.from({ length: 20 }, () => 256));
    const cutUs = sample.events[10 * 256].time_us;
    const before = reader.read(0, 'json', 1e9);
    await log.trim(cutUs);
    opened.catchUp();
    const found = await before.then(({ slices, throughUs }) => ({ slices: slices.length, throughUs }));
    expect(found.throughUs).toBeGreaterThan(0);
    expect(await textsAfter(reader, 0)).toEqual(linesOf(sample.events.slice(10 * 256)));
    const first = await reader.read(0, 'json', 1);
    expect(first.slices[0].index.firstTimeUs).toBe(cutUs);
    // A reader that has everything before knows that it has missed nothing.
    const beforeUs = sample.events[10 * 256 - 1].time_us;
    expect(first.expiredUs).toBe(beforeUs);
    expect((await reader.read(beforeUs - 1, 'json', 1)).expiredUs).toBe(beforeUs);
    for (const timeUs of [beforeUs, cutUs])
      expect(await reader.read(timeUs, 'json', 1)).not.toHaveProperty('expiredUs');
  });

  test('what a trim has deleted is not read from memory either', async () => {
    const { reader, log } = await open({ tailBytesMax: 1e9 });
    const sample = sampleOf(19);
    await append(sample, ...Array.from({ length: 6 }, () => 256), 3, 3);
    const cutUs = sample.events[4 * 256].time_us;
    await log.trim(cutUs);
    opened.catchUp();
    expect(reader.recentAfter(0)).toBeUndefined();
    expect(reader.recentAfter(cutUs - 1)?.index.firstTimeUs).toBe(cutUs);
    // From when on there is everything, as clients are told: nothing older comes.
    expect(reader.oldestUs).toBeGreaterThan(sample.events[4 * 256 - 1].time_us);
    expect(await textsAfter(reader, 0)).toEqual(linesOf(sample.events.slice(4 * 256)));
  });

  test('a damaged part is refused by name, and only to those who ask for it', async () => {
    await open();
    const sample = sampleOf(16);
    await append(sample, 300);
    await opened.close();
    const raw = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'blocks'), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    const key = blockKey(sample.events[299].time_us, parts.json);
    const json = (await raw.get(key)) as Buffer;
    json[5] ^= 1;
    await raw.put(key, json);
    await raw.close();
    const { reader } = await open();
    await expect(reader.read(0, 'json', 1e6)).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
    expect((await reader.read(0, 'zstd', 1e6)).slices.length).toBe(1);
  });

  test('events from before a change of dictionary are compressed with the new one', async () => {
    await open();
    const sample = sampleOf(17);
    await append(sample, ...Array.from({ length: 60 }, () => 10));
    await opened.close();
    const compressor: typeof fakeCompressor = {
      dictionaryId: 8,
      compress(source, start, end, out) {
        out.bytes(Buffer.from('other dictionary:'));
        out.bytes(source, start, end);
      },
    };
    const { reader } = await open({ compressor });
    const texts: string[] = [];
    for (let timeUs = 0; timeUs < reader.lastTimeUs; ) {
      for (const { index, messages } of (await reader.read(timeUs, 'zstd', 1e6)).slices) {
        texts.push(...payloadsOf(messages, 0x82).map((payload) => `${Buffer.from(payload)}`));
        timeUs = index.lastTimeUs;
      }
    }
    expect(texts).toEqual(linesOf(sample.events).map((text) => `other dictionary:${text}`));
  });

  test('reads wait while the databases are closed and opened again', async () => {
    const { reader, log } = await open();
    const sample = sampleOf(18);
    await append(sample, ...Array.from({ length: 30 }, () => 20));
    const before = textsAfter(reader, 0);
    await log.recover();
    const during = textsAfter(reader, 0);
    await append(sample, 20);
    const lines = linesOf(sample.events);
    expect(await before).toEqual(lines.slice(0, 600));
    expect((await during).slice(0, 600)).toEqual(lines.slice(0, 600));
    expect(await textsAfter(reader, 0)).toEqual(lines);
  });

  test('a closed log refuses reads of what is stored by name', async () => {
    const { reader } = await open();
    await append(sampleOf(19), 300);
    await opened.closeReader();
    await expect(reader.read(0, 'json', 1e6)).rejects.toMatchObject({ code: 'LOG_READ_FAILED' });
    await opened.closeReader();
  });
});
