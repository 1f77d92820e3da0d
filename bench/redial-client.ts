// A crowd of subscribers to an account each, who come back with their cursor again and again, as clients do that take silence for a
// broken connection; and one reader of everything, by whom is known what each of them was to get. It says `open` when all are
// connected, then answers a line `count SECONDS` on its standard input with a line of JSON. figure-redial.ts starts it.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { WebSocket } from '../lib/websocket.ts';

/** What came of it. */
export interface RedialResult {
  readonly redials: number;
  /** Attempts that came to nothing, and were made again. */
  readonly retries: number;
  readonly events: number;
  /** Events that came twice, and that did not come. */
  readonly doubled: number;
  readonly lost: number;
  /** From an attempt to the open connection. */
  readonly dialP99Ms: number;
  readonly dialMaxMs: number;
  /** From when an event could be had, its time or the attempt if that was later, to its arrival. */
  readonly lateP99Ms: number;
  readonly lateMaxMs: number;
  /** Processor time of this process, as a share of one core. */
  readonly coreShare: number;
}

const connectsMax = 100;
const tickMs = 10;
const retryMs = 100;
/** After the end: for what is on its way. */
const settleMs = 10_000;
const positionPattern = /"(?:time_us|seq)":(\d+)/;
const didPattern = /"did":"([^"]+)"/;

const nowMs = (): number => performance.timeOrigin + performance.now();

class Subscriber {
  static readonly dialsMs: number[] = [];
  static readonly latesMs: number[] = [];
  static redials = 0;
  static retries = 0;
  doubled = 0;
  /** Times of what has come, in the order in which it did. */
  readonly times: number[] = [];
  readonly did: string;
  readonly #url: URL;
  #cursor: number;
  #socket: WebSocket | undefined;
  #isDialing = false;

  constructor(url: URL, name: string, did: string, startUs: number) {
    this.did = did;
    this.#url = new URL(url);
    this.#url.searchParams.append(name, did);
    this.#cursor = startUs;
  }

  /** Connects anew, in place of the connection that there is. */
  async dial(): Promise<void> {
    // Its handshake is counted when it is over.
    if (this.#isDialing) return;
    this.#isDialing = true;
    const old = this.#socket;
    if (old !== undefined) {
      Subscriber.redials++;
      old.removeAllListeners('message').removeAllListeners('close').close();
    }
    const startMs = nowMs();
    while (!(await this.#connect(startMs))) {
      Subscriber.retries++;
      await delay(retryMs);
    }
    Subscriber.dialsMs.push(nowMs() - startMs);
    this.#isDialing = false;
  }

  /** False when there is no connection. */
  #connect(startMs: number): Promise<boolean> {
    this.#url.searchParams.set('cursor', String(this.#cursor));
    const socket = new WebSocket(this.#url, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on('message', (data) => this.#take(data.toString(), startMs));
    return new Promise((resolve) => {
      socket.on('open', () => resolve(true));
      socket.on('error', () => resolve(false));
      // The server's doing: it comes back at once.
      socket.on('close', () => {
        if (this.#isDialing) return;
        Subscriber.retries++;
        void this.dial();
      });
    });
  }

  #take(text: string, dialMs: number): void {
    const timeUs = Number(positionPattern.exec(text)?.[1]);
    if (timeUs < this.#cursor) this.doubled++;
    this.#cursor = timeUs + 1;
    this.times.push(timeUs);
    Subscriber.latesMs.push(nowMs() - Math.max(timeUs / 1000, dialMs));
  }
}

/** Reads everything, and keeps the times of each account's events. */
async function readAll(url: URL, startUs: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  const at = new URL(url);
  at.searchParams.set('cursor', String(startUs));
  const socket = new WebSocket(at, { perMessageDeflate: false });
  socket.on('message', (data) => {
    const text = data.toString();
    const did = didPattern.exec(text)?.[1] ?? '';
    const known = times.get(did);
    const timeUs = Number(positionPattern.exec(text)?.[1]);
    if (known === undefined) times.set(did, [timeUs]);
    else known.push(timeUs);
  });
  await once(socket, 'open');
  return times;
}

function lostBy(
  { did, times }: Subscriber,
  all: ReadonlyMap<string, readonly number[]>,
  endUs: number,
): number {
  const came = new Set(times);
  return (all.get(did) ?? []).filter((timeUs) => timeUs <= endUs && !came.has(timeUs)).length;
}

/** The 99th percentile and the largest. */
function upper(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  return [sorted[Math.floor(sorted.length * 0.99)] ?? 0, sorted.at(-1) ?? 0];
}

/** Lets one after the other come back, each every `everyMs`, for a time. */
async function redial(crowd: readonly Subscriber[], everyMs: number, forMs: number): Promise<void> {
  const startMs = performance.now();
  for (let done = 0, passedMs = 0; passedMs < forMs; passedMs = performance.now() - startMs) {
    const due = Math.floor((passedMs / everyMs) * crowd.length);
    for (; done < due; done++) void crowd[done % crowd.length].dial();
    await delay(tickMs);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      parameter: { type: 'string' },
      'dids-file': { type: 'string' },
      'every-ms': { type: 'string' },
    },
  });
  const url = new URL(values.url as string);
  const startUs = Date.now() * 1000;
  const all = await readAll(url, startUs);
  const dids = readFileSync(values['dids-file'] as string, 'utf8').split('\n');
  const crowd = dids.map((did) => new Subscriber(url, values.parameter as string, did, startUs));
  for (let at = 0; at < crowd.length; at += connectsMax) {
    await Promise.all(crowd.slice(at, at + connectsMax).map((one) => one.dial()));
  }
  console.log('open');
  for await (const line of createInterface({ input: process.stdin })) {
    Subscriber.dialsMs.length = 0;
    Subscriber.latesMs.length = 0;
    const cpu = process.cpuUsage();
    const beginMs = performance.now();
    await redial(crowd, Number(values['every-ms']), Number(line.slice('count '.length)) * 1000);
    const { user, system } = process.cpuUsage(cpu);
    const coreShare = (user + system) / 1000 / (performance.now() - beginMs);
    const endUs = Date.now() * 1000;
    console.log('counted');
    await delay(settleMs);
    const sum = (read: (one: Subscriber) => number): number =>
      crowd.reduce((total, one) => total + read(one), 0);
    const [dialP99Ms, dialMaxMs] = upper(Subscriber.dialsMs);
    const [lateP99Ms, lateMaxMs] = upper(Subscriber.latesMs);
    const result: RedialResult = {
      redials: Subscriber.redials,
      retries: Subscriber.retries,
      events: Subscriber.latesMs.length,
      doubled: sum(({ doubled }) => doubled),
      lost: sum((one) => lostBy(one, all, endUs)),
      ...{ dialP99Ms, dialMaxMs, lateP99Ms, lateMaxMs, coreShare },
    };
    console.log(JSON.stringify(result));
  }
  process.exit();
}

await main();
