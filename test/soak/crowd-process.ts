// A process of its own for a crowd: as many clients as it is told, each for a while and each in its own way, then another in its
// place. Sends one message for each time that it has been asked, with what it did. Forked by crowd.ts.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { FrameCounter } from '../../bench/frame-counter.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { clientFrame } from '../http/raw-client.ts';

/** What crowd.ts sends: how many shall be there from now on. */
export interface CrowdRequest {
  readonly port: number;
  readonly seed: string;
  readonly clients: number;
  /** How long one stays, on average. */
  readonly staySeconds: number;
}

/** Since the process began, but for `clients`. */
export interface CrowdReport {
  /** That are connected and have been agreed to. */
  readonly clients: number;
  readonly opened: number;
  readonly messages: number;
  /** Closed by the daemon when they had been agreed to. */
  readonly ended: number;
  /** Refused, dropped, or never connected, by what they saw: an answer's status, or the name of an error. */
  readonly failed: Readonly<Record<string, number>>;
}

/** Of 127.0.0.0/8, so that none has more than a two-hundredth of the places. */
const addresses = 200;
const tickMs = 50;
/** Connections begun in a tick: a listener's queue holds 511. */
const opensPerTickMax = 100;
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const closeFrame = clientFrame(0x88, Buffer.from([0x03, 0xe8]));
const update = clientFrame(
  0x81,
  Buffer.from('{"type":"options_update","payload":{"wantedCollections":["none.such.other"]}}'),
);
const wsHeaders =
  'Host: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const rare = 'wantedCollections=app.bsky.graph.block';
const nothing = 'wantedKinds=commit&wantedCollections=none.such.name&wantedCollections=none.such.*';

const readBuffer = Buffer.allocUnsafeSlow(2 ** 18);
const counts = { opened: 0, messages: 0, ended: 0 };
const failed: Record<string, number> = {};
const clients = new Set<Client>();
let wanted: CrowdRequest | undefined;
let random = new SeededRandom('crowd', 'clients');

/** What one asks for: one of ten sees some events and the others none, one of twenty reads over HTTP, a third resumes. */
function request(): { text: string; isWebSocket: boolean } {
  const filter = random.int(10) === 0 ? rare : nothing;
  const cursor = random.int(3) === 0 ? `&cursor=${(Date.now() - 1 - random.int(20_000)) * 1000}` : '';
  if (random.int(20) === 0)
    return { text: `GET /events?${filter}${cursor} HTTP/1.1\r\nHost: test\r\n\r\n`, isWebSocket: false };
  const compress = random.int(2) === 0 ? '&compress=true' : '';
  return { text: `GET /subscribe?${filter}${cursor}${compress} HTTP/1.1\r\n${wsHeaders}`, isWebSocket: true };
}

class Client {
  readonly leavesMs: number;
  readonly #counter = new FrameCounter();
  readonly #socket: Socket;
  readonly #isWebSocket: boolean;
  #pongs = 0;
  #saw: string | undefined;
  isOpen = false;
  #isLeaving = false;

  constructor(port: number, stayMs: number) {
    // Exponential, so that at any moment there are some that have just come.
    this.leavesMs = performance.now() - Math.log(1 - random.float()) * stayMs;
    const { text, isWebSocket } = request();
    this.#isWebSocket = isWebSocket;
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.1.${1 + random.int(addresses)}`,
      onread: { buffer: readBuffer, callback: (length) => this.#read(length) },
    });
    this.#socket.on('connect', () => this.#socket.write(text, 'latin1'));
    this.#socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      this.#saw ??= code;
    });
    this.#socket.on('close', () => {
      clients.delete(this);
      if (this.#isLeaving) return;
      if (this.isOpen) counts.ended++;
      else failed[this.#saw ?? 'closed'] = (failed[this.#saw ?? 'closed'] ?? 0) + 1;
    });
    clients.add(this);
  }

  /** In one of the ways that clients have: goodbye, half shut, gone. */
  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    const way = random.int(3);
    if (way === 0 && this.#isWebSocket && this.isOpen) this.#socket.write(closeFrame);
    else if (way <= 1) this.#socket.end();
    else this.#socket.resetAndDestroy();
  }

  #read(length: number): boolean {
    let start = 0;
    if (!this.isOpen) {
      const head = readBuffer.toString('latin1', 0, Math.min(length, 4096));
      const end = head.indexOf('\r\n\r\n');
      this.#saw ??= /^HTTP\/1.1 (\d+)/.exec(head)?.[1];
      if (end < 0 || (this.#saw !== '101' && this.#saw !== '200')) return true;
      start = end + 4;
      this.isOpen = true;
      counts.opened++;
      if (this.#isWebSocket && random.int(10) === 0) this.#socket.write(update);
    }
    if (!this.#isWebSocket) return true;
    const before = this.#counter.messages;
    this.#counter.take(readBuffer, start, length);
    counts.messages += this.#counter.messages - before;
    for (; this.#pongs < this.#counter.pings; this.#pongs++) this.#socket.write(pong);
    if (this.#counter.closed) this.#socket.end();
    return true;
  }
}

process.on('message', (message: CrowdRequest | 'report') => {
  if (message === 'report') {
    const open = [...clients].filter(({ isOpen }) => isOpen).length;
    process.send?.({ clients: open, ...counts, failed } satisfies CrowdReport);
    return;
  }
  if (wanted === undefined) random = new SeededRandom(message.seed, 'clients');
  wanted = message;
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

for (;;) {
  await sleep(tickMs);
  if (wanted === undefined) continue;
  const nowMs = performance.now();
  let above = clients.size - wanted.clients;
  for (const client of clients) if (client.leavesMs < nowMs || above-- > 0) client.leave();
  const missing = Math.min(opensPerTickMax, wanted.clients - clients.size);
  for (let at = 0; at < missing; at++) new Client(wanted.port, wanted.staySeconds * 1000);
}
