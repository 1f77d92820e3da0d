// A daemon that checks commits, killed again and again while a network writes: each event comes once, no commit is called a repeat of
// one that was never stored, none refuted, and no chain broken. After an orderly stop accounts go on where they were.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startNetwork } from '../../simulator/lib/simulator.ts';
import { Daemon } from '../crash/daemon.ts';

const kills = 3;
const eventsALife = 60;

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function linesOf(address: string, query: string): Promise<string[]> {
  const url = `${address.replace('ws:', 'http:')}/events.ndjson?cursor=0&limit=100000&${query}`;
  return (await textOf(url)).split('\n').filter((line) => line.startsWith('{'));
}

/** Commits of this life by reason, those that there were. */
async function countsOf(daemon: Daemon): Promise<Map<string, number>> {
  const samples = (await textOf(`http://${daemon.metrics}/metrics`)).matchAll(
    /^slipstream_verify_commits_total\{.*reason="(\w+)"\} ([1-9]\d*)$/gm,
  );
  return new Map(Array.from(samples, ([, reason, count]) => [reason, Number(count)]));
}

test('a killed daemon goes on with the states of its accounts', async () => {
  await using network = await startNetwork({ seed: 'kills', accounts: 12, historyRecords: 5, rate: 150 });
  const directory = await network.startDirectory();
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-kills-'));
  const flags = ['--verify', 'observe', '--plc-url', directory.url, '--workers', '0'];
  const life = { dataDir, relayUrl: network.url, flags };
  let verified = 0;
  try {
    for (let lived = 0; lived <= kills; lived++) {
      const daemon = new Daemon(life);
      try {
        const address = await daemon.started;
        expect(address, daemon.lines.join('\n')).toBeDefined();
        const had = verified;
        await expect
          .poll(async () => (await linesOf(address as string, 'verified=true')).length, { timeout: 60_000 })
          .toBeGreaterThan(had + eventsALife);
        const all = await linesOf(address as string, '');
        const keys = all.map((line) => {
          const { did, kind, commit, identity, account } = JSON.parse(line);
          return JSON.stringify([
            did,
            kind,
            commit?.rev,
            commit?.collection,
            commit?.rkey,
            identity,
            account,
          ]);
        });
        expect(new Set(keys).size).toBe(keys.length);
        verified = (await linesOf(address as string, 'verified=true')).length;
        const counts = await countsOf(daemon);
        expect(counts.get('repeat'), [...counts].join(' ')).toBeUndefined();
        const { rows } = JSON.parse(await textOf(`${address?.replace('ws:', 'http:')}/coverage`));
        const ofAccounts = rows.filter(({ reason }: { reason: string }) => /refuted|broken/.test(reason));
        expect(ofAccounts).toEqual([]);
        if (lived < kills) await daemon.kill();
        else expect(await daemon.stop()).toEqual({ code: 0, signal: null });
      } finally {
        await daemon.kill();
      }
    }
    // The one before was not killed: accounts go on.
    const daemon = new Daemon(life);
    try {
      await daemon.started;
      await expect
        .poll(async () => (await countsOf(daemon)).get('continuous'), { timeout: 60_000 })
        .toBeGreaterThan(50);
      const counts = await countsOf(daemon);
      expect(counts.get('repeat'), [...counts].join(' ')).toBeUndefined();
      // Those of which no commit was checked in time before.
      expect(counts.get('first_sight') ?? 0, [...counts].join(' ')).toBeLessThan(6);
    } finally {
      await daemon.kill();
    }
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
