// What subscribers share, against a daemon: with a hostile address at its limit, an honest one keeps its part. Rounds of the event
// loop are counted in test/fanout/shares.test.ts, exactly; here it is time, on a machine that others use, so that the bounds
// are wide, and far from what there was before.

import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LevelLog } from '../../lib/log/level-log.ts';
import { Daemon } from '../crash/daemon.ts';
import { clientFrame } from '../http/raw-client.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { Attacker, closeOf, handshake, reset } from './attackers.ts';

const blocks = 300;
const eventsPerBlock = 256;
/** Addresses as a trusted proxy has them. */
const hostile = 'X-Forwarded-For: 192.0.2.66';
const honest = { 'X-Forwarded-For': '192.0.2.1' };

let dataDir: string;
let daemon: Daemon;
let port: number;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-shares-'));
  const tailBytesMax = 1_000_000;
  const options = { dataDir, retentionBytes: 0, tailBytesMax, fsync: false, compressor: fakeCompressor };
  const log = await LevelLog.open(options);
  const nowMs = Date.now() - 3_600_000;
  const { didHashKey } = log;
  const sample = new SampleLog(seededRandom(72), { didHashKey, textBytesMax: 400, nowMs: () => nowMs });
  for (let made = 0; made < blocks; made++) await log.append(sample.block(eventsPerBlock));
  await log.close();
  // Nobody is a relay there: nothing comes in meanwhile.
  const flags = ['--workers', '1', '--trusted-proxies', '127.0.0.1'];
  daemon = new Daemon({ dataDir, relayUrl: 'ws://127.0.0.1:9', flags });
  const address = await daemon.started;
  if (address === undefined) throw new Error(`the daemon did not start: ${daemon.lines.join('\n')}`);
  port = Number(new URL(address).port);
});
afterAll(async () => {
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  await rm(dataDir, { recursive: true });
});

/** Pulls the whole log from an honest address; resolves with how long that took. */
function pull(): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(
      { port, path: '/events.ndjson?cursor=1&limit=1000000', headers: honest },
      (response) => {
        let lines = 0;
        response.on('data', (chunk: Buffer) => {
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
        });
        response.on('end', () => {
          if (lines >= blocks * eventsPerBlock) resolve(performance.now() - startMs);
          else reject(new Error(`${lines} lines`));
        });
      },
    );
    request.on('error', reject);
  });
}

/** Updates of filters that the daemon has read. */
async function updatesRead(): Promise<number> {
  const started = daemon.lines.find((line) => line.includes('"metrics":')) as string;
  const { metrics } = JSON.parse(started) as { metrics: string };
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  return Number(/slipstream_client_messages_total\{outcome="update"\} (\d+)/.exec(text)?.[1]);
}

it.each([
  ['over WebSocket', (query: string) => handshake(query, [hostile])],
  [
    'of server-sent events',
    (query: string) => `GET /events?${query} HTTP/1.1\r\nHost: test\r\n${hostile}\r\n\r\n`,
  ],
])('replays that match nothing leave an honest one its part: %s', async (_name, requestOf) => {
  await pull();
  const aloneMs = Math.max(await pull(), await pull(), await pull());
  const request = requestOf('cursor=1&maxMessageSizeBytes=1');
  const attackers = Array.from({ length: 300 }, () => new Attacker(port, request));
  await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 (101|200)/)));
  // One: behind it the attackers may be through.
  const besideMs = await pull();
  reset(attackers);
  if (process.env.SAFETY_FIGURES)
    console.log(`alone ${aloneMs.toFixed(0)} ms, beside ${besideMs.toFixed(0)} ms`);
  // Half, and as much again for the machine. It was a hundred times as long, and more.
  expect(besideMs).toBeLessThan(aloneMs * 4);
});

it('wanted DIDs of one address leave room for those of others', async () => {
  const attackers = Array.from(
    { length: 11 },
    () => new Attacker(port, handshake('requireHello=true', [hostile])),
  );
  await Promise.all(attackers.map((attacker) => attacker.receives(/^HTTP\/1\.1 101/)));
  for (const [at, attacker] of attackers.entries()) {
    const wantedDids = Array.from({ length: 100_000 }, (_, did) => `did:web:${at}.${did}`);
    const update = JSON.stringify({ type: 'options_update', payload: { wantedDids } });
    attacker.write(clientFrame(0x81, update));
  }
  const closes = (): string[] => attackers.map(closeOf).filter((close) => close !== undefined);
  await expect
    .poll(closes)
    .toEqual(['1008 too many wanted DIDs and subjects of one address: it may have 1,000,000 at a time']);
  const path = '/events.ndjson?cursor=1&wantedDids=did:web:a';
  const status = await new Promise((resolve) => {
    get({ port, path, headers: honest }, (response) => resolve(response.resume().statusCode));
  });
  expect(status).toBe(200);
  reset(attackers);
});

it('a filter of an honest address waits for one of a hostile one at most, however many that sends', async () => {
  // Read in some tenths of a second each.
  const hostileDids = Array.from({ length: 100_000 }, (_, did) => `did:web:hostile${did}.test`);
  const update = { type: 'options_update', payload: { wantedDids: hostileDids } };
  const long = clientFrame(0x81, JSON.stringify(update));
  const attackers = Array.from(
    { length: 60 },
    () => new Attacker(port, handshake('requireHello=true', [hostile])),
  );
  const client = new Attacker(
    port,
    handshake('requireHello=true&cursor=1', [`X-Forwarded-For: ${honest['X-Forwarded-For']}`]),
  );
  await Promise.all([...attackers, client].map((one) => one.receives(/^HTTP\/1\.1 101/)));
  for (const attacker of attackers) attacker.write(long);
  await expect.poll(() => updatesRead()).toBeGreaterThan(0);
  const before = await updatesRead();
  // Longer than what is read at once, so that it has to take its turn.
  client.write(clientFrame(0x81, JSON.stringify({ type: 'options_update', payload: {} }).padEnd(100_000)));
  expect(await client.receives(/time_us/)).toBe(true);
  const between = (await updatesRead()) - before;
  reset([...attackers, client]);
  // Its own, one that was being read, and what was read until the figures came.
  expect(between).toBeLessThan(attackers.length / 2);
});
