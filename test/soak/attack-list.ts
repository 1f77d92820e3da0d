// The attacks of a soak: each goes on until it is told to stop, from several addresses of this machine, and leaves nothing behind.
// Used by attack-process.ts.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { Run } from '../fuzz/run.ts';
import { clientFrame } from '../http/raw-client.ts';

/** What an attack is given. */
export interface Field {
  readonly port: number;
  readonly random: SeededRandom;
  readonly isOver: () => boolean;
}

const handshakeEnd =
  'Host: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const nothing = 'wantedCollections=none.such.name&wantedKinds=commit';

function handshake(query = nothing): string {
  return `GET /subscribe?${query} HTTP/1.1\r\n${handshakeEnd}`;
}

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;
}

/** One connection from an address of its own choice. What comes is read and forgotten, unless it is not to be read. */
function open({ port }: Field, address: number, first: string, isRead = true): Socket {
  const localAddress = `127.0.1.${1 + (address % 250)}`;
  const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.once('connect', () => {
    socket.write(first, 'latin1');
    if (!isRead) socket.pause();
  });
  return socket;
}

function openMany(field: Field, count: number, first: string, isRead = true, addresses = 5): Socket[] {
  return Array.from({ length: count }, (_, at) => open(field, at % addresses, first, isRead));
}

function end(sockets: Iterable<Socket>): void {
  for (const socket of sockets) socket.resetAndDestroy();
}

/** Waits, and keeps as many connections as there were: those that the daemon has ended come again. */
async function hold(
  field: Field,
  sockets: Socket[],
  again: (at: number) => Socket,
  each?: (socket: Socket) => void,
): Promise<void> {
  while (!field.isOver()) {
    await sleep(100);
    for (const [at, socket] of sockets.entries()) {
      if (socket.destroyed) sockets[at] = again(at);
      else if (!socket.connecting) each?.(socket);
    }
  }
  end(sockets);
}

/** Holds connections that send the same again and again, as fast as they are read. */
function flood(field: Field, count: number, first: string, bytes: Buffer): Promise<void> {
  const again = (at: number): Socket => open(field, at, first);
  return hold(
    field,
    Array.from({ length: count }, (_, at) => again(at)),
    again,
    (socket) => {
      if (!socket.writableNeedDrain)
        while (!socket.destroyed && socket.write(bytes) && socket.writableLength < 4_000_000);
    },
  );
}

function update(dids: number, name: string): Buffer {
  const wantedDids = Array.from({ length: dids }, (_, at) => `did:web:${name}.${at}`);
  return clientFrame(0x81, JSON.stringify({ type: 'options_update', payload: { wantedDids } }));
}

/** See the file comment. */
export const attacks: Readonly<Record<string, (field: Field) => Promise<void>>> = {
  async 'requests piled up behind a stream'(field) {
    const large = Buffer.from(`GET /subscribe HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(990_000)}\r\n\r\n`);
    const small = Buffer.from(get('/subscribe').repeat(1000));
    await Promise.all([flood(field, 4, get('/events'), large), flood(field, 100, get('/events'), small)]);
  },

  async 'slow heads'(field) {
    const again = (at: number): Socket => open(field, at, 'GET /subscribe?');
    await hold(
      field,
      Array.from({ length: 1200 }, (_, at) => again(at)),
      again,
      (socket) => void socket.write('wantedDids=did:web:a&'),
    );
  },

  async 'bursts of handshakes'(field) {
    while (!field.isOver()) {
      const sockets = openMany(field, 3000, handshake(), true, 100);
      await sleep(field.random.between(1000, 3000));
      end(sockets);
      await sleep(field.random.between(200, 1500));
    }
  },

  async 'replays that match nothing'(field) {
    const again = (at: number): Socket => open(field, at % 5, handshake('cursor=1&maxMessageSizeBytes=1'));
    await hold(
      field,
      Array.from({ length: 300 }, (_, at) => again(at)),
      again,
    );
  },

  async 'large filters by turns'(field) {
    const updates = ['a', 'b'].map((name) => update(3000, name));
    const most = update(100_000, 'c');
    const again = (at: number): Socket => {
      const socket = open(field, at, handshake('requireHello=true'));
      socket.once('connect', () => socket.write(at < 4 ? most : updates[0]));
      return socket;
    };
    let turn = 0;
    await hold(
      field,
      Array.from({ length: 24 }, (_, at) => again(at)),
      again,
      (socket) => {
        if (field.random.chance(0.3) && !socket.writableNeedDrain) socket.write(updates[turn++ % 2]);
      },
    );
  },

  async 'messages of 10 MB'(field) {
    await flood(field, 4, handshake(), clientFrame(0x81, ' '.repeat(9_999_000)));
  },

  async 'clients that never read'(field) {
    const again = (at: number): Socket =>
      open(field, at % 5, handshake(at % 2 === 0 ? 'cursor=1' : 'cursor=1&compress=true'), false);
    await hold(
      field,
      Array.from({ length: 300 }, (_, at) => again(at)),
      again,
    );
  },

  async 'streams and pulls that nobody reads'(field) {
    const paths = ['/events?cursor=1', '/events.ndjson?cursor=1&limit=1000000'];
    const again = (at: number): Socket => open(field, at % 5, get(paths[at % 2]), false);
    await hold(
      field,
      Array.from({ length: 300 }, (_, at) => again(at)),
      again,
    );
  },

  async 'coming and going'(field) {
    const { random } = field;
    const firsts = [
      handshake(),
      handshake('cursor=1'),
      handshake('compress=true'),
      get('/events'),
      get('/events.ndjson?limit=10'),
      get('/status.json'),
      '',
    ];
    const again = (at: number): Socket => open(field, at, random.pick(firsts));
    const sockets = Array.from({ length: 2000 }, (_, at) => again(at));
    await hold(field, sockets, again, (socket) => {
      if (!random.chance(0.05)) return;
      if (random.chance(0.5)) socket.resetAndDestroy();
      else socket.end();
    });
  },

  async pings(field) {
    await flood(field, 20, handshake(), Buffer.concat(Array<Buffer>(200).fill(clientFrame(0x89, 'x'))));
  },

  async 'filters without an end'(field) {
    const chunk = `{"wantedDids":[${'"did:web:a",'.repeat(200_000)}`;
    const head = 'POST /events.ndjson?limit=1 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';
    const again = (at: number): Socket =>
      open(field, at, `${head}${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    await hold(
      field,
      Array.from({ length: 40 }, (_, at) => again(at)),
      again,
    );
  },

  async 'the fuzzer'(field) {
    // Under a flood of others nobody can say what is due: it is not judged here.
    const isJudged = false;
    const seed = field.random.text('abcdefghij', 8);
    await new Run(
      { seed, from: 0, count: undefined, seconds: 86_400, isJudged },
      field.port,
      field.isOver,
    ).all();
  },
};
