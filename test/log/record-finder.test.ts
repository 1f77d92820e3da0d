import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Clock } from '../../lib/event/clock.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { SubjectHasher } from '../../lib/event/subject.ts';
import { tidOf } from '../../lib/event/tid.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import { type Block, firstEventAfter, type SubjectColumns } from '../../lib/log/block.ts';
import { BlockBuilder, blockEventsMax } from '../../lib/log/block-builder.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { keySlackUs, searchesPerBlockMax } from '../../lib/log/record-finder.ts';
import { segmentBlocks } from '../../lib/log/segment-index.ts';
import {
  fakeCompressor,
  payloadsOf,
  type SampleEvent,
  SampleLog,
  sampleDids,
  seededRandom,
} from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';

let dataDir: string;
let log: LevelLog;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-finder-'));
  await open();
});
afterEach(async () => {
  await log.close();
  await rm(dataDir, { recursive: true });
});

async function open(retentionBytes = 0): Promise<void> {
  const tailBytesMax = 0;
  log = await LevelLog.open({
    dataDir,
    retentionBytes,
    tailBytesMax,
    fsync: false,
    compressor: fakeCompressor,
  });
}

async function append(block: Block): Promise<void> {
  await log.append(await log.resolve(block));
}

/** `time_us` of all stored events that a replay of a filter with these subjects delivers. */
async function find(...subjects: string[]): Promise<number[]> {
  const selection = new Selection({ ...passAll, subjects: new Set(subjects) }, new DidHasher(log.didHashKey));
  const times: number[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1_000_000, selection.readFilter);
    for (const { index, messages } of slices) {
      // What was compacted since the last read comes as one block, with events that have been read.
      const from = firstEventAfter(index, timeUs);
      const batch = selection.cut(index, { bytes: messages, ends: index.jsonEnd }, from, index.count);
      for (const payload of payloadsOf(batch.bytes, 0x81))
        times.push((JSON.parse(Buffer.from(payload).toString()) as SampleEvent).time_us);
    }
    timeUs = throughUs;
  }
  return times;
}

test('a replay by subjects has what points there, and its deletions, however blocks come and wherever they lie', async () => {
  const random = seededRandom(31);
  let nowMs = 1_700_000_000_000;
  const sample = new SampleLog(random, {
    didHashKey: log.didHashKey,
    nowMs: () => nowMs,
    textBytesMax: 100,
    deletionsPerBlockMax: searchesPerBlockMax,
  });
  for (let made = 0; made < 1.2 * segmentBlocks; made++) {
    nowMs += Math.floor(random() * 2000);
    await append(sample.block(random() < 0.9 ? 1 + Math.floor(random() * 150) : blockEventsMax));
    for (let idle = 0; random() < 0.3 && idle < 3; idle++) await append(sample.block(1));
  }
  expect(log.deletions).toMatchObject({ found: expect.any(Number), skipped: 0 });
  const oracle = (wanted: ReadonlySet<string>): number[] =>
    sample.events
      .filter(({ time_us }) =>
        sample.subjects
          .get(time_us)
          ?.some((subject) => wanted.has(subject) || wanted.has(subject.split('/')[2] ?? '')),
      )
      .map(({ time_us }) => time_us);
  for (const round of ['first', 'reopened']) {
    for (let query = 0; query < 8; query++) {
      const wanted = new Set(
        [0, 1].map(() => {
          const did = sampleDids[Math.floor(random() * sampleDids.length)];
          return random() < 0.3 ? did : `at://${did}/app.bsky.feed.post/self`;
        }),
      );
      expect(await find(...wanted), round).toEqual(oracle(wanted));
    }
    await log.close();
    await open();
  }
  expect(log.deletions).toEqual({ found: 0, unknown: 0, skipped: 0 });
});

/** Blocks of likes and their deletions, with keys and times as a test wants them. */
class Likes {
  readonly did = 'did:plc:somebody';
  readonly subject = 'at://did:plc:author/app.bsky.feed.post/3kaaaaaaaaaa2';
  nowUs = 1_700_000_000_000_000;
  readonly #builder = new BlockBuilder(
    new Clock(0, () => this.#tick()),
    new DidHasher(log.didHashKey),
    new Map(),
  );

