// What a running daemon says of itself to its operator.

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeInfo } from '../../simulator/lib/frame-encoder.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';

interface Health {
  readonly status: number;
  readonly failing: readonly string[];
}

async function readiness(daemon: Daemon): Promise<Health> {
  const { port } = daemon.service.addresses.metrics;
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  const { ready, checks } = (await response.json()) as {
    ready: boolean;
    checks: Record<string, { ok: boolean }>;
  };
  expect(ready).toBe(response.status === 200);
  return { status: response.status, failing: Object.keys(checks).filter((name) => !checks[name].ok) };
}

async function relayOf(seed: string): Promise<RelayServer> {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed, accounts: 4 }), 20);
  return RelayServer.listen({ source: pool });
}

for (const workers of ['0', '2']) {
  test(`with --workers ${workers} it is ready once frames come, and not without a relay`, async () => {
    const relay = await relayOf(`ready ${workers}`);
    await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', workers]);
    await expect.poll(() => relay.connections).toBe(1);
    await expect.poll(() => readiness(daemon)).toEqual({ status: 503, failing: ['frames'] });
    await relay.publish(10);
    await expect.poll(() => readiness(daemon)).toEqual({ status: 200, failing: [] });
    await relay.close();
    await expect.poll(() => readiness(daemon)).toEqual({ status: 503, failing: ['relay'] });
    const { port } = daemon.service.addresses.metrics;
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
    expect((await fetch(`${daemon.httpUrl}/health/live`)).status).toBe(404);
  });
}

test('while it closes its subscribers at a stop it is alive and not ready', async () => {
  const relay = await relayOf('stop');
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0']);
  const socket = new WebSocket(daemon.url);
  await once(socket, 'open');
  // A client that does not answer the close frame keeps the stop waiting.
  socket.pause();
  const stopped = daemon.service.stop();
  const { failing } = await readiness(daemon);
  expect(failing).toContain('listener');
  socket.terminate();
  await stopped;
  await relay.close();
});

test('writes are timed, and a frame without a time leaves the lag', async () => {
  const relay = await relayOf('writes');
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0']);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(10);
  await expect.poll(() => daemon.metric('slipstream_published_blocks_total')).toBeGreaterThan(0);
  const newest = await daemon.metric('slipstream_upstream_newest_frame_timestamp_seconds');
  expect(newest).toBeGreaterThan(1.7e9);
  expect(await daemon.metric('slipstream_log_write_seconds_count')).toBe(
    await daemon.metric('slipstream_published_blocks_total'),
  );
  relay.sendRaw(encodeInfo('OutdatedCursor', 'no time in here'));
  await expect.poll(() => daemon.metric('slipstream_frames_total{type="info"}')).toBe(1);
  expect(await daemon.metric('slipstream_upstream_newest_frame_timestamp_seconds')).toBeGreaterThanOrEqual(
    newest,
  );
  await relay.close();
});

test('a relay that repeats itself is one line, and a sum at the end', async () => {
  const relay = await relayOf('repeats');
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0']);
  await expect.poll(() => relay.connections).toBe(1);
  for (let notice = 0; notice < 5; notice++) relay.sendRaw(encodeInfo('OutdatedCursor', `${notice}`));
  await expect.poll(() => daemon.metric('slipstream_frames_total{type="info"}')).toBe(5);
  await daemon.service.stop();
  const notices = daemon.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'relay notice');
  expect(notices.map(({ message, repeats }) => [message, repeats])).toEqual([
    ['0', undefined],
    ['4', 4],
  ]);
  await relay.close();
});
