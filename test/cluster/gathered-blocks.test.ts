// Blocks that wait go into the stream together: what is in it then, what the log of the writer and of others have, and what is left
// when it ends in the middle.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { readMessage } from '../../lib/cluster/block-message.ts';
import { ClusterCounts } from '../../lib/cluster/cluster-counts.ts';
import { ClusterLog } from '../../lib/cluster/cluster-log.ts';
import { StreamFollower } from '../../lib/cluster/stream-follower.ts';
import { StreamWriter } from '../../lib/cluster/stream-writer.ts';
import { CodedError } from '../../lib/errors.ts';
import { BlockQueue } from '../../lib/ingest/block-queue.ts';
import type { Block } from '../../lib/log/block.ts';
import type { EventLog } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../support/events.ts';
import { type AppendFault, FakeClock, FakeEngine } from './fake-engine.ts';
import { streamId, textsOf } from './sample-stream.ts';

const didHashKey = Buffer.from('0011223344556677', 'hex');
const scratch = new ByteWriter();
let dataDir: string;
let engine: FakeEngine;
let opened: LevelLog[];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-gathered-'));
  engine = new FakeEngine();
  opened = [];
});
afterEach(async () => {
  for (const log of opened) await log.close();
  await rm(dataDir, { recursive: true });
});

async function open(name: string): Promise<LevelLog> {
  const log = await LevelLog.open({
    ...{ dataDir: join(dataDir, name), retentionBytes: 0, tailBytesMax: 0, fsync: false },
    ...{ compressor: fakeCompressor, didHashKey },
  });
  opened.push(log);
  return log;
}

function sampleLog(seed: number): SampleLog {
  return new SampleLog(seededRandom(seed), { textBytesMax: 500, didHashKey });
}

/** A queue that writes to the stream, and what it published. */
function writer(log: EventLog) {
  const published: Block[] = [];
  const failures: unknown[] = [];
  const cluster = new ClusterLog({
    ...{ log, streamId, termId: 'own.1', sequence: 0, messageBytesMax: engine.messageBytesMax },
    writer: new StreamWriter(engine, new ClusterCounts(), new FakeClock()),
    tooLarge: () => {},
    patienceMs: 5,
  });
  const queue = new BlockQueue(
    {
      log: cluster,
      publish: (block) => void published.push(block),
      ...{ written: () => {}, stalled: () => {}, failed: (error) => failures.push(error) },
    },
    { setPaused: () => {}, drained: () => {} },
  );
  return { cluster, queue, published, failures };
}

/** Also while it waits for room or for the engine. */
async function done(queue: BlockQueue): Promise<void> {
  await expect.poll(() => queue.isStoring).toBe(false);
  await queue.stop();
}

/** Texts of the events in a log. */
async function textsIn(log: LevelLog): Promise<string[]> {
  const texts: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1e9);
    texts.push(...slices.flatMap(({ index, messages }) => textsOf({ index, json: messages } as Block)));
    timeUs = throughUs;
  }
  return texts;
}

/** Blocks of all messages, by message. */
function inStream(): (readonly Block[])[] {
  return engine.stored.map((message) => readMessage(message, streamId, fakeCompressor, scratch).blocks);
}

/** Copies the stream into a log, from where it is. */
async function follow(log: LevelLog, sequence: number): Promise<void> {
  let appended = Promise.resolve();
  const follower = new StreamFollower({
    ...{ engine, counts: new ClusterCounts(), streamId, compressor: fakeCompressor, sequence },
    ...{ lastTimeUs: log.lastTimeUs, clock: new FakeClock() },
    push: (block) => {
      appended = appended.then(() => log.append(block));
    },
    failed: (error) => expect.unreachable(String(error)),
  });
  follower.start();
  await expect.poll(() => follower.sequence).toBe(engine.lastSequence);
  await follower.stop();
  await appended;
}

test('what waits goes together, one message at a time, and everybody has the same', async () => {
  const local = await open('writer');
  const sample = sampleLog(4);
  const { cluster, queue, published, failures } = writer(local);
  for (let made = 0; made < 40; made++)
    queue.push(sample.block(made % 7 === 0 ? 300 : 1 + (made % 5)), undefined);
  await done(queue);
  expect(failures).toEqual([]);
  const messages = inStream();
  expect(messages.length).toBeLessThan(20);
  expect(Math.max(...messages.map(({ length }) => length))).toBeGreaterThan(5);
  expect(engine.appendsAtOnce).toBe(1);
  expect(cluster.sequence).toBe(messages.length);
  const texts = sample.events.map((event) => JSON.stringify(event));
  expect(messages.flat().flatMap(textsOf)).toEqual(texts);
  expect(published.flatMap(textsOf)).toEqual(texts);
  expect(await textsIn(local)).toEqual(texts);
  const copy = await open('follower');
  await follow(copy, 0);
  expect(await textsIn(copy)).toEqual(texts);
  expect(copy.positions).toEqual(local.positions);
});

