// NATS comes back with less than it had acknowledged, as after a power failure without sync_interval always: nodes notice, end, set their
// logs aside and copy the stream, and the relay has what is lost.

import { cpSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'slipstream-cluster-'));
  relay = await ObservedRelay.listen('lost tail');
  running = [];
});
afterEach(async () => {
  for (const daemon of running) await daemon.kill();
  await nats?.end();
  await relay.server.close();
  await rm(dir, { recursive: true });
});

async function start(name: string, command?: string): Promise<Daemon> {
  const urls = nats.servers.map(({ port }) => `nats://127.0.0.1:${port}`).join(',');
  const own = ['--nats-url', urls, '--stream-replicas', '1', '--stream-bytes', '1GiB', '--workers', '0'];
  const daemon = new Daemon({ dataDir: join(dir, name), relayUrl: relay.url, command, flags: own });
  running.push(daemon);
  expect(await daemon.started, daemon.lines.join('\n')).toBeDefined();
  return daemon;
}

async function metric({ metrics }: Daemon, name: string): Promise<number> {
  const text = await (await fetch(`http://${metrics}/metrics`)).text();
  return Number(new RegExp(`^slipstream_${name} (\\S+)$`, 'm').exec(text)?.[1]);
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