  #tick(): number {
    this.nowUs += 1000;
    return this.nowUs / 1000;
  }

  /** Adds an event to the open block; returns its `time_us`. */
  event(operation: 'create' | 'delete' | 'update', rkey: string, subject = this.subject): number {
    const time_us = this.#builder.begin();
    this.#builder.writer.ascii(JSON.stringify({ time_us }));
    if (operation !== 'delete' && subject !== '')
      this.#builder.subject(Buffer.from(subject), 0, subject.length);
    const source = Buffer.from(`${this.did}app.bsky.feed.like/${rkey}`);
    const start = this.did.length;
    const collectionEnd = start + 'app.bsky.feed.like'.length;
    const { commit } = eventKinds;
    this.#builder.end(commit, operations[operation], source, 0, start, start, collectionEnd, source.length);
    return time_us;
  }

  /** The open block, of events that came `lagUs` late. */
  block(lagUs = 0): Block {
    return this.#builder.seal(fakeCompressor, this.nowUs - lagUs);
  }

  /** Fills the log, so that what was before lies in the store. */
  async fill(): Promise<void> {
    for (let made = 0; made < blockEventsMax; made++) this.event('create', tidOf(this.nowUs, 2), '');
    await append(this.block());
  }
}

test('a deletion in the same block, in the block behind, and long after', async () => {
  const likes = new Likes();
  const keys = [1, 2, 3].map((id) => tidOf(likes.nowUs, id));
  const made = keys.map((key) => likes.event('create', key));
  const gone = [likes.event('delete', keys[0])];
  await append(likes.block());
  gone.push(likes.event('delete', keys[1]));
  await append(likes.block());
  likes.nowUs += 3_600_000_000;
  await likes.fill();
  gone.push(likes.event('delete', keys[2]));
  await append(likes.block());
  likes.event('delete', tidOf(likes.nowUs, 9));
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([...made, ...gone]);
  expect(log.deletions).toEqual({ found: 3, unknown: 1, skipped: 0 });
});

test('a deletion has what the record pointed at last', async () => {
  const likes = new Likes();
  const key = tidOf(likes.nowUs, 1);
  likes.event('create', key);
  await likes.fill();
  const other = likes.event('update', key, 'did:plc:other');
  await likes.fill();
  const gone = likes.event('delete', key);
  await append(likes.block());
  expect(await find('did:plc:other')).toEqual([other, gone]);
  const bare = tidOf(likes.nowUs, 1);
  likes.event('create', bare);
  await likes.fill();
  likes.event('update', bare, '');
  await likes.fill();
  likes.event('delete', bare);
  await append(likes.block());
  expect(await find(likes.subject)).toHaveLength(2);
});

test('the key of a late event is compared with when it was made', async () => {
  const likes = new Likes();
  const lagUs = 5 * 3_600_000_000;
  const keys = [0, 0.9 * keySlackUs, -0.9 * keySlackUs].map((offUs) => tidOf(likes.nowUs - lagUs + offUs, 1));
  const made = keys.map((key) => likes.event('create', key));
  await append(likes.block(lagUs));
  await likes.fill();
  await log.close();
  await open();
  const gone = keys.map((key) => likes.event('delete', key));
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([...made, ...gone]);
});

test('keys that are no time of the commit are remembered until a restart', async () => {
  const likes = new Likes();
  const keys = ['self', tidOf(likes.nowUs - 2 * keySlackUs, 1), tidOf(likes.nowUs + 2 * keySlackUs, 1)];
  const made = keys.map((key) => likes.event('create', key));
  await likes.fill();
  const gone = keys.map((key) => likes.event('delete', key));
  await likes.fill();
  expect(await find(likes.subject)).toEqual([...made, ...gone]);
  const again = keys.map((key) => likes.event('create', key));
  await likes.fill();
  await log.close();
  await open();
  for (const key of keys) likes.event('delete', key);
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([...made, ...gone, ...again]);
  expect(log.deletions.unknown).toBe(3);
});

