// What can become of the stream while nodes run, on one real server: it comes back with less than it had acknowledged, as after a power
// failure without sync_interval always; somebody deletes it; its disk is full.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Daemon } from '../crash/daemon.ts';
import { DeliveryCheck } from '../crash/delivery-check.ts';
import { EventReader } from '../crash/event-reader.ts';
import { ObservedRelay } from '../crash/observed-relay.ts';
import { natsServer } from './nats-binary.ts';
import { NatsCluster } from './nats-cluster.ts';

const binary = natsServer();
let dir: string;
let nats: NatsCluster;
let relay: ObservedRelay;
let running: Daemon[];
/** A file system of the test's own. */
let mounted: string | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slipstream-cluster-'));
  relay = await ObservedRelay.listen('lost tail');
  running = [];
});
afterEach(async () => {
  for (const daemon of running) await daemon.kill();
  await nats?.end();
  if (mounted !== undefined) spawnSync('umount', [mounted]);
  mounted = undefined;
  await relay.server.close();
  await rm(dir, { recursive: true });
});

async function start(name: string, command?: string): Promise<Daemon> {
  const daemon = launch(name, command);
  expect(await daemon.started, daemon.lines.join('\n')).toBeDefined();
  return daemon;
}

function launch(name: string, command?: string): Daemon {
  const urls = nats.servers.map(({ port }) => `nats://127.0.0.1:${port}`).join(',');
  const own = ['--nats-url', urls, '--stream-replicas', '1', '--stream-bytes', '1GiB', '--workers', '0'];
  const daemon = new Daemon({ dataDir: join(dir, name), relayUrl: relay.url, command, flags: own });
  running.push(daemon);
  return daemon;
}

async function metric({ metrics }: Daemon, name: string): Promise<number> {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`slipstream_${name} `));
  return Number(line?.split(' ').at(-1));
}

/** Both nodes have everything that the relay had. */
async function level(one: Daemon, other: Daemon, address: string): Promise<void> {
  const check = new DeliveryCheck(relay.history);
  const reader = new EventReader(address, { cursor: 0 }, (json) => check.take(json));
  await expect.poll(() => check.failure ?? check.events).toBe(relay.expectedEvents);
  await reader.close();
  expect(check.missing()).toBeUndefined();
  const sequences = () => Promise.all([one, other].map((node) => metric(node, 'cluster_sequence')));
  await expect.poll(async () => new Set(await sequences()).size).toBe(1);
}

test.skipIf(binary === undefined)(
  'what the servers have lost comes again from the relay',
  async () => {
    nats = await NatsCluster.begin(binary as string, dir, 1);
    const [server] = nats.servers;
    const writer = await start('writer');
    await expect.poll(() => relay.server.connections).toBe(1);
    const serving = await start('serving', 'serve');
    await relay.server.publish(300);
    await level(writer, serving, (await serving.started) as string);
    const kept = await metric(serving, 'cluster_sequence');
    await server.stop();
    cpSync(join(dir, 'nats-1'), join(dir, 'older'), { recursive: true });
    server.start();
    await relay.server.publish(300);
    await level(writer, serving, (await serving.started) as string);
    expect(await metric(serving, 'cluster_sequence')).toBeGreaterThan(kept);

    for (const daemon of running) daemon.endExpected = true;
    await server.kill();
    rmSync(join(dir, 'nats-1'), { recursive: true });
    cpSync(join(dir, 'older'), join(dir, 'nats-1'), { recursive: true });
    server.start();
    await relay.server.publish(300);
    for (const daemon of running) {
      expect((await daemon.exited).code, daemon.lines.join('\n')).toBe(1);
      expect(daemon.errors.join('\n')).toContain('the NATS servers have lost what they had acknowledged');
    }

    const again = await start('writer');
    const servingAgain = await start('serving', 'serve');
    for (const name of ['writer', 'serving'])
      expect(readdirSync(join(dir, name)).filter((folder) => folder.startsWith('forked-'))).toHaveLength(1);
    await expect.poll(() => relay.server.connections).toBe(1);
    await relay.server.publish(300);
    await level(again, servingAgain, (await servingAgain.started) as string);
  },
  300_000,
);

