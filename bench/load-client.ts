// The load generator: one process, many raw connections, bytes read and frame headers counted; or one connection whose
// events are looked at, for how late they are. It prints JSON lines; servers.ts and figure-fanout.ts start it.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from '../lib/socket/websocket.ts';
import { FrameCounter } from './frame-counter.ts';

/** Big enough that the kernel's socket buffer is emptied in a few reads. */
const readBytes = 1024 * 1024;
/** Shared by all connections: what is read is counted before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(readBytes);
/** Connections opened at a time. */
const connectsMax = 100;

/** What was received, over all connections. */
export interface LoadResult {
  readonly messages: number;
  readonly bytes: number;
  /** Replays: from the request to the last message, summed. Live: how long was counted. */
  readonly seconds: number;
}

/**
 * How late live events came, in milliseconds: from their `time_us`, in which a millisecond is cut to its start, to their
 * arrival as text.
 */
export interface LatencyResult {
  readonly messages: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** One subscription, counted. */
class Subscription {
  readonly counter = new FrameCounter();
  bytes = 0;
  /** The server has agreed; rejects when it refuses. */
  readonly open: Promise<void>;
  readonly closed: Promise<void>;
  readonly socket: Socket;
  #isOpen = false;
  readonly #messagesMax: number;
  readonly #opened = Promise.withResolvers<void>();

  /** @param messagesMax closes when that many have come. */
  constructor(url: URL, messagesMax: number) {
    this.#messagesMax = messagesMax;
    this.open = this.#opened.promise;
    this.socket = connect({
      host: url.hostname,
      port: Number(url.port),
      onread: { buffer: readBuffer, callback: (length) => this.#read(length) },
    });
    this.socket.on('connect', () => {
      this.socket.write(
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      );
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.#opened.reject(new Error('the server closed before it answered'));
        resolve();
      });
    });
    this.socket.on('error', this.#opened.reject);
  }

  #read(length: number): boolean {
    let start = 0;
    if (!this.#isOpen) {
      // The answer's head comes in one piece on a local connection.
      const head = readBuffer.toString('latin1', 0, Math.min(length, 4096));
      start = head.indexOf('\r\n\r\n') + 4;
      if (start < 4 || !head.startsWith('HTTP/1.1 101')) {
        this.#opened.reject(new Error(`the server answered: ${head}`));
        this.socket.destroy();
        return false;
      }
      this.#isOpen = true;
      this.#opened.resolve();
    }
    this.counter.take(readBuffer, start, length);
    this.bytes += length - start;
    if (this.counter.messages >= this.#messagesMax || this.counter.closed) this.socket.destroy();
    return true;
  }
}

/** Reads `messages` events, `repeat` times one after the other. */
async function runReplay(url: URL, messages: number, repeat: number): Promise<LoadResult> {
  let bytes = 0;
  let received = 0;
  let milliseconds = 0;
  for (let run = 0; run < repeat; run++) {
    const startMs = performance.now();
    const subscription = new Subscription(url, messages);
    await subscription.open;
    await subscription.closed;
    milliseconds += performance.now() - startMs;
    received += subscription.counter.messages;
    bytes += subscription.bytes;
    if (subscription.counter.messages < messages) throw new Error(`only ${received} of ${messages} events`);
  }
  return { messages: received, bytes, seconds: milliseconds / 1000 };
}

/** Reads on many connections, and counts for `seconds` once all are open and have run for `warmupSeconds`. */
async function runLive(
  url: URL,
  connections: number,
  warmupSeconds: number,
  seconds: number,
): Promise<LoadResult> {
  const subscriptions: Subscription[] = [];
  while (subscriptions.length < connections) {
    const count = Math.min(connectsMax, connections - subscriptions.length);
    const batch = Array.from({ length: count }, () => new Subscription(url, Infinity));
    await Promise.all(batch.map(({ open }) => open));
    subscriptions.push(...batch);
  }
  const sum = (read: (one: Subscription) => number): number =>
    subscriptions.reduce((total, one) => total + read(one), 0);
  await delay(warmupSeconds * 1000);
  console.log('counting');
  const startMs = performance.now();
  const before = { messages: sum((one) => one.counter.messages), bytes: sum((one) => one.bytes) };
  await delay(seconds * 1000);
  const result = {
    messages: sum((one) => one.counter.messages) - before.messages,
    bytes: sum((one) => one.bytes) - before.bytes,
    seconds: (performance.now() - startMs) / 1000,
  };
  for (const { socket } of subscriptions) socket.destroy();
  return result;
}

/** Looks at the `time_us` of every event that comes within `seconds`, after `warmupSeconds`. */
async function runLatency(url: URL, warmupSeconds: number, seconds: number): Promise<LatencyResult> {
  const latenciesMs: number[] = [];
  let counting = false;
  const socket = new WebSocket(url);
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  socket.on('message', (data) => {
    if (!counting) return;
    const timeUs = /"time_us":(\d+)/.exec(data.toString())?.[1];
    latenciesMs.push(performance.timeOrigin + performance.now() - Number(timeUs) / 1000);
  });
  await Promise.race([once(socket, 'open'), failed]);
  await Promise.race([delay(warmupSeconds * 1000), failed]);
  counting = true;
  await Promise.race([delay(seconds * 1000), failed]);
  socket.terminate();
  latenciesMs.sort((a, b) => a - b);
  const quantile = (share: number): number =>
    latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  return { messages: latenciesMs.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      messages: { type: 'string' },
      repeat: { type: 'string', default: '1' },
      connections: { type: 'string', default: '1' },
      'warmup-seconds': { type: 'string', default: '1' },
      seconds: { type: 'string' },
      latency: { type: 'boolean', default: false },
    },
  });
  const url = new URL(values.url as string);
  const [warmup, seconds] = [Number(values['warmup-seconds']), Number(values.seconds)];
  const result = values.latency
    ? await runLatency(url, warmup, seconds)
    : values.messages !== undefined
      ? await runReplay(url, Number(values.messages), Number(values.repeat))
      : await runLive(url, Number(values.connections), warmup, seconds);
  console.log(JSON.stringify(result));
}
