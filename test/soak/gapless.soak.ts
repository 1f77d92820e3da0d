// Hundreds of subscribers beside a live ingest: random filters, cursors, encodings, speeds, pauses, reconnects. Each must
// receive exactly what an oracle computes from the whole log, in order. The daemon and the relay are real processes.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { chooseCompressor } from '../../lib/codec/choose-compressor.ts';
import type { Compressor } from '../../lib/codec/compressor.ts';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { seededRandom } from '../support/events.ts';

const subscribersMax = Number(process.env.SOAK_SUBSCRIBERS ?? 300);
const seconds = Number(process.env.SOAK_SECONDS ?? 30);
const seed = Number(process.env.SOAK_SEED ?? 1);
/** Frames a second: some 5,000 events. */
const framesPerSecond = 4600;
const root = resolve(import.meta.dirname, '../..');

const children: ChildProcess[] = [];

/** Starts a command and resolves with the first match of `pattern` in what it prints. */
function start(args: readonly string[], pattern: RegExp): Promise<{ child: ChildProcess; found: string }> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return new Promise((done, fail) => {
    child.once('exit', (code) => fail(new Error(`${args[0]} ended with ${code}`)));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) done({ child, found });
    });
  });
}

interface Wish {
  readonly collections: readonly string[];
  readonly dids: readonly string[];
  readonly maxMessageSizeBytes: number;
}

interface Seen {
  readonly timeUs: number;
  readonly crc: number;
}

interface OracleEvent extends Seen {
  readonly did: string;
  readonly collection: string | undefined;
  readonly bytes: number;
}

function wanted({ collections, dids, maxMessageSizeBytes }: Wish, event: OracleEvent): boolean {
  const { collection } = event;
  if (collections.length > 0 && collection !== undefined) {
    const passes = (name: string): boolean =>
      name.endsWith('*') ? collection.startsWith(name.slice(0, -1)) : collection === name;
    if (!collections.some(passes)) return false;
  }
  if (dids.length > 0 && !dids.includes(event.did)) return false;
  return maxMessageSizeBytes === 0 || event.bytes <= maxMessageSizeBytes;
}

const timeField = Buffer.from('"time_us":');

function timeOf(json: Uint8Array): number {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.length);
  const at = bytes.indexOf(timeField) + timeField.length;
  return Number(bytes.toString('latin1', at, at + 16));
}

/** One subscriber over all its connections. */
class Subscriber {
  readonly seen: Seen[] = [];
  readonly wish: Wish;
  readonly compress: boolean;
  /** Cursor of the first connection: events from here on are its. */
  readonly fromUs: number;
  readonly #random: () => number;
  readonly #url: string;
  readonly #compressor: Compressor;
  #socket: WebSocket | undefined;
  #ending = false;

  constructor(url: string, wish: Wish, fromUs: number, random: () => number, compressor: Compressor) {
    this.#url = url;
    this.wish = wish;
    this.fromUs = fromUs;
    this.#random = random;
    this.#compressor = compressor;
    this.compress = random() < 0.5;
    this.#connect(fromUs);
    void this.#misbehave();
  }

  /** Position of the last event seen, or where it began. */
  get lastUs(): number {
    return this.seen.at(-1)?.timeUs ?? this.fromUs - 1;
  }

  stopMisbehaving(): void {
    this.#ending = true;
    if (this.#socket?.isPaused) this.#socket.resume();
  }

  close(): void {
    this.#socket?.removeAllListeners('close');
    this.#socket?.terminate();
  }

  #connect(cursor: number): void {
    const { collections, dids, maxMessageSizeBytes } = this.wish;
    const query = new URLSearchParams([
      ['cursor', `${cursor}`],
      ...collections.map((name) => ['wantedCollections', name]),
      ...dids.map((did) => ['wantedDids', did]),
      ...(maxMessageSizeBytes > 0 ? [['maxMessageSizeBytes', `${maxMessageSizeBytes}`]] : []),
      ...(this.compress ? [['compress', 'true']] : []),
    ]);
    const socket = new WebSocket(`${this.#url}?${query}`);
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (socket !== this.#socket) return;
      if (isBinary !== this.compress) throw new Error('the wrong kind of message');
      const json = this.compress ? this.#compressor.decompress(data, 4_000_000) : data;
      this.seen.push({ timeUs: timeOf(json), crc: crc32(json) });
    });
    // Cursors are inclusive: one after the last event leaves out nothing and repeats nothing.
    socket.on('close', () => socket === this.#socket && this.#connect(this.lastUs + 1));
    socket.on('error', () => undefined);
  }

