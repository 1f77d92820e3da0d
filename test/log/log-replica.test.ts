import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogReplica } from '../../lib/log/log-replica.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { openReplica, type ReplicatedLog, textsAfter } from './log-readers.ts';

let dataDir: string;
let opened: ReplicatedLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-replica-'));
});
afterEach(async () => {
  await opened.close();
  await rm(dataDir, { recursive: true });
});

async function open(tailBytesMax: number): Promise<ReplicatedLog> {
  opened = await openReplica({ dataDir, tailBytesMax, retentionBytes: 300_000 });
  return opened;
}

test.each([0, 200_000, 1e9])(
  'a replica with a tail of %i bytes reads what the log reads, whenever it catches up',
  async (tailBytesMax) => {
    const { log, reader, waiting } = await open(tailBytesMax);
    const seed = 40 + (tailBytesMax % 7);
    const random = seededRandom(seed);
    const sample = new SampleLog(random, { didHashKey: log.didHashKey });
    let applied = 0;
    let compared = 0;
    for (let round = 0; round < 90; round++) {
      const size = random() < 0.1 ? 256 + Math.floor(random() * 50) : 1 + Math.floor(random() * 30);
      await opened.append(sample.block(size));
      if (random() < 0.3) await log.trim(0);
      if (random() < 0.5) {
        opened.catchUp();
        applied = sample.events.length;
      }
      const after = random() < 0.5 ? 0 : (sample.events[Math.floor(random() * applied)]?.time_us ?? 0);
      const oldest = [log.oldestUs, reader.oldestUs];
      const found = (await textsAfter(reader, after)).map((text) => JSON.parse(text).time_us);
      const through = reader.lastTimeUs;
      const all = sample.events.map((event) => event.time_us);
      const expected = all.filter((time) => time > after && time <= through);
      const ofLog = after === 0 ? await textsAfter(log, 0) : [];
      // A trim came in between, or was heard of: what was to be read next is gone.
      if (log.oldestUs !== oldest[0] || reader.oldestUs !== oldest[1]) continue;
      compared++;
      // Retention may have taken the oldest; nothing else may be missing.
      expect(found, `seed ${seed} round ${round}`).toEqual(expected.slice(expected.length - found.length));
      if (after === 0 && waiting.length === 0) expect(found).toHaveLength(ofLog.length);
    }
    expect(compared).toBeGreaterThan(20);
    expect(log.stats().storedEvents).toBeLessThan(sample.events.length);
  },
);

test('a writer and a replica that disagree are found out', async () => {
  const { log, reader, append, catchUp } = await open(0);
  const sample = new SampleLog(seededRandom(45), { didHashKey: log.didHashKey });
  await append(sample.block(20));
  catchUp();
  expect(() => reader.compacted(sample.block(3), 1)).toThrow('a bug, please report it');
});

test('a replica that begins after the log did knows where the log begins', async () => {
  const { log, append } = await open(0);
  const sample = new SampleLog(seededRandom(46), { didHashKey: log.didHashKey });
  for (const size of [256, 3]) await append(sample.block(size));
  const options = { dataDir, tailBytesMax: 0, compressor: fakeCompressor, catchUp() {}, damaged() {} };
  const later = await LogReplica.open(options, structuredClone(log.replicaStart));
  expect(later.oldestUs).toBe(sample.events[0].time_us);
  expect(later.oldestUs).toBe(log.oldestUs);
  await later.close();
});
