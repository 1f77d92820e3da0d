// Clients that send without reading, and read without taking: what they make the daemon hold is bounded, whatever it is held as,
// and two subscribers see every event meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Attacker, handshake, reset } from './attackers.ts';
import { Target } from './target.ts';

const mebibyte = 2 ** 20;
/** Of requests, 990 KB each. */
const floodBytesMax = 100 * mebibyte;

let target: Target;
beforeAll(async () => {
  target = await Target.start(['--workers', '1']);
});
afterAll(async () => {
  await target.finish();
  await target[Symbol.asyncDispose]();
});

const get = (path: string, lines: readonly string[] = []): string =>
  `GET ${path} HTTP/1.1\r\n${['Host: test', ...lines].join('\r\n')}\r\n\r\n`;

/** Sends as fast as it is taken, until so many bytes are sent or the connection is gone. */
async function flood(attacker: Attacker, bytes: string, bytesMax: number): Promise<void> {
  const chunk = Buffer.from(bytes, 'latin1');
  for (let sent = 0; sent < bytesMax && !attacker.isClosed; sent += chunk.length) {
    if (attacker.write(chunk)) continue;
    // What nobody reads any more is not taken either.
    await Promise.race([
      new Promise((done) => attacker.socket.once('drain', done)),
      attacker.closed,
      sleep(3_000),
    ]);
    if (attacker.socket.writableLength > chunk.length * 2) return;
  }
}

describe.each([
  ['server-sent events', '/events?wantedKinds=identity'],
  ['a pull that is not read', '/events.ndjson?cursor=0&limit=1000000'],
])('requests behind %s', (_name, path) => {
  // It was 1,500 MiB of one connection, and stayed; of short ones 5 MiB for each of 100.
  it('that are long', () =>
    target.under(200 * mebibyte, async () => {
      const attackers = Array.from({ length: 5 }, () => new Attacker(target.port, get(path)));
      await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 200/)));
      if (path.includes('ndjson')) for (const { socket } of attackers) socket.pause();
      const request = get('/subscribe', [`X-A: ${'a'.repeat(990_000)}`]);
      await Promise.all(attackers.map((attacker) => flood(attacker, request, floodBytesMax)));
      reset(attackers);
    }));

  it('that are short, and many', () =>
    target.under(300 * mebibyte, async () => {
      const attackers = Array.from({ length: 100 }, () => new Attacker(target.port, get(path)));
      await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 200/)));
      if (path.includes('ndjson')) for (const { socket } of attackers) socket.pause();
      const requests = get('/subscribe').repeat(1_000);
      await Promise.all(attackers.map((attacker) => flood(attacker, requests, 4_000_000)));
      reset(attackers);
    }));
});

it('heads without an end, behind a stream, are no way around it', () =>
  target.under(200 * mebibyte, async () => {
    const attackers = Array.from(
      { length: 300 },
      () => new Attacker(target.port, get('/events?wantedKinds=identity')),
    );
    await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 200/)));
    const head = `GET /?${'a'.repeat(900_000)}`;
    await Promise.all(attackers.map((attacker) => flood(attacker, head, head.length)));
    reset(attackers);
  }));

// Of each the parser kept a copy of the URL, also of one that was gone: 360 MiB, of one that stayed twice as much.
it.each([
  ['that end in the middle', ''],
  ['that are answered, and stay', ' HTTP/1.1\r\nHost: test\r\n\r\n'],
])('long URLs, one after the other, on connections %s', (_name, rest) =>
  target.under(100 * mebibyte, async () => {
    const attackers = Array.from(
      { length: 400 },
      (_, at) => new Attacker(target.port, 'G', `127.0.0.${2 + (at % 100)}`),
    );
    await Promise.all(attackers.map(({ connected }) => connected));
    for (const attacker of attackers) {
      attacker.write(`ET /?${'a'.repeat(900_000)}${rest}`);
      if (rest === '') attacker.socket.end();
      await (rest === '' ? attacker.closed : attacker.receives(/^HTTP/));
    }
    reset(attackers);
  }),
);

it('replays that nobody reads hold what their sockets take, and no more', () =>
  target.under(250 * mebibyte, async () => {
    const attackers = Array.from({ length: 600 }, () => new Attacker(target.port, handshake('cursor=0')));
    for (const { socket } of attackers) socket.pause();
    await Promise.all(attackers.map(({ connected }) => connected));
    await sleep(2_000);
    reset(attackers);
  }));