  /** Pauses, and cuts its own connection, at random moments. */
  async #misbehave(): Promise<void> {
    while (!this.#ending) {
      await delay(200 + this.#random() * 4000);
      const socket = this.#socket;
      if (this.#ending || socket?.readyState !== WebSocket.OPEN) continue;
      if (this.#random() < 0.3) socket.terminate();
      else {
        socket.pause();
        await delay(this.#random() * 2500);
        socket.resume();
      }
    }
  }
}

function randomWish(random: () => number, oracle: readonly OracleEvent[]): Wish {
  const names = [
    'app.bsky.feed.like',
    'app.bsky.feed.post',
    'app.bsky.graph.*',
    'app.bsky.feed.*',
    'com.*',
    'app.bsky.actor.profile',
  ];
  const known = [...new Set(oracle.slice(-2000).map(({ did }) => did))];
  const kind = random();
  // A few take everything; most are narrow, as subscribers are, and so that this process keeps up.
  if (kind < 0.02) return { collections: [], dids: [], maxMessageSizeBytes: 0 };
  if (kind < 0.5) {
    return {
      collections: names
        .slice(2)
        .filter(() => random() < 0.3)
        .concat('x.y.z'),
      dids: [],
      maxMessageSizeBytes: 0,
    };
  }
  const dids = known.filter(() => random() < 0.03).concat('did:plc:zzzzzzzzzzzzzzzzzzzzzzzz');
  return {
    collections: random() < 0.5 ? [] : names.filter(() => random() < 0.5),
    dids,
    maxMessageSizeBytes: random() < 0.3 ? 300 + Math.floor(random() * 400) : 0,
  };
}

test(`${subscribersMax} subscribers get exactly their events beside 5,000 events/s (seed ${seed})`, async () => {
  const random = seededRandom(seed);
  const compressor = await chooseCompressor('auto', readDictionary(defaultDictionaryPath()), 3);
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-soak-'));
  const subscribers: Subscriber[] = [];
  const oracle: OracleEvent[] = [];
  try {
    const relay = await start(
      ['simulator/cmd/relay-sim.ts', '--pool', '2000', '--accounts', '100', '--rate', `${framesPerSecond}`],
      /^relay-sim listening (\S+)$/,
    );
    const flags = [
      '--data-dir',
      dataDir,
      '--listen-addr',
      '127.0.0.1:0',
      '--metrics-listen-addr',
      '127.0.0.1:0',
    ];
    const daemon = await start(
      ['cmd/slipstream.ts', '--ws-url', relay.found, ...flags],
      /"listen":"([^"]+)"/,
    );
    const url = `ws://${daemon.found}/subscribe`;
    const whole = new WebSocket(`${url}?cursor=0`);
    whole.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString());
      oracle.push({
        timeUs: event.time_us,
        crc: crc32(data),
        did: event.did,
        collection: event.commit?.collection,
        bytes: data.length,
      });
    });
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      await delay((seconds * 700) / subscribersMax);
      if (oracle.length === 0 || subscribers.length >= subscribersMax) continue;
      const at = Math.floor(random() * oracle.length);
      const fromUs = [1, oracle[at].timeUs, oracle[at].timeUs + 1, (oracle.at(-1) as OracleEvent).timeUs][
        Math.floor(random() * 4)
      ];
      subscribers.push(new Subscriber(url, randomWish(random, oracle), fromUs, random, compressor));
    }
    // The relay falls silent, but stays: now everyone can reach the end.
    relay.child.kill('SIGSTOP');
    for (const subscriber of subscribers) subscriber.stopMisbehaving();
    let length = -1;
    await expect
      .poll(
        () => {
          const isStill = length === oracle.length;
          length = oracle.length;
          return isStill;
        },
        { interval: 1000, timeout: 240_000 },
      )
      .toBe(true);
    for (const [at, subscriber] of subscribers.entries()) {
      const { wish, fromUs } = subscriber;
      const expected = oracle.filter((event) => event.timeUs >= fromUs && wanted(wish, event));
      await expect
        .poll(() => subscriber.seen.length, { timeout: 240_000 })
        .toBeGreaterThanOrEqual(expected.length);
      const hint = `subscriber ${at}, ${JSON.stringify(wish).slice(0, 200)}, from ${fromUs}, compress ${subscriber.compress}`;
      expect(subscriber.seen.length, hint).toBe(expected.length);
      const wrong = expected.findIndex(
        ({ timeUs, crc }, place) =>
          subscriber.seen[place].timeUs !== timeUs || subscriber.seen[place].crc !== crc,
      );
      expect(wrong, hint).toBe(-1);
    }
    const times = oracle.map(({ timeUs }) => timeUs);
    expect(times.every((timeUs, at) => at === 0 || timeUs > times[at - 1])).toBe(true);
    expect(oracle.length).toBeGreaterThan(seconds * 4000);
    const delivered = subscribers.reduce((sum, { seen }) => sum + seen.length, 0);
    console.log(
      `soak: ${oracle.length} events, ${subscribers.length} subscribers, ${delivered} deliveries compared`,
    );
  } finally {
    for (const subscriber of subscribers) subscriber.close();
    for (const child of children) {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
    }
    compressor.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
