// A daemon on a log of each format that there was: everything is replayed, and what it leaves is sound.

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { makeLogOfBlocks } from '../cmd/inspect/sample-log.ts';
import { Daemon } from '../crash/daemon.ts';
import { makeFormat } from '../log/older-formats.ts';

/** More than a segment. */
const blocks = 300;

test.each([
  [1, 0, '0'],
  [1, 0, '1'],
  [2, 20, '0'],
  [2, 20, '1'],
] as const)('format %d, %d blocks in the journal, %s workers', async (format, journalBlocks, workers) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-formats-'));
  const flags = ['--workers', workers, '--event-ttl', '87600h'];
  const { sample } = await makeLogOfBlocks(dataDir, format, blocks, journalBlocks);
  await makeFormat(dataDir, format);
  // Nobody is a relay there.
  const daemon = new Daemon({ dataDir, relayUrl: 'ws://127.0.0.1:9', flags });
  try {
    const address = await daemon.started;
    expect(address, daemon.lines.join('\n')).toBeDefined();
    const response = await fetch(`${address?.replace('ws:', 'http:')}/events.ndjson?cursor=1&limit=1000000`);
    expect((await response.text()).trimEnd().split('\n')).toEqual(
      sample.events.map((event) => JSON.stringify(event)),
    );
    expect(await daemon.stop()).toEqual({ code: 0, signal: null });
    // Totals of blocks have the bytes of subjects, which are taken from a log of today here and were never in one of format 1.
    if (format === 1) return;
    const command = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [command, 'inspect', 'verify', '--data-dir', dataDir],
      { encoding: 'utf8' },
    );
    expect(status, stdout + stderr).toBe(0);
  } finally {
    await daemon.kill();
    await rm(dataDir, { recursive: true });
  }
});
