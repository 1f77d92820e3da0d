// A table of the log that is damaged while the daemon runs, and a client that asks for what is in it: the replay ends, and nothing else.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { makeLog } from '../cmd/inspect/sample-log.ts';
import { Target } from './target.ts';

/** All messages until it is closed or has come past `untilUs`, and the code of the close. */
function replay(url: string, untilUs: number): Promise<{ times: number[]; code: number | undefined }> {
  return new Promise((resolve) => {
    const times: number[] = [];
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.on('message', (data: Buffer) => {
      const { time_us } = JSON.parse(data.toString());
      times.push(time_us);
      if (time_us < untilUs) return;
      resolve({ times, code: undefined });
      socket.terminate();
    });
    socket.on('close', (code) => resolve({ times, code }));
    socket.on('error', () => {});
  });
}

it.each([['1'], ['0']])('a zeroed page ends the replay that needs it (--workers %s)', async (workers) => {
  // What the daemon finds at start is not in its memory.
  let firstUs = 0;
  const prepare = async (folder: string): Promise<void> => {
    const { sample } = await makeLog(folder, 7, new Array(40).fill(256));
    firstUs = sample.events[0].time_us;
  };
  await using target = await Target.start(['--workers', workers], { prepare });
  const { dataDir, daemon, port } = target;
  const folder = join(dataDir, 'blocks');
  const tables = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.ldb'));
  await target.under(256 * 2 ** 20, async () => {
    const [name] = tables().toSorted();
    const file = await open(join(folder, name), 'r+');
    await file.write(Buffer.alloc(4096), 0, 4096, 0);
    await file.close();
    const first = await replay(`ws://127.0.0.1:${port}/subscribe?cursor=1`, Date.now() * 1000);
    // The daemon may have seen it before: then the replay begins behind it.
    expect(first.code !== undefined || first.times[0] > firstUs, JSON.stringify(first.times[0])).toBe(true);
    const said = (): string[] => daemon.lines.filter((line) => line.includes('LOG_CORRUPT'));
    await expect.poll(() => said().join('\n')).toContain(`${name}, at offset 0`);
    // The log is opened again without what was there, and goes on.
    const aside = (): Buffer[] =>
      readdirSync(dataDir)
        .filter((entry) => entry.startsWith('damaged-'))
        .map((entry) => join(dataDir, entry, 'blocks', name))
        .filter((path) => existsSync(path))
        .map((path) => readFileSync(path).subarray(0, 4096));
    await expect.poll(aside).toEqual([Buffer.alloc(4096)]);
    const nowUs = Date.now() * 1000;
    const second = await replay(`ws://127.0.0.1:${port}/subscribe?cursor=${nowUs - 1_000_000}`, nowUs);
    expect(second.code).toBeUndefined();
  });
  await target.finish();
});
