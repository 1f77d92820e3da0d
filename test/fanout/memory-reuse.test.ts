// Memory of messages is used again for those of later blocks, while sockets still have some of them: every client gets what it would
// without. What it is to get is told by parsing the stored events and writing them anew.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { BlockCache } from '../../lib/fanout/block-cache.ts';
import { type Encoding, NewestBlock, encodings as stored } from '../../lib/fanout/encodings.ts';
import { Fanout } from '../../lib/fanout/fanout.ts';
import type { Transport } from '../../lib/fanout/transport.ts';
import { v2Encodings } from '../../lib/fanout/v2-encodings.ts';
import type { BlockIndex } from '../../lib/log/block.ts';
import { BlockBuilder } from '../../lib/log/block-builder.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { addressTable } from '../support/addresses.ts';
import { fakeCompressor, payloadsOf, seededRandom, unfake } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';

const did = 'did:web:a.test';
const eventsPerBlock = 80;
const blocks = 60;

/** A client whose socket now takes everything at once, and now reads it later: from the memory that it was given. */
class LateReader implements Transport {
  readonly remoteAddress: string;
  readonly wantsProgress = false;
  readonly wantsGaps = false;
  readonly encoding: Encoding;
  readonly taken: Uint8Array[] = [];
  drained = (): void => {};
  /** Writes that were read later. */
  late = 0;
  readonly #waiting: Uint8Array[] = [];
  readonly #random: () => number;

  constructor(encoding: Encoding, random: () => number, remoteAddress: string) {
    this.encoding = encoding;
    this.#random = random;
    this.remoteAddress = remoteAddress;
  }

  get hasUnsent(): boolean {
    return this.#waiting.length > 0;
  }

  write(bytes: Uint8Array): boolean {
    // The first one always, however few writes there are.
    if (this.late > 0 && this.#waiting.length === 0 && this.#random() < 0.7) {
      this.taken.push(Uint8Array.from(bytes));
      return true;
    }
    this.late++;
    this.#waiting.push(bytes);
    const isFull = this.#waiting.length === 2;
    if (isFull) void this.#take();
    return !isFull;
  }

  async #take(): Promise<void> {
    for (let rounds = this.#random() * 20; rounds > 0; rounds--) await nextRound();
    this.flush();
    this.drained();
  }

  flush(): void {
    for (const bytes of this.#waiting.splice(0)) this.taken.push(Uint8Array.from(bytes));
  }

  get texts(): string[] {
    return this.taken.flatMap((bytes) =>
      this.encoding.compressed
        ? payloadsOf(bytes, 0x82).map(unfake)
        : payloadsOf(bytes, 0x81).map((payload) => Buffer.from(payload).toString()),
    );
  }

  progress(): void {}
  gap(): boolean {
    return true;
  }
  close(): void {}
}

/** Stores events of which none is like another, and says what they are on the second wire. */
class Writer {
  readonly seqs: number[] = [];
  readonly #builder: BlockBuilder;
  readonly #log: LevelLog;

  constructor(log: LevelLog) {
    this.#log = log;
    this.#builder = new BlockBuilder(new Clock(0), new DidHasher(log.didHashKey), new Map());
  }

  async append() {
    this.seqs.push(...fill(this.#builder));
    const block = this.#builder.seal(fakeCompressor);
    await this.#log.append(block);
    return block;
  }
}

/** Puts a block's events into a builder, and returns their times. */
function fill(builder: BlockBuilder): number[] {
  const source = Buffer.from(`${did}a.b.c/1`);
  return Array.from({ length: eventsPerBlock }, () => {
    const time_us = builder.begin();
    const commit = { rev: '3kaaaaaaaaaa2', operation: 'delete', collection: 'a.b.c', rkey: '1' };
    const text = `${time_us}`.repeat((time_us % 7) * 20);
    const event = { did, time_us, kind: 'commit', commit: { ...commit, text } };
    builder.writer.ascii(JSON.stringify(event));
    builder.end(eventKinds.commit, operations.delete, source, 0, 14, 14, 19, source.length, false);
    return time_us;
  });
}

/** Of the text of an event on either wire: its time, if the rest of it is what belongs to that. */
function seqOf(message: string): number {
  const event = JSON.parse(message);
  const seq: number = event.payload?.seq ?? event.time_us;
  const { text } = event.payload ?? event.commit;
  expect(text).toBe(`${seq}`.repeat((seq % 7) * 20));
  expect((event.payload ?? event).did).toBe(did);
  if (event.payload !== undefined) {
    const milliseconds = new Date(Math.floor(seq / 1000)).toISOString().slice(0, 23);
    expect(event.payload.time.slice(0, 23)).toBe(milliseconds);
  }
  return seq;
}

it('who reads late gets what was written, beside others that make the same memory be used', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-reuse-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 1_000_000,
    fsync: false,
    compressor: fakeCompressor,
  });
  onTestFinished(() => log.close());
  const writer = new Writer(log);
  for (let block = 0; block < blocks; block++) await writer.append();
  const { json, byId } = v2Encodings(
    new Map([[9, () => ({ ...fakeCompressor, dictionaryId: 9, close() {} })]]),
    // Room for a few blocks.
    { json: 600_000, zstd: 600_000 },
  );
  const fanout = new Fanout(log, addressTable(), (error) => expect.unreachable(String(error)));
  const random = seededRandom(5);
  const encodings = [
    json,
    byId.get(9)!,
    json,
    byId.get(9)!,
    stored.json,
    stored.json,
    json,
    json,
    stored.json,
  ];
  const clients = encodings.map((encoding, at) => new LateReader(encoding, random, `192.0.2.${at}`));
  for (const [at, client] of clients.entries()) {
    const subscription = fanout.subscribe(client, passAll, at < 6 ? 0 : writer.seqs[at * 500]);
    client.drained = () => subscription.drained();
    await nextRound();
  }
  // Some of it is published while they read.
  for (let block = 0; block < 10; block++) {
    fanout.publish([await writer.append()]);
    await nextRound();
  }
  await expect.poll(() => fanout.stats().live).toBe(clients.length);
  for (const [at, client] of clients.entries()) {
    client.flush();
    expect(client.late).toBeGreaterThan(0);
    const from = at < 6 ? 0 : at * 500 + 1;
    expect(client.texts.map(seqOf)).toEqual(writer.seqs.slice(from));
  }
});

