// A daemon that waits for checks, killed again and again while accounts change their keys and a slow directory has their commits wait: each
// event comes once, none is lost, accounts keep their order, and what one account has not signed is left out, with a row for each commit.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { type LocalNetwork, startNetwork } from '../../simulator/lib/simulator.ts';
import { readSyntheticFrame } from '../../simulator/lib/synthetic-frame.ts';
import { Daemon } from '../crash/daemon.ts';
import { LyingDirectory } from './lying-directory.ts';

const seed = process.env.CRASH_SEED ?? '1';
const kills = Number(process.env.CRASH_KILLS ?? 12);
const firstSeq = 1000;
/** How long the directory takes to answer: that long an account whose key is in doubt waits. */
const answerMs = 400;
const framesMs = 25;
const preloads = [{ file: resolve(import.meta.dirname, '../crash/armed-preload.ts'), env: {} }];

/** Account, revision and path of each op of all commits, in order; a commit without ops is none. */
async function opsOf(network: LocalNetwork): Promise<string[]> {
  const socket = new WebSocket(`${network.url}/xrpc/com.atproto.sync.subscribeRepos?cursor=${firstSeq - 1}`);
  const ops: string[] = [];
  for await (const [bytes] of on(socket)) {
    const frame = readSyntheticFrame(bytes);
    if (frame.kind === 'commit')
      for (const { collection, rkey } of frame.ops)
        ops.push(`${frame.did} ${frame.rev} ${collection}/${rkey}`);
    if (frame.seq === network.headSeq) break;
  }
  socket.terminate();
  return ops;
}

async function* on(socket: WebSocket): AsyncGenerator<[Buffer]> {
  const frames: Buffer[] = [];
  socket.on('message', (data: Buffer) => frames.push(data));
  await once(socket, 'open');
  for (;;) {
    const frame = frames.shift();
    if (frame !== undefined) yield [frame];
    else if (socket.readyState === WebSocket.OPEN) await delay(1);
    else throw new Error('the relay has closed');
  }
}

/** The same of what the daemon has. */
async function eventsOf(address: string, more = ''): Promise<string[]> {
  const ops: string[] = [];
  for (let cursor = 0; ; ) {
    const query = `cursor=${cursor}&limit=10000&wantedKinds=commit${more}`;
    const text = await (await fetch(`${address}/events.ndjson?${query}`)).text();
    const events = text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    const commits = events.filter(({ kind }) => kind === 'commit');
    for (const { did, commit } of commits)
      ops.push(`${did} ${commit.rev} ${commit.collection}/${commit.rkey}`);
    if (commits.length < 10_000) return ops;
    cursor = commits.at(-1).time_us + 1;
  }
}

function byAccount(ops: readonly string[]): Map<string, string[]> {
  return Map.groupBy(ops, (op) => op.split(' ')[0]);
}

async function droppedOf(address: string, liar: string): Promise<number> {
  const { rows } = (await (await fetch(`${address}/coverage?limit=1000`)).json()) as {
    rows: { reason: string; detail?: string; count: number }[];
  };
  const dropped = rows.filter(({ reason }) => reason === 'commit_dropped');
  for (const { detail } of dropped) expect(detail).toContain(liar);
  expect(rows.filter(({ reason }) => !/commit_dropped|refuted_commit|broken_chain/.test(reason))).toEqual([]);
  return dropped.reduce((sum, { count }) => sum + count, 0);
}

test(`commits that wait are neither lost nor doubled over ${kills} kills`, async () => {
  const random = new SeededRandom(seed, 'enforced');
  await using network = await startNetwork({ seed, accounts: 24, historyRecords: 3, firstSeq });
  const honest = await network.startDirectory();
  const plc = network.accounts.map(({ did }) => did).filter((did) => did.startsWith('did:plc:'));
  const [liar, other] = plc;
  await using directory = await LyingDirectory.listen(honest.url, liar, other, answerMs);
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-enforced-'));
  const flags = ['--verify', 'enforce', '--plc-url', directory.url, '--workers', '0'];
  let isOver = false;
  const over = Promise.withResolvers<void>();
  const network$ = (async () => {
    // A daemon without a log begins with what is new.
    await Promise.race([network.connected(), over.promise]);
    while (!isOver) {
      await network.publish(random.between(1, 3));
      // They come and go.
      const { did } = network.accounts[random.int(network.accounts.length)];
      if (did !== liar && random.chance(0.1)) await network.rotateKey(did);
      await delay(framesMs);
    }
  })();
  let waited = 0;
  let daemon: Daemon | undefined;
  try {
    for (let lived = 0; lived <= kills; lived++) {
      daemon = new Daemon({ dataDir, relayUrl: network.url, flags, preloads });
      const address = await daemon.started;
      expect(address, [...daemon.lines, ...daemon.errors].join('\n')).toBeDefined();
      if (lived === kills) break;
      await network.connected();
      await delay(random.between(100, 2_500));
      const metrics = await (await fetch(`http://${daemon.metrics}/metrics`)).text();
      waited = Math.max(waited, Number(/^slipstream_verify_waiting_frames (\d+)$/m.exec(metrics)?.[1]));
      await daemon.kill();
    }
    isOver = true;
    await network$;
    const address = `http:${(await daemon?.started)?.slice('ws:'.length)}`;
    const sent = await opsOf(network);
    const isHonest = (op: string): boolean => !op.startsWith(`${liar} `);
    const expected = sent.filter(isHonest);
    await expect
      .poll(async () => (await eventsOf(address)).filter(isHonest).length, { timeout: 120_000 })
      .toBeGreaterThanOrEqual(expected.length);
    const events = await eventsOf(address);
    const stored = byAccount(events);
    for (const [did, ops] of byAccount(expected)) expect(stored.get(did), did).toEqual(ops);
    // More than can be looked at twice goes on unchecked.
    expect(new Set(events).size).toBe(events.length);
    expect((await eventsOf(address, '&verified=true')).filter((op) => !isHonest(op))).toEqual([]);
    const commitsOf = (ops: readonly string[]): number =>
      new Set(ops.filter((op) => !isHonest(op)).map((op) => op.split(' ')[1])).size;
    let leftOut = 0;
    // What still waits for its second look is neither.
    await expect
      .poll(
        async () => {
          leftOut = commitsOf(sent) - commitsOf(await eventsOf(address));
          return (await droppedOf(address, liar)) - leftOut;
        },
        { timeout: 30_000 },
      )
      .toBeGreaterThanOrEqual(0);
    expect(leftOut).toBeGreaterThan(0);
    // Else it was no test.
    expect(waited).toBeGreaterThan(0);
    console.log(
      `${kills} kills, ${expected.length} events, ${leftOut} commits left out, ${waited} frames waited`,
    );
    expect(await daemon?.stop()).toEqual({ code: 0, signal: null });
  } finally {
    isOver = true;
    over.resolve();
    await daemon?.kill();
    await network$.catch(() => {});
    await rm(dataDir, { recursive: true });
  }
});