test('remembered records of one account are told apart, however alike the hashes of their paths', async () => {
  const likes = new Likes();
  const hasher = new SubjectHasher(new DidHasher(log.didHashKey));
  const keys = new Map<number, string>();
  let pair: string[] = [];
  for (let number = 0; pair.length === 0; number++) {
    const path = Buffer.from(`app.bsky.feed.like/key${number}`);
    const most = hasher.pathOf(path, 0, path.length) >>> 11;
    const other = keys.get(most);
    if (other !== undefined) pair = [other, `key${number}`];
    keys.set(most, `key${number}`);
  }
  const made: number[] = [];
  for (const key of pair) {
    made.push(likes.event('create', key));
    await likes.fill();
  }
  const gone = pair.map((key) => likes.event('delete', key));
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([...made, ...gone]);
});

test('what retention has taken is not found', async () => {
  const likes = new Likes();
  const key = tidOf(likes.nowUs, 1);
  likes.event('create', key);
  await likes.fill();
  await likes.fill();
  await log.trim(likes.nowUs);
  likes.event('delete', key);
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([]);
  expect(log.deletions).toEqual({ found: 0, unknown: 1, skipped: 0 });
});

test('a block with very many deletions is not looked through without bound', async () => {
  const likes = new Likes();
  const keys = Array.from({ length: searchesPerBlockMax + 10 }, (_, id) => tidOf(likes.nowUs, id));
  for (const key of keys) likes.event('create', key);
  await likes.fill();
  await likes.fill();
  for (const key of keys) likes.event('delete', key);
  await append(likes.block());
  expect(log.deletions).toEqual({ found: searchesPerBlockMax, unknown: 0, skipped: 10 });
  expect(await find(likes.subject)).toHaveLength(2 * keys.length - 10);
});

/** The block, and a function that counts how often the hash of a path of it was looked at. */
function counted(block: Block): { block: Block; reads: () => number } {
  let reads = 0;
  const subjects = block.index.subjects as SubjectColumns;
  const path = new Proxy(subjects.path, {
    get: (paths, name) => {
      reads++;
      return Reflect.get(paths, name);
    },
  });
  return {
    block: { ...block, index: { ...block.index, subjects: { ...subjects, path } } },
    reads: () => reads,
  };
}

test('deletions of nothing, however many, go through what is near a few times, not once each', async () => {
  const likes = new Likes();
  const events = 1000;
  for (let id = 0; id < events; id++) likes.event('create', `other${id}`);
  const before = counted(likes.block());
  for (let id = 0; id < events; id++) likes.event('delete', `none${id}`);
  const own = counted(likes.block());
  await log.resolve(own.block, [before.block]);
  expect(before.reads()).toBeLessThan(20 * events);
  expect(own.reads()).toBeLessThan(20 * events);
});

test('of a record that comes and goes in one block, each deletion has what it pointed at just before', async () => {
  const likes = new Likes();
  const other = 'did:plc:other';
  const made = likes.event('create', 'self');
  await append(likes.block());
  const gone = [likes.event('delete', 'self')];
  likes.event('delete', 'self');
  const again = likes.event('create', 'self', other);
  const goneAgain = likes.event('delete', 'self');
  likes.event('delete', 'self');
  const last = likes.event('update', 'self');
  await append(likes.block());
  gone.push(likes.event('delete', 'self'));
  await append(likes.block());
  likes.event('delete', 'self');
  await append(likes.block());
  expect(await find(likes.subject)).toEqual([made, gone[0], last, gone[1]]);
  expect(await find(other)).toEqual([again, goneAgain]);
  expect(log.deletions).toEqual({ found: 3, unknown: 3, skipped: 0 });
});

test('nothing waits for a block without deletions', () => {
  const likes = new Likes();
  likes.event('create', tidOf(likes.nowUs, 1));
  const resolved = log.resolve(likes.block()) as Block;
  expect(resolved).not.toBeInstanceOf(Promise);
  expect(resolved.index.subjects?.keyTimeUs).toBeUndefined();
});

test('a log that cannot be read costs the subjects, not the block', async () => {
  const likes = new Likes();
  const key = tidOf(likes.nowUs, 1);
  likes.event('create', key);
  await likes.fill();
  await likes.fill();
  await log.close();
  likes.event('delete', key);
  const { index } = await log.resolve(likes.block());
  expect(index.subjects?.subjectHashes).toHaveLength(0);
  await open();
});
