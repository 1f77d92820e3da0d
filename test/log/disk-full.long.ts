import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import type { Block } from '../../lib/log/block.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom } from '../support/events.ts';

// A file system of its own, small enough to fill. Mounting one takes root.
const mountPoint = mkdtempSync(join(tmpdir(), 'slipstream-full-'));
const canMount =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=110m', 'tmpfs', mountPoint]).status === 0;
if (!canMount) rmdirSync(mountPoint);

afterAll(() => {
  if (!canMount) return;
  spawnSync('umount', [mountPoint]);
  rmdirSync(mountPoint);
});

async function replay(log: LevelLog): Promise<string[]> {
  const texts: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1e6);
    for (const { index, messages } of slices) {
      // A block that was compacted since the last read begins before it.
      const after = payloadsOf(messages, 0x81).filter((_, event) => index.timeUs[event] > timeUs);
      texts.push(...after.map((payload) => `${Buffer.from(payload)}`));
    }
    timeUs = throughUs;
  }
  return texts;
}

test.skipIf(!canMount).each([
  ['small blocks, through the journal', 20],
  ['full blocks, straight to the store', 256],
])(
  `a full disk loses nothing, and the log continues when there is room: %s${canMount ? '' : ' (skipped: cannot mount)'}`,
  async (_name, size) => {
    const dataDir = join(mountPoint, 'data');
    const ballast = join(mountPoint, 'ballast');
    await writeFile(ballast, Buffer.alloc(64 * 1024 * 1024, 1));
    const options = {
      dataDir,
      retentionBytes: 0,
      tailBytesMax: 100_000,
      fsync: false,
      compressor: fakeCompressor,
    };
    const log = await LevelLog.open(options);
    const sample = new SampleLog(seededRandom(70), { didHashKey: log.didHashKey });
    let failed: { block: Block; error: unknown } | undefined;
    while (failed === undefined) {
      const block = sample.block(size);
      await log.append(block).catch((error: unknown) => {
        failed = { block, error };
      });
    }
    expect(failed.error).toBeInstanceOf(CodedError);
    expect(failed.error).toMatchObject({ code: 'LOG_DISK_FULL', retryable: true });
    const stored = sample.events.length - size;
    expect((await replay(log)).length).toBe(stored);
    // Nothing is written before the log has been reopened.
    if (log.lastTimeUs < failed.block.index.lastTimeUs) {
      const recovered = log.recover();
      // Retention goes on asking meanwhile, and neither waits for the other.
      const trimmed = log.trim(Number.MAX_SAFE_INTEGER);
      await truncate(ballast, 0);
      await recovered;
      expect(await trimmed).toEqual({ blocks: 0, events: 0, bytes: 0 });
    }
    if (log.lastTimeUs < failed.block.index.lastTimeUs) await log.append(failed.block);
    for (let made = 0; made < 20; made++) await log.append(sample.block(size));
    const expected = sample.events.map((event) => JSON.stringify(event));
    expect(await replay(log)).toEqual(expected);
    await log.close();
    const reopened = await LevelLog.open(options);
    expect(await replay(reopened)).toEqual(expected);
    await reopened.close();
    await rm(dataDir, { recursive: true });
  },
);

test.skipIf(!canMount)('a log that waits for room can be closed', async () => {
  const dataDir = join(mountPoint, 'data');
  const ballast = join(mountPoint, 'ballast');
  await writeFile(ballast, Buffer.alloc(90 * 1024 * 1024, 1));
  const log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 0,
    fsync: false,
    compressor: fakeCompressor,
  });
  const sample = new SampleLog(seededRandom(71), { didHashKey: log.didHashKey });
  let error: unknown;
  while (error === undefined)
    await log.append(sample.block(256)).catch((thrown: unknown) => (error = thrown));
  const recovered = log.recover();
  await log.close();
  await recovered;
  await expect(log.append(sample.block(1))).rejects.toMatchObject({ code: 'LOG_CLOSED', retryable: false });
  await rm(dataDir, { recursive: true });
  await rm(ballast);
});
