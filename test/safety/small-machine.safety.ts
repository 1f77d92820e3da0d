// Strangers and a machine of 128 MB: whatever they send, at whatever rate, the process stays below its limit, and two subscribers see every
// event. The container is a made-up one, which ends nobody: what counts is the memory that was there.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { clientFrame } from '../http/raw-client.ts';
import { Attacker, closeOf, handshake, handshakeLines, reset } from './attackers.ts';
import { residentBytes, Target } from './target.ts';

const MiB = 2 ** 20;
/** 58 to 119 of it were seen, and 5 to 8 more are the kernel's: page tables, sockets. */
const containerBytes = 128 * MiB;
/** Each may have a part of what there is for all. */
const addresses = 20;

let target: Target;
const root = mkdtempSync(join(tmpdir(), 'slipstream-small-'));
beforeAll(async () => {
  const file = resolve(import.meta.dirname, 'container-preload.ts');
  writeFileSync(join(root, 'limit'), String(containerBytes));
  target = await Target.start([], { preloads: [{ file, env: { CONTAINER: root } }] });
});
afterAll(async () => {
  await target.finish();
  await target[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

/** Runs an attack, which may take what the container has. */
async function within(attack: () => Promise<readonly Attacker[]>): Promise<void> {
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(target.daemon.pid));
  }, 10);
  try {
    await target.under(containerBytes, async () => reset(await attack()));
  } finally {
    clearInterval(watch);
  }
  if (process.env.SAFETY_FIGURES)
    console.log(`${expect.getState().currentTestName}: ${Math.round(most / MiB)} MiB`);
  expect(most / MiB).toBeLessThan(containerBytes / MiB);
}

/** So many attackers, from a few addresses, each of which has sent `bytesOf`. */
function crowd(count: number, bytesOf: (at: number) => string | Uint8Array): Attacker[] {
  return Array.from(
    { length: count },
    (_, at) => new Attacker(target.port, bytesOf(at), `127.0.0.${2 + (at % addresses)}`),
  );
}

const isAnswered = (one: Attacker): Promise<unknown> =>
  Promise.race([one.closed, one.receives(/^HTTP\/1\.1 /)]);

/** The header of a text message of so many bytes, and all of it but the end. */
function unfinished(bytes: number): Buffer {
  const header = Buffer.from([0x81, 0xff, ...Array<number>(12).fill(0)]);
  header.writeUInt32BE(bytes, 6);
  return Buffer.concat([header, Buffer.alloc(bytes - 1_000, ' ')]);
}

/** A request with a body of so many bytes, of which the last are missing. */
function post(bytes: number): Buffer {
  const head = `POST /events HTTP/1.1\r\nHost: test\r\nContent-Length: ${bytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes - 1_000, ' ')]);
}

const dids = (count: number, of: number | string): string[] =>
  Array.from(
    { length: count },
    (_, at) => `did:plc:${of}x${String(at).padStart(20 - String(of).length, 'a')}`,
  );

it('messages that do not end', () =>
  within(async () => {
    const attackers = crowd(60, () => handshake());
    await Promise.all(attackers.map(isAnswered));
    for (const [at, one] of attackers.entries()) one.write(unfinished(at % 2 === 0 ? 1_000_000 : 10_000_000));
    const closes = ['1009 message too large', '1013 no room for this message: try again later'];
    await expect.poll(() => attackers.map(closeOf)).toEqual(expect.arrayContaining(closes));
    return attackers;
  }));

it('bodies that do not end', () =>
  within(async () => {
    const attackers = crowd(400, (at) => post(at % 2 === 0 ? 1_000_000 : 10_000_000));
    const statuses = (): Set<number> => new Set(attackers.map(({ status }) => status));
    await expect.poll(() => [413, 503].every((status) => statuses().has(status))).toBe(true);
    await sleep(2_000);
    return attackers;
  }));

it('heads that do not end', () =>
  within(async () => {
    const attackers = crowd(300, () => `GET /?${'a'.repeat(900_000)}`);
    await expect.poll(() => attackers.filter(({ isClosed }) => isClosed).length).toBeGreaterThan(100);
    return attackers;
  }));

// The newest request of a connection stays until the next one, and what comes of a URL until its head does: after 40 to 90 the process was
// out of heap, or twice as large as it may be.
const query = `x=${'a'.repeat(900_000)}`;
it.each([
  ['whose body is never there', `GET /?${query} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n`, ''],
  [
    'whose body comes behind the answer',
    `GET /?${query} HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n`,
    'hello',
  ],
  [
    'whose body is waited for',
    `POST /events?${query} HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n`,
    undefined,
  ],
  [
    'in a head that is refused, of clients that do not go',
    `GET /?${query} HTTP/1.1\r\nbad header\u0001\r\n\r\n`,
    'x',
  ],
])('long URLs of requests %s', (_name, head, rest) =>
  within(async () => {
    const attackers = crowd(150, () => '');
    for (const one of attackers) {
      one.socket.removeAllListeners('end');
      one.write(head);
      await (rest === undefined ? sleep(20) : isAnswered(one));
      if (rest !== undefined) one.write(rest);
    }
    return attackers;
  }),
);

it('filters as long as they may be', () =>
  within(async () => {
    const attackers = crowd(24, () => handshake());
    await Promise.all(attackers.map(isAnswered));
    for (let round = 0; round < 5; round++) {
      for (const [at, one] of attackers.entries()) {
        const payload = { wantedDids: dids(9_000, `${round}z${at}`) };
        one.write(clientFrame(0x81, JSON.stringify({ type: 'options_update', payload })));
      }
      await sleep(500);
    }
    return attackers;
  }));

it('all kinds of replays beside bodies, heads and messages', () =>
  within(async () => {
    const get = (path: string, lines: readonly string[] = ['Host: test']): string =>
      `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
    const second = '/xrpc/network.bsky.jetstream.subscribeEvents?cursor=1';
    const replays = [
      ...['', '&compress=true', '&zstdDictionary=37694'].map((query) => handshake(`cursor=1${query}`)),
      ...['', '&zstdDictionary=53328'].map((query) => get(`${second}${query}`, handshakeLines)),
      get('/events?cursor=1'),
      get('/events.ndjson?cursor=1&limit=1000000'),
    ];
    const all: Attacker[] = [];
    for (let round = 0; round < 40; round++) {
      const some = crowd(replays.length, (at) => replays[at]);
      for (const { socket } of some) if (round % 2 === 0) socket.pause();
      all.push(
        ...some,
        ...crowd(20, () => post(1_000_000)),
        ...crowd(20, () => `GET /?${'a'.repeat(900_000)}`),
      );
      const update = JSON.stringify({ type: 'options_update', payload: { wantedDids: dids(20_000, round) } });
      const frame = clientFrame(0x81, update);
      all.push(...crowd(20, () => Buffer.concat([Buffer.from(handshake()), frame])));
      await sleep(200);
    }
    return all;
  }));
