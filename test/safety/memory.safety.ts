// Clients that want more memory than there is: the daemon lets them go, with a reason, before V8 or the container ends it, and those
// that were there before see every event. The relay's witnesses of target.ts are the honest ones.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Attacker, closeOf, handshake, reset } from './attackers.ts';
import { Target } from './target.ts';

const MiB = 2 ** 20;
/** Loopback has as many as one likes, and each may have a thousand connections. */
const addresses = 50;

/** A query that keeps 20 KB of the heap: a hundred collections that nobody else wants. */
function manyCollections(at: number): string {
  const names = Array.from({ length: 100 }, (_, of) => `wantedCollections=a${at}.b${of}.c`);
  return `wantedKinds=commit&${names.join('&')}`;
}

/** Connects so many, a few at a time, and resolves when each has an answer or has ended. */
async function crowdOf(port: number, count: number, bytesOf: (at: number) => string): Promise<Attacker[]> {
  const crowd: Attacker[] = [];
  for (let at = 0; at < count; at++) {
    crowd.push(new Attacker(port, bytesOf(at), `127.0.0.${2 + (at % addresses)}`));
    if (at % 16 === 15) await sleep(4);
  }
  await Promise.all(crowd.map((attacker) => attacker.receives(/^HTTP\/1\.1 /)));
  return crowd;
}

const shed = /^1013 this server is short of memory/;

it('a heap of 64 MiB: a crowd with filters of its own is let go before the thread ends', async () => {
  await using target = await Target.start(['--workers', '1'], {
    env: { NODE_OPTIONS: '--max-old-space-size=64' },
  });
  await target.under(400 * MiB, async () => {
    const crowd = await crowdOf(target.port, 5_000, (at) => handshake(manyCollections(at)));
    const refused = crowd.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(0);
    for (const { received } of refused) expect(received).toContain('short of memory');
    reset(crowd);
  });
  expect(target.daemon.lines.join('\n')).toContain('"what":"heap"');
  await target.finish();
}, 180_000);

const longQuery = `wantedDids=${Array.from({ length: 4_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`).join('&wantedDids=')}`;
const fields = (count: number): string[] => Array.from({ length: count }, (_, at) => `a${at}: b`);

it.each([
  ['handshakes with long queries', 1_000, handshake(longQuery)],
  ['requests with long queries', 1_000, `GET /events?${longQuery} HTTP/1.1\r\nHost: test\r\n\r\n`],
  ['handshakes with many fields', 3_000, handshake(undefined, fields(90))],
  ['heads of 900 fields that do not end', 3_000, `GET / HTTP/1.1\r\n${fields(900).join('\r\n')}`],
  [
    'heads of as many fields as may be that do not end',
    3_000,
    `GET / HTTP/1.1\r\n${fields(99).join('\r\n')}`,
  ],
  ['handshakes with much behind them', 1_500, `${handshake()}${'\x81\xff\0\0\0\0\0\x0f\0\0'.padEnd(60_000)}`],
])(
  'a heap of 64 MiB: %s that come faster than they are read are let go',
  async (_name, count, bytes) => {
    await using target = await Target.start(['--workers', '1'], {
      env: { NODE_OPTIONS: '--max-old-space-size=64' },
    });
    await target.under(400 * MiB, async () => {
      // They come while the daemon does nothing, so that all are there at once.
      target.daemon.freeze(true);
      const all = crowdOf(target.port, count, () => bytes);
      try {
        await sleep(Math.max(1_000, count / 2));
      } finally {
        target.daemon.freeze(false);
      }
      reset(await all);
    });
    await target.finish();
  },
  180_000,
);

it('a container of its size: who takes more than fits is let go before the system ends the process', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipstream-container-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const file = resolve(import.meta.dirname, 'container-preload.ts');
  writeFileSync(join(root, 'limit'), String(300 * MiB));
  await using target = await Target.start(['--workers', '1'], {
    preloads: [{ file, env: { CONTAINER: root } }],
  });
  expect(target.daemon.lines.join('\n')).toContain('"memoryLimitOf":"cgroup_v2"');
  await target.under(400 * MiB, async () => {
    const crowd = await crowdOf(target.port, 400, () => handshake('wantedKinds=commit'));
    writeFileSync(join(root, 'extra'), String(200 * MiB));
    await expect.poll(() => crowd.filter((one) => shed.test(closeOf(one) ?? '')).length).toBeGreaterThan(100);
    const late = new Attacker(target.port, handshake());
    await late.receives(/^HTTP\/1\.1 /);
    expect(late.status).toBe(503);
    writeFileSync(join(root, 'extra'), '0');
    await expect
      .poll(async () => {
        const again = new Attacker(target.port, handshake());
        await again.receives(/^HTTP\/1\.1 /);
        return again.status;
      })
      .toBe(101);
    reset(crowd);
  });
  expect(target.daemon.lines.join('\n')).toContain('"what":"container"');
  await target.finish();
}, 90_000);
