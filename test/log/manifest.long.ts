import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LevelLog } from '../../lib/log/level-log.ts';
import { journalFolder, storeFolder } from '../../lib/log/log-files.ts';
import type { LogFollower } from '../../lib/log/log-replica.ts';
import { manifestBytesOf } from '../../lib/log/manifest.ts';
import { fakeCompressor, payloadsOf } from '../support/events.ts';
import { ShiftedBlocks } from '../support/shifted-blocks.ts';

const manifestBytesMax = 2500;

test('what LevelDB notes of its tables begins anew: nothing is lost, and readers go on', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-manifest-'));
  const told: string[] = [];
  /** Of the larger one. */
  const manifestBytes = async (): Promise<number> =>
    Math.max(
      ...(await Promise.all(
        [storeFolder, journalFolder].map((folder) => manifestBytesOf(join(dataDir, folder))),
      )),
    );
  /** The most that a new one began with: the list of all tables. */
  let begunBytes = 0;
  const follower: LogFollower = {
    compacted: () => {},
    trimming: () => {},
    suspend: async () => void told.push('suspend'),
    resume: async () => {
      told.push('resume');
      begunBytes = Math.max(begunBytes, await manifestBytes());
    },
  };
  const log = await LevelLog.open({
    dataDir,
    retentionBytes: 0,
    tailBytesMax: 0,
    fsync: false,
    compressor: fakeCompressor,
    manifestBytesMax,
    follower,
  });
  const blocks = new ShiftedBlocks(1, 100, log.didHashKey);
  let isDone = false;
  let eventsRead = 0;
  /** A replay that goes on through every opening. */
  const reading = (async () => {
    for (let timeUs = 0; !isDone || timeUs < log.lastTimeUs; ) {
      const { slices, throughUs } = await log.read(timeUs, 'json', 200_000);
      for (const { messages } of slices) eventsRead += payloadsOf(messages, 0x81).length;
      timeUs = throughUs;
      if (slices.length === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  let appended = 0;
  let bytesMax = 0;
  while (told.length < 6) {
    for (let count = 0; count < 4; count++) await log.append(blocks.next());
    appended += 400;
    await log.flush();
    await log.trim(0);
    bytesMax = Math.max(bytesMax, await manifestBytes());
  }
  isDone = true;
  await reading;
  expect(eventsRead).toBe(appended);
  expect(log.stats().storedEvents).toBe(appended);
  expect(told).toEqual(Array(3).fill(['suspend', 'resume']).flat());
  expect(bytesMax).toBeGreaterThan(manifestBytesMax);
  expect(bytesMax).toBeLessThan(begunBytes + 2 * manifestBytesMax);
  await log.close();
  await rm(dataDir, { recursive: true });
});
