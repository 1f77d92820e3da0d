// Nodes of a cluster on a stream in memory, with real logs and a real relay: who writes, and what the others have.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import { TrustedTime } from '../../lib/event/trusted-time.ts';
import { IngestTotals } from '../../lib/ingest/ingest-totals.ts';
import type { Block } from '../../lib/log/block.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { Readiness } from '../../lib/monitor/readiness.ts';
import { ClusterNode } from '../../lib/service/cluster-node.ts';
import { parseRelays } from '../../lib/upstream/relay-url.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { FakeEngine } from '../cluster/fake-engine.ts';
import { streamId, textsOf } from '../cluster/sample-stream.ts';
import { textsAfter } from '../log/log-readers.ts';
import { fakeCompressor } from '../support/events.ts';

const didHashKey = Buffer.from('0011223344556677', 'hex');
const silent = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

let dir: string;
let relay: RelayServer;
let engine: FakeEngine;
let ended: (() => Promise<void>)[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slipstream-node-'));
  const network = new SyntheticNetwork({ seed: 'node', accounts: 6, historyRecords: 5 });
  relay = await RelayServer.listen({ source: await FramePool.generate(network, 400) });
  engine = new FakeEngine();
  ended = [];
});
afterEach(async () => {
  for (const end of ended.reverse()) await end();
  await relay.close();
  await rm(dir, { recursive: true });
});

/** A node that runs. */
async function start(name: string, role: 'both' | 'serve' = 'both', wrap = (log: LevelLog) => log) {
  const log = await LevelLog.open({
    ...{
      dataDir: join(dir, name),
      retentionBytes: 0,
      tailBytesMax: 0,
      fsync: false,
      didHashKey,
      isCopy: true,
    },
    compressor: fakeCompressor,
  });
  const blocks: Block[] = [];
  const failures: unknown[] = [];
  const node = new ClusterNode({
    ...{ role, engine, streamId, emptySequence: 0, log: wrap(log) },
    intake: {
      relays: parseRelays([relay.url]),
      totals: new IngestTotals(),
      compressor: { ...fakeCompressor, name: 'node', close: () => {} } as never,
      time: new TrustedTime(log.lastTimeUs, () => {}),
      logger: silent as never,
      timing: {},
      ...{ verification: undefined, checks: undefined },
      windowMs: 4,
      keeper: undefined,
      disconnects: new Map(),
      publish: (block) => void blocks.push(block),
      written: () => {},
      stalled: () => {},
      failed: (error) => failures.push(error),
    },
  });
  node.start();
  let isEnded = false;
  const end = async (): Promise<void> => {
    if (isEnded) return;
    isEnded = true;
    await node.stop();
    await log.close();
  };
  ended.push(end);
  return { node, log, blocks, failures, end, texts: () => blocks.flatMap(textsOf) };
}

test('one of them writes, the others have the same; when it stops, the next goes on where it was', async () => {
  const one = await start('one');
  await expect.poll(() => one.node.isWriting).toBe(true);
  const two = await start('two');
  const serving = await start('serving', 'serve');
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(50);
  await expect.poll(() => one.node.sequence).toBeGreaterThan(0);
  const readiness = new Readiness(serving.node.link, serving.node);
  await expect.poll(() => serving.texts().length).toBe(one.texts().length);
  expect(readiness.checks()).toMatchObject({
    cluster: { ok: true },
    relay: { ok: true },
    frames: { ok: true },
  });
  expect(serving.node.writerId).toBe(one.node.nodeId);
  await one.end();
  await expect.poll(() => two.node.isWriting).toBe(true);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(50);
  await expect.poll(() => two.node.sequence).toBeGreaterThan(one.node.sequence);
  await expect.poll(() => serving.texts()).toEqual(two.texts());
  const events = two.texts();
  expect(events.slice(0, one.texts().length)).toEqual(one.texts());
  expect(new Set(events.map((text) => text.replace(/"time_us":\d+/, ''))).size).toBe(events.length);
  expect(serving.node.turns).toBe(0);
  for (const { failures } of [one, two, serving]) expect(failures).toEqual([]);
});