test('a deletion finds its record in a block that is not in the log yet', async () => {
  const alone = await open('alone');
  const [one, other] = [sampleLog(11), sampleLog(11)];
  for (let made = 0; made < 60; made++) await alone.append(await alone.resolve(one.block(20)));
  const { queue, published } = writer(await open('writer'));
  for (let made = 0; made < 60; made++) queue.push(other.block(20), undefined);
  await done(queue);
  expect(inStream().length).toBeLessThan(20);
  expect(alone.deletions.found).toBeGreaterThan(50);
  expect(opened[1].deletions).toEqual(alone.deletions);
  const subjects = inStream()
    .flat()
    .map(({ index }) => index.subjects);
  expect(published.map(({ index }) => index.subjects)).toEqual(subjects);
});

test('a log that ends in the middle of a message goes on there', async () => {
  const sample = sampleLog(4);
  const { queue } = writer(await open('writer'));
  for (let made = 0; made < 9; made++) queue.push(sample.block(3), undefined);
  await done(queue);
  const texts = sample.events.map((event) => JSON.stringify(event));
  const blocks = inStream();
  const at = blocks.findIndex(({ length }) => length > 3);
  for (let had = 1; had < blocks[at].length; had++) {
    const copy = await open(`follower ${had}`);
    for (const block of [...blocks.slice(0, at).flat(), ...blocks[at].slice(0, had)])
      await copy.append(block);
    await follow(copy, copy.positions.get(`stream:${streamId}`) as number);
    expect(await textsIn(copy)).toEqual(texts);
  }
});

/** What an append of the engine or of the local log may meet, by chance. */
const faults: readonly AppendFault[] = [
  'lost',
  'timeout',
  'no_leader',
  'in_process',
  'reconnected',
  'proposed',
  'foreign',
];

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'by chance, seed %d: once each, in order, and nothing behind a rival',
  async (seed) => {
    const random = new SeededRandom(String(seed), 'gathered');
    const local = await open('writer');
    let isFull = false;
    const sometimesFull: EventLog = new Proxy(local, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (name === 'recover') {
          return async () => {
            isFull = false;
          };
        }
        if (name !== 'append') return typeof value === 'function' ? value.bind(target) : value;
        return async (block: Block) => {
          if (random.float() < 0.1) isFull = true;
          if (isFull) throw new CodedError('LOG_DISK_FULL', 'full', { retryable: true });
          await target.append(block);
        };
      },
    });
    engine.knowsIds = seed % 2 === 0;
    const sample = sampleLog(seed);
    const { queue, published, failures } = writer(sometimesFull);
    for (let made = 0; made < 60; made++) {
      if (random.float() < 0.3) engine.appendFaults.push(random.pick(faults.slice(0, seed > 4 ? 7 : 6)));
      else engine.appendFaults.push('ok');
      queue.push(sample.block(random.between(1, 40)), undefined);
      if (random.float() < 0.5) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await done(queue);
    const rival = engine.stored.findIndex(({ id }) => id.startsWith('rival'));
    // Its message is a copy of ours, of another place: not for reading.
    const own = engine.stored.slice(0, rival < 0 ? undefined : rival);
    expect(engine.stored.slice(own.length).filter(({ id }) => id.startsWith('own'))).toEqual([]);
    const texts = sample.events.map((event) => JSON.stringify(event));
    const stored = own
      .flatMap((message) => readMessage(message, streamId, fakeCompressor, scratch).blocks)
      .flatMap(textsOf);
    expect(stored).toEqual(rival < 0 ? texts : texts.slice(0, stored.length));
    // A rival that comes behind the last one is in nobody's way.
    const isWhole = stored.length === texts.length;
    expect(failures).toEqual(isWhole ? [] : [expect.objectContaining({ code: 'CLUSTER_FENCED' })]);
    // Nobody has seen what the stream does not have.
    expect(await textsIn(local)).toEqual(stored);
    expect(published.flatMap(textsOf)).toEqual(stored);
    expect(engine.appendsAtOnce).toBe(1);
  },
);
