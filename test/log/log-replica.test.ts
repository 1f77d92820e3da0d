import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogReader } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { type LogFollower, LogReplica } from '../../lib/log/log-replica.ts';
import { fakeCompressor, payloadsOf, SampleLog, seededRandom } from '../support/events.ts';

let dataDir: string;
let log: LevelLog;
let replica: LogReplica;
/** What the writer has told and the replica has not applied yet. */
let waiting: (() => void)[] = [];

const follower: LogFollower = {
  compacted(compacted, count) {
    const copy = structuredClone(compacted);
    waiting.push(() => replica.compacted(copy, count));
  },
  trimming: (throughUs) => void waiting.push(() => replica.trimming(throughUs)),
  suspend() {
    catchUp();
    return replica.suspend();
  },
  resume: () => replica.resume(structuredClone(log.replicaStart)),
};

function catchUp(): void {
  for (const apply of waiting.splice(0)) apply();
}

async function open(tailBytesMax: number): Promise<void> {
  const options = { dataDir, tailBytesMax, compressor: fakeCompressor };
  log = await LevelLog.open({ ...options, retentionBytes: 300_000, fsync: false, follower });
  replica = await LogReplica.open({ ...options, catchUp }, structuredClone(log.replicaStart));
}

beforeEach(async () => {
  waiting = [];
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-replica-'));
});
afterEach(async () => {
  await replica.close();
  await log.close();
  await rm(dataDir, { recursive: true });
});

async function append(sample: SampleLog, events: number): Promise<void> {
  const block = sample.block(events);
  await log.append(block);
  const copy = structuredClone(block);
  waiting.push(() => replica.append(copy));
}

/** `time_us` of everything after `timeUs`, as a subscriber finds it: memory first, then the log. */
async function timesAfter(reader: LogReader, timeUs: number): Promise<number[]> {
  const times: number[] = [];
  while (timeUs < reader.lastTimeUs) {
    const recent = reader.recentAfter(timeUs);
    const slices =
      recent === undefined
        ? await reader.read(timeUs, 'json', 50_000)
        : { slices: [{ index: recent.index, messages: recent.json }], throughUs: recent.index.lastTimeUs };
    for (const { index, messages } of slices.slices) {
      const payloads = payloadsOf(messages, 0x81);
      expect(payloads).toHaveLength(index.count);
      for (const payload of payloads) {
        const { time_us } = JSON.parse(Buffer.from(payload).toString());
        if (time_us > timeUs) times.push(time_us);
      }
    }
    expect(slices.throughUs).toBeGreaterThan(timeUs);
    timeUs = slices.throughUs;
  }
  return times;
}

test.each([0, 200_000, 1e9])(
  'a replica with a tail of %i bytes reads what the log reads, whenever it catches up',
  async (tailBytesMax) => {
    await open(tailBytesMax);
    const seed = 40 + (tailBytesMax % 7);
    const random = seededRandom(seed);
    const sample = new SampleLog(random, { didHashKey: log.didHashKey });
    let applied = 0;
    for (let round = 0; round < 90; round++) {
      await append(sample, random() < 0.1 ? 256 + Math.floor(random() * 50) : 1 + Math.floor(random() * 30));
      if (random() < 0.3) await log.trim(0);
      if (random() < 0.5) {
        catchUp();
        applied = sample.events.length;
      }
      const after = random() < 0.5 ? 0 : (sample.events[Math.floor(random() * applied)]?.time_us ?? 0);
      const found = await timesAfter(replica, after);
      const through = replica.lastTimeUs;
      const all = sample.events.map((event) => event.time_us);
      const expected = all.filter((time) => time > after && time <= through);
      // Retention may have taken the oldest; nothing else may be missing.
      expect(found, `seed ${seed} round ${round}`).toEqual(expected.slice(expected.length - found.length));
      if (after === 0 && waiting.length === 0) expect(found).toEqual(await timesAfter(log, 0));
    }
    expect(log.stats().storedEvents).toBeLessThan(sample.events.length);
  },
);

test('reads wait while the databases are closed and opened again', async () => {
  await open(0);
  const sample = new SampleLog(seededRandom(44), { didHashKey: log.didHashKey });
  for (let made = 0; made < 30; made++) await append(sample, 20);
  catchUp();
  const before = timesAfter(replica, 0);
  await log.recover();
  const during = timesAfter(replica, 0);
  await append(sample, 20);
  catchUp();
  const times = sample.events.map((event) => event.time_us);
  expect(await before).toEqual(times.slice(0, 600));
  expect((await during).slice(0, 600)).toEqual(times.slice(0, 600));
  expect(await timesAfter(replica, 0)).toEqual(times);
});

test('threads that are not of one mind are found out', async () => {
  await open(0);
  const sample = new SampleLog(seededRandom(45), { didHashKey: log.didHashKey });
  await append(sample, 20);
  catchUp();
  expect(() => replica.compacted(sample.block(3), 1)).toThrow('a bug, please report it');
});
