// Tools of attackers: sockets that do what no client should, many at a time, and what became of each.

import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** One connection: what came back, and how it ended. It is gone when its test is over, so that no other pays for it. */
export class Attacker {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  /** Resolves when it is over, however. */
  readonly closed: Promise<void>;
  isClosed = false;
  #chunks: Buffer[] = [];

  /** @param from its address, of those that are this machine's. */
  constructor(port: number, first?: string | Uint8Array, from?: string) {
    const local = from === undefined ? {} : { localAddress: from };
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...local });
    this.socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.socket.on('error', () => {});
    this.socket.on('end', () => this.socket.end());
    this.connected = new Promise((done) => {
      this.socket.once('connect', done);
      this.socket.once('close', () => done());
    });
    this.closed = new Promise((done) => {
      this.socket.once('close', () => {
        this.isClosed = true;
        done();
      });
    });
    onTestFinished(() => void this.socket.destroy());
    if (first !== undefined) this.write(first);
  }

  write(bytes: string | Uint8Array): boolean {
    return (
      !this.socket.destroyed &&
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    );
  }

  /** Everything received, one character a byte. */
  get received(): string {
    this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0].toString('latin1');
  }

  /** The status of the first HTTP answer; 0 without one. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1] ?? 0);
  }

  /** Statuses of all HTTP answers. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  }

  /** Waits until `pattern` is among what was received; false when the connection ends before. */
  async receives(pattern: RegExp): Promise<boolean> {
    while (!pattern.test(this.received)) {
      if (this.isClosed) return false;
      await new Promise<void>((done) => {
        this.socket.once('data', () => done());
        this.socket.once('close', () => done());
      });
    }
    return true;
  }
}

export const handshakeLines = [
  'Host: test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** A handshake that is answered with 101; nothing matches the filter unless a query is given. */
export function handshake(
  query = 'wantedCollections=none.such.name&wantedKinds=commit',
  lines: readonly string[] = [],
): string {
  return `GET /subscribe?${query} HTTP/1.1\r\n${[...handshakeLines, ...lines].join('\r\n')}\r\n\r\n`;
}

/** Connects `count` attackers that have got past the handshake. */
export async function sessions(port: number, count: number, query?: string): Promise<Attacker[]> {
  const attackers = Array.from({ length: count }, () => new Attacker(port, handshake(query)));
  await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 101/)));
  return attackers;
}

/** The close frame at the end of what was received: `1008 reason`. */
export function closeOf({ received }: Attacker): string | undefined {
  for (let at = received.indexOf('\r\n\r\n') + 4; at + 4 <= received.length; ) {
    let length = received.charCodeAt(at + 1);
    let start = at + 2;
    if (length === 126) {
      length = (received.charCodeAt(at + 2) << 8) | received.charCodeAt(at + 3);
      start += 2;
    }
    if (received.charCodeAt(at) === 0x88) {
      const payload = received.slice(start, start + length);
      return `${(payload.charCodeAt(0) << 8) | payload.charCodeAt(1)} ${payload.slice(2)}`;
    }
    at = start + length;
  }
  return undefined;
}

/** Ends all, by a reset. */
export function reset(attackers: Iterable<Attacker>): void {
  for (const { socket } of attackers) socket.resetAndDestroy();
}