it('the newest block stays as it is, whatever is made beside it', () => {
  const { json } = v2Encodings(new Map(), { json: 600_000, zstd: 1 });
  const builder = new BlockBuilder(new Clock(0), new DidHasher(new Uint8Array(8)), new Map());
  const [newest, ...others] = Array.from({ length: 12 }, () => {
    fill(builder);
    return builder.seal(fakeCompressor);
  });
  const kept = new NewestBlock();
  kept.set(newest);
  const { bytes } = kept.encode(newest, json);
  const before = Uint8Array.from(bytes);
  for (const block of others) kept.encode(block, json);
  expect(kept.encode(newest, json).bytes).toBe(bytes);
  expect(Buffer.compare(bytes, before)).toBe(0);
});

describe('a cache', () => {
  const mib = 1024 * 1024;
  const indexOf = (timeUs: number) =>
    ({ count: 100, timeUs: Float64Array.from({ length: 100 }, (_, at) => timeUs + at) }) as BlockIndex;

  /** Blocks of a third of a mebibyte, by their first time. */
  function cacheOf(bytesMax: number) {
    const memory: Buffer[] = [];
    const made: number[] = [];
    const cache = new BlockCache(({ timeUs }, _json, take) => {
      const piece = take(mib / 3);
      memory.push(piece);
      made.push(timeUs[0]);
      return { bytes: piece.subarray(0, mib / 3), ends: Uint32Array.of(mib / 3) };
    }, bytesMax);
    const get = (timeUs: number, isBrief: boolean) => cache.get(indexOf(timeUs), new Uint8Array(0), isBrief);
    return { cache, get, memory, made };
  }

  it('uses memory again that nobody holds, and no other', () => {
    const { get, memory } = cacheOf(16 * mib);
    get(0, true);
    get(1000, true).isHeld = true;
    get(2000, false);
    for (let at = 3; at < 9; at++) get(at * 1000, true);
    expect(memory.lastIndexOf(memory[0])).toBeGreaterThan(0);
    expect(memory.lastIndexOf(memory[1])).toBe(1);
    expect(memory.lastIndexOf(memory[2])).toBe(2);
  });

  it('does not use what somebody else asked for meanwhile and keeps', () => {
    const { get, memory } = cacheOf(16 * mib);
    get(0, true);
    get(0, false);
    for (let at = 1; at < 9; at++) get(at * 1000, true);
    expect(memory.lastIndexOf(memory[0])).toBe(0);
  });

  it('keeps few blocks that have nothing for this encoding', () => {
    const cache = new BlockCache((_index, _json, take) => ({ bytes: take(0), ends: Uint32Array.of(0) }), mib);
    for (let at = 0; at < 1_000; at++) cache.get(indexOf(at * 1000), new Uint8Array(0), true);
    const kept = Array.from({ length: 1_000 }, (_, at) => cache.known(indexOf(at * 1000)));
    expect(kept.filter((messages) => messages !== undefined).length).toBeLessThanOrEqual(64);
  });

  it('keeps little while nothing is read twice, all that it may from then on, and little again after a while', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { cache, get, made } = cacheOf(16 * mib);
    const readAll = () => {
      made.length = 0;
      for (let at = 0; at < 20; at++) get(at * 1000, true);
      return made.length;
    };
    expect(readAll()).toBe(20);
    expect(cache.known(indexOf(0))).toBeUndefined();
    expect(cache.known(indexOf(19_000))).toBeDefined();
    readAll();
    expect(readAll()).toBe(0);
    vi.advanceTimersByTime(61_000);
    expect([readAll(), readAll(), readAll()]).toEqual([20, 18, 0]);
  });
});
