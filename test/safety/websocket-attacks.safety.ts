// Clients that have got past the handshake and attack from there, against a daemon that goes on serving two subscribers
// at rate. Each test says how much memory its attack may cost, and what answer it gets.

import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientFrame } from '../http/raw-client.ts';
import { seededRandom } from '../support/events.ts';
import { Attacker, closeOf, handshake, reset, sessions } from './attackers.ts';
import { Target } from './target.ts';

const mebibyte = 2 ** 20;
const text = 0x81;
const binary = 0x82;
const ping = 0x89;
const pong = '\x8a';

let target: Target;
beforeAll(async () => {
  target = await Target.start(['--workers', '1']);
});
afterAll(async () => {
  await target.finish();
  await target[Symbol.asyncDispose]();
});

const update = (payload: unknown): Buffer =>
  clientFrame(text, JSON.stringify({ type: 'options_update', payload }));

/** A frame's header alone, for a payload of so many bytes. */
const announce = (bytes: number): Buffer => {
  const header = Buffer.from([text, 0xff, ...Array<number>(12).fill(0)]);
  header.writeUInt32BE(bytes, 6);
  return header;
};

/** Sends again and again until the end. */
async function flood(attacker: Attacker, bytes: Buffer): Promise<void> {
  while (!attacker.isClosed && closeOf(attacker) === undefined) {
    if (attacker.write(bytes)) await sleep(0);
    else await Promise.race([new Promise((done) => attacker.socket.once('drain', done)), attacker.closed]);
  }
}

/** Sends to a new session, once; resolves with the close that it gets. */
async function closeFor(bytes: Buffer): Promise<string | undefined> {
  const [attacker] = await sessions(target.port, 1);
  attacker.write(bytes);
  await expect.poll(() => attacker.isClosed || closeOf(attacker) !== undefined).toBe(true);
  reset([attacker]);
  return closeOf(attacker);
}

/** That a session takes a message and goes on. */
async function isTaken(bytes: Buffer): Promise<boolean> {
  const [attacker] = await sessions(target.port, 1);
  attacker.write(bytes);
  attacker.write(clientFrame(ping, 'still there'));
  const lives = await attacker.receives(/still there/);
  reset([attacker]);
  return lives;
}

describe('messages', () => {
  it('over the size limit are not read', () =>
    target.under(30 * mebibyte, async () => {
      const attackers = await sessions(target.port, 50);
      for (const attacker of attackers) attacker.write(announce(10_000_001));
      await Promise.all(attackers.map(({ closed }) => closed));
      for (const attacker of attackers) expect(closeOf(attacker)).toBe('1009 message too large');
    }));

  it('that never end are let go of when they hold too much together', () =>
    target.under(400 * mebibyte, async () => {
      const attackers = await sessions(target.port, 120);
      const half = Buffer.alloc(5_000_000, ' ');
      for (const attacker of attackers) {
        attacker.write(announce(10_000_000));
        attacker.write(half);
      }
      const closes = (): (string | undefined)[] =>
        attackers.map(closeOf).filter((close) => close !== undefined);
      await expect.poll(() => closes().length).toBeGreaterThan(100);
      expect(new Set(closes())).toEqual(new Set(['1013 no room for this message: try again later']));
      reset(attackers);
    }));

  it('in very many pieces end', () =>
    target.under(50 * mebibyte, async () => {
      const piece = clientFrame(0, 'a');
      const pieces = Buffer.concat([clientFrame(1, '{'), ...Array<Buffer>(5000).fill(piece)]);
      expect(await closeFor(pieces)).toBe('1008 message in too many pieces');
    }));
});

