// Plain sockets for tests that look at bytes: one HTTP exchange as text, and WebSocket frames made by hand.

import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** An HTTP answer; header names in lower case, in order. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Sends `text` (latin1) and reads until the server closes. */
export function exchange(port: number, text: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(chunks).toString())));
  });
}

/** A socket that has sent `text` (latin1), and what came back; destroyed after the test. */
export function sent(
  port: number,
  text: string,
): { socket: Socket; received: () => string; closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'));
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => {});
  return {
    socket,
    received: () => received,
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
  };
}

/** A request head that asks for the end of the connection after the answer. */
export function head(requestLine: string, headers: readonly string[] = []): string {
  return `${[`${requestLine} HTTP/1.1`, 'Host: test', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`;
}

export const handshakeHeaders: Readonly<Record<string, string>> = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** A handshake; an override of undefined leaves the header out. */
export function handshake(target: string, overrides: Record<string, string | undefined> = {}): string {
  const lines = Object.entries({ Host: 'test', ...handshakeHeaders, ...overrides })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

export function parseAnswer(text: string): Answer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine, ...lines] = text.slice(0, end).split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) };
}

/** The headers that say something, without those of the transport, sorted. */
export function telling({ headers }: Answer): string[] {
  const transport = ['date', 'connection', 'keep-alive', 'content-length'];
  return headers
    .filter(([name]) => !transport.includes(name))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();
}

/** A frame as a client sends it, masked with zeros unless `mask` is false. */
export function clientFrame(firstByte: number, payload: string | Uint8Array, mask = true): Buffer {
  const body = Buffer.from(payload as Uint8Array);
  const length = body.length;
  const size =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  if (mask) size[0] |= 0x80;
  return Buffer.concat([Buffer.from([firstByte, ...size, ...(mask ? [0, 0, 0, 0] : [])]), body]);
}

/** A frame from the server. */
export interface ServerFrame {
  readonly firstByte: number;
  readonly payload: Buffer;
}

/** A WebSocket spoken by hand: nothing is answered by itself. */
export class RawWebSocket {
  readonly socket: Socket;
  /** The answer to the handshake. */
  answer: Answer | undefined;
  readonly frames: ServerFrame[] = [];
  closed = false;
  #bytes = Buffer.alloc(0);

  constructor(port: number, request: string) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
      this.socket.write(request, 'latin1'),
    );
    this.socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.socket.on('error', () => {});
    this.socket.on('end', () => this.socket.end());
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  send(firstByte: number, payload: string | Uint8Array, mask = true): void {
    this.socket.write(clientFrame(firstByte, payload, mask));
  }

  /** The close frame received, if one was: code and reason. */
  get closeFrame(): { code: number | undefined; reason: string } | undefined {
    const frame = this.frames.find(({ firstByte }) => firstByte === 0x88);
    if (frame === undefined) return undefined;
    const { payload } = frame;
    return {
      code: payload.length >= 2 ? payload.readUInt16BE(0) : undefined,
      reason: payload.subarray(2).toString(),
    };
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.answer === undefined) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.answer = parseAnswer(this.#bytes.subarray(0, end + 4).toString());
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    for (;;) {
      const bytes = this.#bytes;
      if (bytes.length < 2) return;
      let start = 2;
      let length = bytes[1];
      if (length === 126) {
        if (bytes.length < 4) return;
        start = 4;
        length = bytes.readUInt16BE(2);
      } else if (length === 127) {
        if (bytes.length < 10) return;
        start = 10;
        length = Number(bytes.readBigUInt64BE(2));
      }
      if (bytes.length < start + length) return;
      this.frames.push({ firstByte: bytes[0], payload: bytes.subarray(start, start + length) });
      this.#bytes = bytes.subarray(start + length);
    }
  }
}