test('a writer that was killed has lost what was in memory alone, and writes on after all that was sent', async () => {
  const one = await start('one');
  const serving = await start('serving', 'serve');
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(60);
  await expect.poll(() => one.texts().length).toBeGreaterThanOrEqual(60);
  await expect.poll(() => serving.texts()).toEqual(one.texts());
  // What its disk has at that moment is what is left.
  await one.log.whileStill(() => cp(join(dir, 'one'), join(dir, 'killed'), { recursive: true }));
  const { lastTimeUs } = one.log;
  await one.end();
  const killed = await start('killed');
  expect(killed.log.lastTimeUs).toBeLessThan(lastTimeUs);
  await expect.poll(() => killed.node.isWriting).toBe(true);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(60);
  await expect.poll(() => serving.texts().length).toBeGreaterThanOrEqual(120);
  await expect.poll(() => killed.texts()).toEqual(serving.texts());
  const events = serving.texts();
  expect(await textsAfter(killed.log, 0)).toEqual(events);
  expect(new Set(events.map((text) => text.replace(/"time_us":\d+/, ''))).size).toBe(events.length);
  const times = events.map((text) => JSON.parse(text).time_us);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
  expect(new Set(times).size).toBe(times.length);
  for (const { failures } of [one, killed, serving]) expect(failures).toEqual([]);
});

test('one that is refused follows; when what is in its place is gone already, it has to start anew', async () => {
  const one = await start('one');
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(20);
  await expect.poll(() => one.node.sequence).toBeGreaterThan(0);
  engine.appendFaults.push('foreign_trimmed');
  await relay.publish(20);
  await expect.poll(() => one.node.counts.appends.get('fenced_unknown')).toBe(1);
  await expect.poll(() => one.failures).toMatchObject([{ code: 'CLUSTER_TOO_OLD' }]);
});

test('one whose disk is full lets another write, and follows when there is room', async () => {
  let isFull = false;
  const room = Promise.withResolvers<void>();
  const one = await start('one', 'both', (log) =>
    Object.create(log, {
      append: {
        value: (block: Block) =>
          isFull
            ? Promise.reject(new CodedError('LOG_DISK_FULL', 'full', { retryable: true }))
            : log.append(block),
      },
      recover: { value: () => room.promise },
      lastTimeUs: { get: () => log.lastTimeUs },
      positions: { get: () => log.positions },
      didHashKey: { get: () => log.didHashKey },
      clockUs: { get: () => log.clockUs },
      coverage: { get: () => log.coverage },
      resolve: { value: (block: Block) => log.resolve(block) },
      read: { value: (...of: Parameters<LevelLog['read']>) => log.read(...of) },
    }),
  );
  await expect.poll(() => relay.connections).toBe(1);
  const two = await start('two');
  await relay.publish(20);
  await expect.poll(() => two.node.sequence).toBeGreaterThan(0);
  isFull = true;
  await relay.publish(20);
  await expect.poll(() => two.node.isWriting).toBe(true);
  expect(one.node.isWriting).toBe(false);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(20);
  isFull = false;
  room.resolve();
  await expect.poll(() => one.texts().length).toBeGreaterThan(0);
  const left = (): number[] => [one, two].map(({ node }) => engine.lastSequence - node.sequence);
  await expect.poll(left).toEqual([0, 0]);
  await expect.poll(() => one.texts()).toEqual(two.texts());
  for (const { failures } of [one, two]) expect(failures).toEqual([]);
});

test('a serving node never stands for election', async () => {
  const serving = await start('serving', 'serve');
  await expect.poll(() => serving.node.isCaughtUp).toBe(true);
  expect(engine.lease.value).toBeNull();
  await serving.end();
});
