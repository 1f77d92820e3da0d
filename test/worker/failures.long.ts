// Parts of a running daemon that fail, with the daemon as a process: it ends in order, with the exit code that it promises, and
// soon after the last subscriber has had its goodbye, whatever it was that failed.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon, type Exit } from '../crash/daemon.ts';

const file = resolve(import.meta.dirname, 'failure-preload.ts');
const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'failures', accounts: 12 }), 200);
const clientsMax = 12;

/** How a daemon ended: its exit code, what its clients were told, and how long after the last of that it was gone. */
interface Ending {
  readonly exit: Exit;
  readonly closes: readonly number[];
  readonly afterLastGoodbyeMs: number;
  readonly lines: string;
}

/** Starts a daemon with workers and clients, has it fail, and waits for its end. @param signals sent then, one after the other. */
async function endingOf(failure: string, signals: readonly NodeJS.Signals[] = []): Promise<Ending> {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-failures-'));
  const relay = await RelayServer.listen({ source: pool, framesPerSecond: 200 });
  const env = {
    FAILURE: failure,
    FAILURE_FILE: join(dataDir, 'fail'),
    FAILURE_LOOK_MS: failure === 'loops' && signals.length === 0 ? '100' : '3000',
    NODE_OPTIONS: '--max-old-space-size=100',
  };
  const flags = ['--workers', '2'];
  const daemon = new Daemon({ dataDir, relayUrl: relay.url, flags, preloads: [{ file, env }] });
  try {
    const address = await daemon.started;
    if (address === undefined) throw new Error(`the daemon did not start: ${daemon.lines.join('\n')}`);
    const clients = Array.from({ length: clientsMax }, () => new WebSocket(`${address}/subscribe`));
    await Promise.all(clients.map((client) => once(client, 'open')));
    let lastGoodbyeMs = 0;
    const closes = clients.map(async (client) => {
      client.on('error', () => {});
      const [code] = await once(client, 'close');
      // Those of a process that is gone are no goodbyes.
      if (daemon.exit === undefined) lastGoodbyeMs = performance.now();
      return code as number;
    });
    await writeFile(env.FAILURE_FILE, '');
    // Enough for the database: few events are in the journal's files alone.
    if (failure.startsWith('write-')) await relay.publish(2_000);
    if (signals.length > 0)
      await expect.poll(() => existsSync(`${env.FAILURE_FILE}.begun`), { timeout: 20_000 }).toBe(true);
    // One that has been silent for two seconds is not waited for at a stop.
    if (signals.length > 0 && failure === 'loops') await new Promise((done) => setTimeout(done, 2_500));
    for (const signal of signals) process.kill(daemon.pid as number, signal);
    const exit = await daemon.exited;
    const afterLastGoodbyeMs = performance.now() - lastGoodbyeMs;
    return { exit, closes: await Promise.all(closes), afterLastGoodbyeMs, lines: daemon.lines.join('\n') };
  } finally {
    await daemon.kill();
    await relay.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

const both = ['SIGTERM', 'SIGINT'] as const;

test.each([
  ['a worker throws', 'throws', [], 1, 'a worker that throws'],
  ['a worker has no memory left', 'memory', [], 1, 'reaching memory limit'],
  ['a worker hangs', 'loops', [], 1, 'WORKER_HANGS'],
  ['a worker hangs, and it is to stop', 'loops', both, 1, 'WORKER_HANGS'],
  ['a worker does not end when it is to stop', 'stays', ['SIGTERM'], 0, 'SERVICE_STOP_INCOMPLETE'],
  ['a write fails', 'write-fails', [], 1, 'LOG_WRITE_FAILED'],
  ['a write fails, and it is to stop', 'write-fails-late', both, 1, 'LOG_WRITE_FAILED'],
  ['a write hangs, and it is to stop', 'write-hangs', both, 0, 'SERVICE_STOP_INCOMPLETE'],
] as const)('%s: the daemon ends', async (_name, failure, signals, code, line) => {
  const { exit, closes, afterLastGoodbyeMs, lines } = await endingOf(failure, signals);
  expect(lines).toContain(line);
  expect(lines).not.toContain('cut off');
  expect(exit, lines).toEqual({ code, signal: null });
  if (process.env.FAILURE_FIGURES) console.log(_name, closes, Math.round(afterLastGoodbyeMs));
  // 1006: those of the thread that failed.
  expect(closes.filter((close) => close !== 1006)).toEqual(closes.filter((close) => close === 1001));
  expect(closes).toContain(1001);
  // The promise is a second; the machine may have other work.
  expect(afterLastGoodbyeMs).toBeLessThan(3_000);
});

test('a worker that cannot open the log: the daemon says why, and does not start', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-failures-'));
  const relay = await RelayServer.listen({ source: pool });
  const env = { FAILURE: 'opening-fails' };
  const daemon = new Daemon({
    dataDir,
    relayUrl: relay.url,
    flags: ['--workers', '2'],
    preloads: [{ file, env }],
  });
  try {
    expect(await daemon.exited).toEqual({ code: 1, signal: null });
    const lines = daemon.lines.join('\n');
    expect(lines).toMatch(/"level":"error".*"code":"LOG_OPEN_FAILED".*an opening that fails/);
    expect(lines).not.toContain('Node.js v');
  } finally {
    await daemon.kill();
    await relay.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
