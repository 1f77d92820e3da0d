// Signals to the daemon as a process: at any moment of its start, and again in the middle of a stop.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Daemon } from '../crash/daemon.ts';
import { until } from '../crash/until.ts';

let dataDir: string;
let daemon: Daemon | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-signals-'));
});
afterEach(async () => {
  await daemon?.kill();
  await rm(dataDir, { recursive: true });
});

function start(): Daemon {
  // Nobody listens there.
  daemon = new Daemon({ dataDir, relayUrl: 'ws://127.0.0.1:9', flags: ['--workers', '1'] });
  return daemon;
}

test.each([0, 5, 20, 60, 120])('a signal %d ms into the start is a stop', async (ms) => {
  const starting = start();
  // The log is opened first: from before it on signals are heard.
  await until(
    () => existsSync(join(dataDir, 'blocks')),
    60_000,
    () => 'the log is not opened',
  );
  await delay(ms);
  expect(await starting.stop()).toEqual({ code: 0, signal: null });
});

test('a second signal does not cut a stop off: clients are told', async () => {
  const url = (await start().started) as string;
  const socket = new WebSocket(`${url}/subscribe`);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  const running = daemon as Daemon;
  const end = running.stop();
  void running.stop();
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([1001, 'server shutting down']);
  void running.stop();
  expect(await end).toEqual({ code: 0, signal: null });
});