describe('floods', () => {
  const dids = Array.from({ length: 100_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
  const many = (frame: Buffer): Buffer => Buffer.concat(Array<Buffer>(200).fill(frame));
  it.each([
    [
      'updates of 10 MB',
      update({ wantedDids: Array.from({ length: 280_000 }, (_, at) => dids[at % dids.length]) }),
    ],
    ['updates of 100,000 DIDs', update({ wantedDids: dids })],
    ['short updates', many(update({ wantedKinds: ['commit'] }))],
    ['binary messages', many(clientFrame(binary, 'a'))],
    ['unknown messages', many(clientFrame(text, '{"type":"x"}'))],
    ['pings', many(clientFrame(ping, 'x'))],
  ])('of %s end', (_name, bytes) =>
    target.under(200 * mebibyte, async () => {
      const attackers = await sessions(target.port, 4);
      await Promise.all(attackers.map((attacker) => flood(attacker, bytes)));
      for (const attacker of attackers) {
        expect(closeOf(attacker)).toBe(
          '1008 more than 1,000,000 bytes of messages a second: send fewer, or shorter ones',
        );
        expect(attacker.received.split(pong).length).toBeLessThan(20_000);
      }
    }),
  );

  it('of pings by clients that read nothing leave one pong each', () =>
    target.under(50 * mebibyte, async () => {
      const attackers = await sessions(target.port, 20, 'cursor=0');
      for (const { socket } of attackers) socket.pause();
      for (let round = 0; round < 40; round++) {
        for (const attacker of attackers) attacker.write(many(clientFrame(ping, 'x')));
        await sleep(10);
      }
      reset(attackers);
    }));
});

it("clients that read nothing, from the log's start on, wait at no one's cost", () =>
  target.under(120 * mebibyte, async () => {
    const attackers = Array.from({ length: 300 }, () => new Attacker(target.port, handshake('cursor=0')));
    await Promise.all(attackers.map(({ connected }) => connected));
    for (const { socket } of attackers) socket.pause();
    await sleep(1500);
    reset(attackers);
  }));

describe('hostile JSON', () => {
  const payload = (inner: string): Buffer =>
    clientFrame(text, `{"type":"options_update","payload":${inner}}`);
  it('is bounded in depth', () =>
    target.under(80 * mebibyte, async () => {
      expect(await closeFor(clientFrame(text, '['.repeat(9_000_000)))).toMatch(/^1000 .*exceeded max depth$/);
      expect(await closeFor(payload('{"a":'.repeat(1_000_000)))).toMatch(/^1000 .*exceeded max depth$/);
      const deep = payload(`${'['.repeat(9000)}${']'.repeat(9000)}`);
      expect(await closeFor(deep)).toMatch(/^1000 .*cannot unmarshal array/);
    }));

  it('of names that mean something in JavaScript changes nothing', () =>
    target.under(50 * mebibyte, async () => {
      const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then'];
      for (const name of names) {
        expect(await isTaken(payload(`{"${name}":{"wantedDids":["x"],"isAdmin":true}}`))).toBe(true);
        expect(await isTaken(clientFrame(text, `{"${name}":{"type":"options_update"},"payload":{}}`))).toBe(
          true,
        );
        expect(await closeFor(payload(`{"wantedKinds":["${name}"]}`))).toMatch(/invalid kind: /);
        expect(await closeFor(payload(`{"wantedOperations":["${name}"]}`))).toMatch(/invalid operation: /);
      }
    }));

  it('that would make a careless pattern run for ever does not', () =>
    target.under(80 * mebibyte, async () => {
      const long = `a${'.a'.repeat(2_000_000)}!`;
      for (const value of [
        long,
        `${'a'.repeat(5_000_000)}!`,
        '-'.repeat(5_000_000),
        `a.${'-a'.repeat(2_000_000)}`,
      ]) {
        expect(await closeFor(payload(`{"wantedCollections":["${value}"]}`))).toMatch(
          /^1000 .*invalid collection/,
        );
        expect(await closeFor(payload(`{"wantedDids":["did:${value}"]}`))).toMatch(/^1000 /);
      }
    }));

  it('numbers, surrogates and NULs are taken or refused, not more', () =>
    target.under(50 * mebibyte, async () => {
      for (const number of [`1${'0'.repeat(1_000_000)}`, '1e999999999', '-0', '9223372036854775808', '0.1']) {
        const bytes = payload(`{"maxMessageSizeBytes":${number}}`);
        expect(number === '-0' ? await isTaken(bytes) : await closeFor(bytes)).toEqual(
          number === '-0' ? true : expect.stringMatching(/^1000 .*cannot unmarshal number/),
        );
      }
      expect(await closeFor(payload('{"wantedDids":["did:web:\\ud800"]}'))).toMatch(/^1000 .*invalid/);
      expect(await closeFor(payload('{"wantedDids":["did:web:\\u0000"]}'))).toMatch(/^1000 .*invalid/);
      expect(await closeFor(clientFrame(text, '\0'))).toMatch(/^1000 .*invalid character '\\x00'/);
    }));
});

describe('compressed bombs', () => {
  it('of the WebSocket extension are not agreed to, and refused', () =>
    target.under(30 * mebibyte, async () => {
      const extension =
        'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15; client_max_window_bits';
      const attacker = new Attacker(target.port, handshake(undefined, [extension]));
      await attacker.receives(/^HTTP\/1\.1 101/);
      expect(attacker.received.toLowerCase()).not.toContain('sec-websocket-extensions');
      attacker.write(clientFrame(0xc1, deflateRawSync(Buffer.alloc(9_000_000))));
      await attacker.closed;
      expect(closeOf(attacker)).toBe('1002 RSV1 set');
    }));

  it('of zstd are ignored unread', () =>
    target.under(30 * mebibyte, async () => {
      const bomb = zstdCompressSync(Buffer.alloc(100_000_000));
      expect(bomb.length).toBeLessThan(100_000);
      expect(await isTaken(clientFrame(binary, bomb))).toBe(true);
    }));
});

it('random bytes as frames never bring it down', () =>
  target.under(80 * mebibyte, async () => {
    const seed = 7;
    const random = seededRandom(seed);
    const attackers = await sessions(target.port, 300);
    for (const [at, attacker] of attackers.entries()) {
      const bytes = Buffer.from(Array.from({ length: 200 }, () => Math.floor(random() * 256)));
      // Some begin as a frame that is right.
      if (at % 3 === 0) bytes.set(clientFrame(text, 'x'.repeat(at % 125)).subarray(0, 6));
      attacker.write(bytes);
      if (at % 2 === 0) attacker.socket.end();
    }
    await sleep(300);
    reset(attackers);
    expect(await isTaken(update({})), `seed ${seed}`).toBe(true);
  }));

it('resets in the middle of frames, both ways, leave nothing behind', () =>
  target.under(120 * mebibyte, async () => {
    for (let round = 0; round < 4; round++) {
      const attackers = await sessions(target.port, 200, 'cursor=0');
      for (const attacker of attackers) attacker.write(announce(1000).subarray(0, 3 + (round % 10)));
      reset(attackers);
    }
  }));
