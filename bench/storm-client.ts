// Many subscribers who are cut off all at once and come back, each with its cursor, as a process: how long that takes, and whether each
// of them has had every event once in the end, by what one subscriber saw who wants everything and is never cut off. figure-storm.ts
// starts it, and says `storm` and `check` on its standard input.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** Connections opened at a time: a listener's queue has room for 511 as a rule. */
const connectsMax = 400;
const triesMax = 100;
const retryMs = 50;
const pong = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);
/** No event for so long: all have come. */
const quietMs = 3_000;
const [textMessage, pingMessage] = [1, 9];

/** One storm, in milliseconds from the cut to the handshake's answer. */
export interface StormResult {
  readonly p50Ms: number;
  readonly lastMs: number;
  /** Attempts that failed, and were made again. */
  readonly refused: number;
}

/** What subscribers had in the end, against what there was for them. */
export interface StormCheck {
  readonly events: number;
  readonly missing: number;
  readonly doubled: number;
}

/** Of everything that the witness saw, when, by account. */
const timesByDid = new Map<string, number[]>();
let newestUs = 0;
let newestAtMs = 0;

/** One subscriber over all its connections. */
class Subscriber {
  readonly times: number[] = [];
  readonly #url: URL;
  readonly #onEvent: ((did: string, timeUs: number) => void) | undefined;
  /** Where it begins if it has had nothing. */
  #sinceUs = 0;
  #socket: Socket | undefined;
  #left: Buffer = Buffer.alloc(0);

  constructor(url: URL, onEvent?: (did: string, timeUs: number) => void) {
    this.#url = url;
    this.#onEvent = onEvent;
  }

  get dids(): string[] {
    return this.#url.searchParams.getAll('wantedDids');
  }

  /** Resolves when the server has agreed. */
  open(isAgain: boolean): Promise<void> {
    const url = this.#url;
    // Not by its parameters: to write them anew would cost this process as much as the server takes to read them.
    const cursor = isAgain ? `&cursor=${(this.times.at(-1) ?? this.#sinceUs) + 1}` : '';
    if (!isAgain) this.#sinceUs = newestUs;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host: url.hostname, port: Number(url.port) });
    this.#socket = socket;
    this.#left = Buffer.alloc(0);
    let isOpen = false;
    socket.on('connect', () => {
      socket.write(
        `GET ${url.pathname}${url.search}${cursor} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      );
    });
    socket.on('data', (data: Buffer) => {
      if (socket !== this.#socket) return;
      this.#left = this.#left.length === 0 ? data : Buffer.concat([this.#left, data]);
      if (!isOpen) {
        const end = this.#left.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = this.#left.toString('latin1', 0, end);
        if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(`the server answered: ${head}`));
        isOpen = true;
        this.#left = this.#left.subarray(end + 4);
        resolve();
      }
      this.#read(socket);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed')));
    return promise;
  }

  cut(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.resetAndDestroy();
  }

  #read(socket: Socket): void {
    let at = 0;
    const bytes = this.#left;
    for (;;) {
      if (bytes.length < at + 2) break;
      const short = bytes[at + 1];
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length < at + head) break;
      const payload =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
      if (bytes.length < at + head + payload) break;
      const opcode = bytes[at] & 15;
      if (opcode === textMessage)
        this.#take(bytes.toString('latin1', at + head, at + head + Math.min(payload, 400)));
      else if (opcode === pingMessage) socket.write(pong);
      at += head + payload;
    }
    this.#left = bytes.subarray(at);
  }

  #take(start: string): void {
    const timeUs = Number(/"time_us":(\d+)/.exec(start)?.[1]);
    const did = /"did":"([^"]+)"/.exec(start)?.[1] ?? '';
    if (this.#onEvent === undefined) this.times.push(timeUs);
    else this.#onEvent(did, timeUs);
  }
}

/** Opens all, some at a time; who is refused or reset tries again, as clients do. Returns how often that was. */
async function openAll(
  subscribers: readonly Subscriber[],
  isAgain: boolean,
  opened: () => void,
): Promise<number> {
  const waiting = subscribers.values();
  let refused = 0;
  const openers = Array.from({ length: connectsMax }, async () => {
    for (const one of waiting) {
      for (let tries = 1; ; tries++) {
        try {
          await one.open(isAgain);
          break;
        } catch (error) {
          refused++;
          if (tries === triesMax) throw error;
          await delay(retryMs);
        }
      }
      opened();
    }
  });
  await Promise.all(openers);
  return refused;
}

/** Cuts all off at once, and lets them come back. */
async function storm(subscribers: readonly Subscriber[]): Promise<StormResult> {
  const startMs = performance.now();
  for (const one of subscribers) one.cut();
  const openedMs: number[] = [];
  const refused = await openAll(subscribers, true, () => openedMs.push(performance.now() - startMs));
  return { p50Ms: openedMs[openedMs.length >> 1], lastMs: openedMs[openedMs.length - 1], refused };
}

/** Call when nothing is published any more. */
async function check(subscribers: readonly Subscriber[]): Promise<StormCheck> {
  while (performance.now() - newestAtMs < quietMs) await delay(100);
  const result = { events: 0, missing: 0, doubled: 0 };
  for (const { times, dids } of subscribers) {
    const had = new Set(times);
    result.events += times.length;
    result.doubled += times.length - had.size;
    if (times.length === 0) continue;
    for (const did of new Set(dids))
      for (const timeUs of timesByDid.get(did) ?? [])
        if (timeUs >= times[0] && !had.has(timeUs)) result.missing++;
  }
  return result;
}

const { values } = parseArgs({ options: { url: { type: 'string' }, 'queries-file': { type: 'string' } } });
const url = new URL(values.url as string);
const witness = new Subscriber(url, (did, timeUs) => {
  newestUs = timeUs;
  newestAtMs = performance.now();
  const times = timesByDid.get(did);
  if (times === undefined) timesByDid.set(did, [timeUs]);
  else times.push(timeUs);
});
await witness.open(false);
while (newestUs === 0) await delay(10);
const queries = readFileSync(values['queries-file'] as string, 'utf8').split('\n');
const subscribers = queries.map((query) => new Subscriber(new URL(`?${query}`, url)));
await openAll(subscribers, false, () => {});
console.log('open');
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(line === 'storm' ? await storm(subscribers) : await check(subscribers)));
}
process.exit();
