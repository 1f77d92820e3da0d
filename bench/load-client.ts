// The load generator: one process, many raw connections, bytes read and frame headers counted; or one connection whose
// events are measured for how late they are. It says `open` when the server has agreed to all, then answers each line
// `count SECONDS` on its standard input with a line of JSON, and ends with its input. load.ts starts it.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FrameCounter } from './frame-counter.ts';
import { LatencyProbe } from './latency-probe.ts';

/** Big enough that the kernel's socket buffer is emptied in a few reads. */
const readBytes = 1024 * 1024;
/** Shared by all connections: what is read is counted before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(readBytes);
/** Connections opened at a time: a listener's queue has room for 511 as a rule. */
const connectsMax = 100;
/** Of a client, so masked; what a ping said is not repeated. */
const pong = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);

/** What was received, over all connections. */
export interface LoadResult {
  readonly messages: number;
  readonly bytes: number;
  /** Replays: from the request to the last message, summed. Live: how long was counted. */
  readonly seconds: number;
  /** Processor time that the load generator took, as a share of one core. */
  readonly coreShare: number;
  /** Connections that the server has ended before they had what they wanted, since the start. */
  readonly ended: number;
}

/** When a subscription stops to read. */
interface ReadLimits {
  /** Closes when that many messages have come. */
  readonly messagesMax?: number;
  /** Reads the server's answer and nothing after it. */
  readonly stalled?: boolean;
}

/** One subscription, counted. */
class Subscription {
  readonly counter = new FrameCounter();
  bytes = 0;
  /** The server has agreed; rejects when it refuses. */
  readonly open: Promise<void>;
  readonly closed: Promise<void>;
  isClosed = false;
  readonly #socket: Socket;
  #isOpen = false;
  #pongs = 0;
  readonly #messagesMax: number;
  readonly #stalled: boolean;
  readonly #opened = Promise.withResolvers<void>();

  constructor(url: URL, { messagesMax = Number.POSITIVE_INFINITY, stalled = false }: ReadLimits) {
    this.#messagesMax = messagesMax;
    this.#stalled = stalled;
    this.open = this.#opened.promise;
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port),
      onread: { buffer: readBuffer, callback: (length) => this.#read(length) },
    });
    this.#socket.on('connect', () => {
      this.#socket.write(
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      );
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.isClosed = true;
        this.#opened.reject(new Error('the server closed before it answered'));
        resolve();
      });
    });
    this.#socket.on('error', this.#opened.reject);
  }

  /** All messages that it wants have come. */
  get isDone(): boolean {
    return this.counter.messages >= this.#messagesMax;
  }

  #read(length: number): boolean {
    let start = 0;
    if (!this.#isOpen) {
      // The answer's head comes in one piece on a local connection.
      const head = readBuffer.toString('latin1', 0, Math.min(length, 4096));
      start = head.indexOf('\r\n\r\n') + 4;
      if (start < 4 || !head.startsWith('HTTP/1.1 101')) {
        this.#opened.reject(new Error(`the server answered: ${head}`));
        this.#socket.destroy();
        return false;
      }
      this.#isOpen = true;
      this.#opened.resolve();
    }
    this.counter.take(readBuffer, start, length);
    this.bytes += length - start;
    for (; this.#pongs < this.counter.pings; this.#pongs++) this.#socket.write(pong);
    if (this.isDone || this.counter.closed) this.#socket.destroy();
    return !this.#stalled;
  }
}

/** How much of a core this process has taken; call the result for the share since then. */
function coreShareFromNow(): () => number {
  const before = process.cpuUsage();
  const startMs = performance.now();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / (performance.now() - startMs);
  };
}