/** The names of checks that fail; empty for a node that is ready. */
async function failing({ metrics }: Daemon): Promise<string[]> {
  const { checks } = (await (await fetch(`http://${metrics}/health/ready`)).json()) as {
    checks: Record<string, { ok: boolean }>;
  };
  return Object.keys(checks).filter((name) => !checks[name].ok);
}

async function ask(api: string): Promise<void> {
  const connection = await connect({ servers: [`127.0.0.1:${nats.servers[0].port}`] });
  await connection.request(`$JS.API.${api}`);
  await connection.close();
}

test.skipIf(binary === undefined)(
  'a stream that is deleted by hand: nodes wait and serve what they have, and none makes it again over that',
  async () => {
    nats = await NatsCluster.begin(binary as string, dir, 1);
    const writer = await start('writer');
    await expect.poll(() => relay.server.connections).toBe(1);
    const serving = await start('serving', 'serve');
    await relay.server.publish(300);
    const address = (await serving.started) as string;
    await level(writer, serving, address);
    await ask('STREAM.DELETE.SLIPSTREAM_main');
    const had = relay.expectedEvents;
    await relay.server.publish(20);
    await expect.poll(() => metric(writer, 'cluster_retries_total{reason="no_leader"}')).toBeGreaterThan(0);
    await expect.poll(() => failing(serving)).toContain('cluster');
    let replayed = 0;
    const reader = new EventReader(address, { cursor: 0 }, () => replayed++);
    await expect.poll(() => replayed).toBe(had);
    await reader.close();

    for (const [name, daemon] of Object.entries({ writer, serving })) {
      await daemon.stop();
      const again = launch(name, name === 'serving' ? 'serve' : undefined);
      again.endExpected = true;
      expect((await again.exited).code).toBe(2);
      expect(again.lines.join('\n')).toContain('is gone, and this node has a log of it');
    }
    // A new one, of a node without a log, is another stream to those who have one.
    const fresh = await start('fresh');
    await expect.poll(() => relay.server.connections).toBe(1);
    await relay.server.publish(20);
    await expect.poll(() => metric(fresh, 'cluster_sequence')).toBeGreaterThan(0);
    const stranger = launch('serving', 'serve');
    stranger.endExpected = true;
    expect((await stranger.exited).code).toBe(2);
    expect(stranger.lines.join('\n')).toContain('CLUSTER_OTHER_LOG');
  },
  300_000,
);

test.skipIf(binary === undefined)(
  'a disk of a server that is full: nodes wait, and go on when there is room and the server was started again',
  async ({ skip }) => {
    const store = join(dir, 'nats-1');
    mkdirSync(store);
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', store]);
    if (status !== 0) return skip('a file system cannot be mounted here');
    mounted = store;
    nats = await NatsCluster.begin(binary as string, dir, 1);
    const [server] = nats.servers;
    const writer = await start('writer');
    await expect.poll(() => relay.server.connections).toBe(1);
    const serving = await start('serving', 'serve');
    await relay.server.publish(300);
    await level(writer, serving, (await serving.started) as string);
    const { bavail, bsize } = statfsSync(store);
    writeFileSync(join(store, 'filler'), Buffer.alloc(bavail * bsize));
    const doubts = async (): Promise<number> => {
      const reasons = ['timeout', 'no_leader', 'storage', 'error'];
      const sums = reasons.map((reason) => metric(writer, `cluster_retries_total{reason="${reason}"}`));
      return (await Promise.all(sums)).reduce((sum, one) => sum + one, 0);
    };
    // What is written to a file that has room in its last block is still taken.
    await expect
      .poll(
        async () => {
          await relay.server.publish(200);
          return doubts();
        },
        { timeout: 60_000 },
      )
      .toBeGreaterThan(3);
    for (const daemon of running) expect(daemon.exit).toBeUndefined();
    rmSync(join(store, 'filler'));
    await server.stop();
    server.start();
    await relay.server.publish(300);
    await level(writer, serving, (await serving.started) as string);
  },
  300_000,
);