/** Has `readers` at once read `messages` events each, `repeat` times one after the other. */
async function runReplay(url: URL, messages: number, repeat: number, readers: number): Promise<LoadResult> {
  const coreShare = coreShareFromNow();
  let bytes = 0;
  let received = 0;
  let milliseconds = 0;
  for (let run = 0; run < repeat; run++) {
    const startMs = performance.now();
    const all = Array.from({ length: readers }, () => new Subscription(url, { messagesMax: messages }));
    await Promise.all(all.map(({ open }) => open));
    await Promise.all(all.map(({ closed }) => closed));
    milliseconds += performance.now() - startMs;
    for (const { counter, bytes: read } of all) {
      received += counter.messages;
      bytes += read;
      if (counter.messages < messages) throw new Error(`only ${counter.messages} of ${messages} events`);
    }
  }
  return { messages: received, bytes, seconds: milliseconds / 1000, coreShare: coreShare(), ended: 0 };
}

/** Opens a subscription for each of the URLs, some at a time. */
async function openAll(urls: readonly URL[], limits: ReadLimits): Promise<Subscription[]> {
  const subscriptions: Subscription[] = [];
  for (let at = 0; at < urls.length; at += connectsMax) {
    const batch = urls.slice(at, at + connectsMax).map((url) => new Subscription(url, limits));
    await Promise.all(batch.map(({ open }) => open));
    subscriptions.push(...batch);
  }
  return subscriptions;
}

/** Opens `one` anew each time it is done; those that are done stay in the crowd. */
async function repeatIn(
  crowd: Subscription[],
  one: Subscription,
  url: URL,
  limits: ReadLimits,
): Promise<void> {
  for (let current = one; ; crowd.push(current)) {
    await current.closed;
    if (!current.isDone) return;
    current = new Subscription(url, limits);
    await current.open;
  }
}

/** What a crowd receives within `seconds`. */
async function countCrowd(crowd: readonly Subscription[], seconds: number): Promise<LoadResult> {
  const sum = (read: (one: Subscription) => number): number =>
    crowd.reduce((total, one) => total + read(one), 0);
  const startMs = performance.now();
  const coreShare = coreShareFromNow();
  const before = { messages: sum((one) => one.counter.messages), bytes: sum((one) => one.bytes) };
  await delay(seconds * 1000);
  return {
    messages: sum((one) => one.counter.messages) - before.messages,
    bytes: sum((one) => one.bytes) - before.bytes,
    seconds: (performance.now() - startMs) / 1000,
    coreShare: coreShare(),
    ended: sum((one) => Number(one.isClosed && !one.isDone)),
  };
}

/** A subscription's URL for each line of a file of queries, or `connections` times the same one. */
function urlsOf(url: URL, connections: number, queriesFile: string | undefined): URL[] {
  if (queriesFile === undefined) return Array.from({ length: connections }, () => url);
  const queries = readFileSync(queriesFile, 'utf8').split('\n');
  return queries.map((query) => new URL(`?${query}`, url));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      messages: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      connections: { type: 'string', default: '1' },
      'queries-file': { type: 'string' },
      stalled: { type: 'boolean', default: false },
      'again-after': { type: 'string' },
      latency: { type: 'boolean', default: false },
    },
  });
  const url = new URL(values.url as string);
  if (values.messages !== undefined) {
    const { messages, repeat, connections } = values;
    const result = await runReplay(url, Number(messages), Number(repeat), Number(connections));
    console.log(JSON.stringify(result));
    return;
  }
  const probe = values.latency ? await LatencyProbe.open(url) : undefined;
  const urls = probe ? [] : urlsOf(url, Number(values.connections), values['queries-file']);
  const againAfter = values['again-after'];
  const limits = { stalled: values.stalled, ...(againAfter && { messagesMax: Number(againAfter) }) };
  const crowd = await openAll(urls, limits);
  for (const [at, one] of [...crowd.entries()]) void repeatIn(crowd, one, urls[at], limits);
  console.log('open');
  for await (const line of createInterface({ input: process.stdin })) {
    const seconds = Number(line.slice('count '.length));
    console.log(JSON.stringify(await (probe ? probe.count(seconds) : countCrowd(crowd, seconds))));
  }
  process.exit();
}

await main();
