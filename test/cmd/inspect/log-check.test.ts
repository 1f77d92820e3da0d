import { cp, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CheckOptions, type CheckResult, checkLog } from '../../../cmd/inspect/log-check.ts';
import { type ProblemCode, problemMeanings } from '../../../cmd/inspect/problem.ts';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { operations } from '../../../lib/event/event.ts';
import { noPath, subjectInts } from '../../../lib/event/subject.ts';
import { noCollection, type SubjectColumns } from '../../../lib/log/block.ts';
import {
  blockKey,
  descriptionKey,
  lastPart,
  packBlock,
  parts,
  unpackBlock,
} from '../../../lib/log/block-format.ts';
import { BlockStore } from '../../../lib/log/block-store.ts';
import { Journal } from '../../../lib/log/journal.ts';
import { LevelLog } from '../../../lib/log/level-log.ts';
import { SegmentIndex, segmentBlocks } from '../../../lib/log/segment-index.ts';
import { subjectHashesOf, withSubjectHashes } from '../../../lib/log/subject-columns.ts';
import { SubjectFilter } from '../../../lib/log/subject-filter.ts';
import { SampleLog, seededRandom } from '../../support/events.ts';
import {
  bytesIn,
  compressor,
  contentOf,
  databases,
  edit,
  flip,
  makeFormat1,
  makeLog,
  makeLogOfBlocks,
  type OpenBlock,
  type RawDatabase,
  rewrite,
  type WrittenLog,
  withoutSubjects,
  withRealFrames,
} from './log.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-check-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

const decompressorOf: CheckOptions['decompressorOf'] = (id) =>
  id === compressor.dictionaryId ? compressor : undefined;

async function check(options: Partial<CheckOptions> = {}): Promise<CheckResult> {
  const reader = await ClosedLog.open(dataDir);
  try {
    return await checkLog(reader, { decompressorOf, ...options });
  } finally {
    await reader.close();
  }
}

/** Names of the problems with the block they are at, `log` for the log as a whole. */
function named({ problems }: CheckResult): string[] {
  return problems.listed.map(
    ({ code, where, timeUs }) => `${code} ${where === 'log' ? where : `${where} ${timeUs}`}`,
  );
}

describe('a log that is intact', () => {
  test('is clean, with compacted blocks, full ones, empty ones and a journal', async () => {
    const sizes = [3, 0, 40, 300, 1, 0, ...Array.from({ length: 60 }, (_, at) => at % 9), 270, 5, 0, 7];
    const { sample, stored, journalled } = await makeLog(dataDir, 70, sizes);
    expect(stored.length).toBeGreaterThan(3);
    expect(journalled.length).toBe(3);
    const before = await contentOf(dataDir);
    const progress: number[] = [];
    const result = await check({ onProgress: (events) => progress.push(events) });
    expect(named(result)).toEqual([]);
    expect(result).toMatchObject({
      blocks: stored.length,
      journalBlocks: 3,
      events: sample.events.length,
      segments: 0,
      steppedBack: [],
    });
    expect(result.unchecked.size).toBe(0);
    expect(progress.at(-1)).toBe(sample.events.length);
    expect(await contentOf(dataDir)).toEqual(before);
  });

  test('is clean when it is empty, when its journal was never made, and after trimming within a segment', async () => {
    await makeLog(dataDir, 71, []);
    expect(await check()).toMatchObject({ blocks: 0, events: 0, problems: { total: 0 } });
    await rm(join(dataDir, 'journal'), { recursive: true });
    expect(await check()).toMatchObject({ blocks: 0, journalBlocks: 0, problems: { total: 0 } });
    const { stored } = await makeLogOfBlocks(dataDir, 72, 2.5 * segmentBlocks, 2, 2);
    for (const trimmed of [100, segmentBlocks - 1, segmentBlocks, segmentBlocks + 1, 2 * segmentBlocks + 5]) {
      const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
      await store.trim(stored[trimmed], 0);
      await store.close();
      const result = await check();
      expect(named(result), String(trimmed)).toEqual([]);
      expect(result).toMatchObject({
        blocks: stored.length - trimmed,
        segments: [2, 2, 1, 1, 0][[100, 255, 256, 257, 517].indexOf(trimmed)],
      });
    }
  });

  test('is clean while the journal still has what was compacted', async () => {
    const { sample } = await makeLogOfBlocks(dataDir, 73, 0, 0);
    const store = await BlockStore.open(join(dataDir, 'blocks'), compressor);
    const again = new SampleLog(seededRandom(74), { didHashKey: store.didHashKey });
    const journal = await Journal.open(join(dataDir, 'journal'));
    for (let made = 0; made < 4; made++) {
      const block = withRealFrames(again.block(3));
      await store.append(block, false);
      if (made > 1) await journal.append(block, 0, false);
    }
    await journal.close();
    await store.close();
    expect(sample.events).toEqual([]);
    expect(await check()).toMatchObject({ problems: { total: 0 }, blocks: 4, journalBlocks: 2 });
    const trimmed = await BlockStore.open(join(dataDir, 'blocks'), compressor);
    await trimmed.trim(trimmed.lastTimeUs, 0);
    await trimmed.close();
    expect(await check()).toMatchObject({ problems: { total: 0 }, blocks: 1, journalBlocks: 2 });
  });

  test('says which dictionary is not at hand, and checks all else', async () => {
    const { sample, stored } = await makeLog(dataDir, 75, [300, 4]);
    const result = await check({ decompressorOf: () => undefined });
    expect(result.problems.total).toBe(0);
    expect(result.unchecked).toEqual(new Map([[compressor.dictionaryId, sample.events.length]]));
    await edit(dataDir, 'blocks', (db) => flip(db, blockKey(stored[0], parts.zstd), 100));
    expect(named(await check({ decompressorOf: () => undefined }))).toEqual([
      `zstd_checksum store ${stored[0]}`,
    ]);
  });

  test('is clean when it is of format 1, and when it has become one of format 2', async () => {
    const { sample } = await makeLogOfBlocks(dataDir, 77, 2 * segmentBlocks - 3, 3, 3, withoutSubjects);
    await makeFormat1(dataDir);
    const formatOf = async (): Promise<number | undefined> => {
      const reader = await ClosedLog.open(dataDir);
      await reader.close();
      return reader.description?.format;
    };
    expect(await formatOf()).toBe(1);
    expect(await check()).toMatchObject({ problems: { total: 0 }, segments: 1, journalBlocks: 3 });
    const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
    const log = await LevelLog.open(options);
    const { didHashKey, lastTimeUs } = log;
    const newer = new SampleLog(seededRandom(78), { didHashKey, lastTimeUs, textBytesMax: 10 });
    // The first is compacted with what the journal has, and the others end the segment.
    for (const size of [255, 256, 256, 256, 5])
      await log.append(await log.resolve(withRealFrames(newer.block(size))));
    await log.close();
    expect(await formatOf()).toBe(2);
    const result = await check();
    expect(named(result)).toEqual([]);
    expect(result).toMatchObject({
      events: sample.events.length + newer.events.length,
      segments: 2,
      bytes: (await bytesIn(dataDir, 'blocks')) + (await bytesIn(dataDir, 'journal')),
    });
  });

  test('is not looked into when it is of a later format', async () => {
    await makeLog(dataDir, 79, [3]);
    await edit(dataDir, 'blocks', (db) => db.put(descriptionKey, Buffer.from('{"format":3}')));
    await expect(check()).rejects.toMatchObject({
      code: 'LOG_NEWER_FORMAT',
      message: expect.stringContaining('has format 3, this version reads those up to 2'),
    });
  });

  test('notes positions that go back, unless the relay was forgotten in between', async () => {
    const { stored } = await makeLogOfBlocks(dataDir, 76, 6, 0);
    await edit(dataDir, 'blocks', async (db) => {
      await rewrite(db, stored[2], (block) => {
        block.positions = new Map();
      });
      await rewrite(db, stored[5], (block) => {
        block.positions = new Map([['relay.test', 2]]);
      });
    });
    const result = await check();
    // The rewritten heads have other lengths than the totals of the blocks behind them say.
    expect(new Set(result.problems.counts.keys())).toEqual(new Set(['block_totals']));
    expect(result.steppedBack).toEqual([{ timeUs: stored[5], relay: 'relay.test', from: 5, to: 2 }]);
  });
});

/** Number of blocks in the shared log, with one segment that is complete and one that is open. */
const blocks = segmentBlocks + 40;
const at = { middle: 101, segment: segmentBlocks - 1, open: segmentBlocks + 20, last: blocks - 1 };

interface Damage {
  readonly title: string;
  /** Of what must be reported, and nothing else. `@` stands for the block's key. */
  readonly expected: readonly string[];
  readonly block: number;
  readonly change: (db: RawDatabase, timeUs: number, made: WrittenLog) => Promise<unknown>;
}

/** A change that leaves every checksum right, and the totals behind the block, so that only the meaning is wrong. */
function meaning(change: (block: OpenBlock) => void): Damage['change'] {
  return (db, timeUs) => rewrite(db, timeUs, change);
}

/** The first byte of event `event`'s payload in the JSON frames. */
function payloadStart({ json, index }: OpenBlock, event: number): number {
  return json.indexOf('{', event === 0 ? 0 : index.jsonEnd[event - 1]);
}

/** Changes the text of the last event, without changing its length. */
function retext(block: OpenBlock, from: string, to: string): void {
  const start = block.json.indexOf(from, payloadStart(block, block.index.count - 1));
  expect(start).toBeGreaterThan(0);
  expect(to.length).toBe(from.length);
  block.json.write(to, start);
}

async function putSegment(
  db: RawDatabase,
  made: WrittenLog,
  change: (indexes: OpenBlock['index'][]) => void,
  previousUs = 0,
) {
  const indexes: OpenBlock['index'][] = [];
  for (const timeUs of made.stored.slice(0, segmentBlocks)) {
    await rewrite(db, timeUs, (block) => indexes.push(block.index));
  }
  change(indexes);
  const segment = new SegmentIndex(previousUs);
  for (const index of indexes) segment.add(index);
  await db.put(blockKey(made.stored[segmentBlocks - 1], parts.segment), segment.write());
}

/** Changes what a block's events point at. */
function subjects(
  change: (subjects: SubjectColumns, block: OpenBlock) => SubjectColumns | undefined,
): Damage['change'] {
  return meaning((block) => {
    block.index = { ...block.index, subjects: change(block.index.subjects!, block) };
  });
}

/** An event with a record that points at something, or at nothing. */
function withRecord({ kindAndOperation, subjects }: OpenBlock['index'], pointsAtSome: boolean): number {
  const event = kindAndOperation.findIndex((value, at) => {
    const operation = value >> 4;
    const hasRecord = operation === operations.create || operation === operations.update;
    return hasRecord && subjectHashesOf(subjects!, at).length > 0 === pointsAtSome;
  });
  expect(event).toBeGreaterThanOrEqual(0);
  return event;
}

/** Lets an event with a record point at something else. */
function subjectHashes(pointsAtSome: boolean, change: (ints: Uint32Array) => Uint32Array): Damage['change'] {
  return subjects((columns, { index }) => {
    const event = withRecord(index, pointsAtSome);
    return withSubjectHashes(columns, new Map([[event, change(subjectHashesOf(columns, event))]]));
  });
}

/** A segment that knows other times at which one of its blocks was made. */
function madeAs(change: (subjects: SubjectColumns) => SubjectColumns | undefined): Damage['change'] {
  return (db, _, made) =>
    putSegment(db, made, (indexes) => {
      const position = indexes.findIndex(({ subjects }) => subjects !== undefined);
      indexes[position] = { ...indexes[position], subjects: change(indexes[position].subjects!) };
    });
}

/** A filter that knows something else of one of its blocks, which points at a record. */
function filteredAs(change: (subjects: SubjectColumns) => SubjectColumns | undefined): Damage['change'] {
  return async (db, timeUs, made) => {
    const filter = new SubjectFilter();
    let isChanged = false;
    for (const key of made.stored.slice(0, segmentBlocks)) {
      await rewrite(db, key, ({ index: { subjects } }) => {
        const isRecord = (int: number, at: number) => at % subjectInts === 2 && int !== noPath;
        const isChosen = !isChanged && subjects?.subjectHashes.some(isRecord);
        isChanged ||= isChosen === true;
        filter.add(isChosen ? change(subjects!) : subjects);
      });
    }
    expect(isChanged).toBe(true);
    await db.put(blockKey(timeUs, parts.subjectFilter), filter.write());
  };
}

const zstdOfText = ['zstd_content @'];
const damages: readonly Damage[] = [
  {
    title: 'a bit of a head',
    block: at.middle,
    expected: ['head_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.head), 777),
  },
  {
    title: 'a bit of a JSON part',
    block: at.middle,
    expected: ['json_checksum @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.json), 77),
  },
  {
    title: 'a bit of a zstd part',
    block: at.open,
    expected: ['zstd_checksum @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.zstd), 77),
  },
  {
    title: 'a bit of a segment',
    block: at.segment,
    expected: ['segment_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.segment), 7777),
  },
  {
    title: 'a bit of the subjects',
    block: at.open,
    expected: ['subjects_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.subjects), 177),
  },
  {
    title: 'no subjects part',
    block: at.open,
    expected: ['subjects_missing @'],
    change: (db, timeUs) => db.del(blockKey(timeUs, parts.subjects)),
  },
  {
    title: 'a bit of a filter',
    block: at.segment,
    expected: ['filter_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.subjectFilter), 77_777),
  },
  {
    title: 'no filter',
    block: at.segment,
    expected: ['filter_missing @'],
    change: (db, timeUs) => db.del(blockKey(timeUs, parts.subjectFilter)),
  },
  ...(['head', 'json', 'zstd', 'segment'] as const).map((part) => ({
    title: `no ${part} part`,
    block: at.segment,
    expected: [`${part}_missing @`],
    change: (db: RawDatabase, timeUs: number) => db.del(blockKey(timeUs, parts[part])),
  })),
  {
    title: 'a shorter JSON part',
    block: at.last,
    expected: ['json_checksum @'],
    change: async (db, timeUs) => {
      const key = blockKey(timeUs, parts.json);
      await db.put(key, (await db.get(key))!.subarray(1));
    },
  },
  {
    title: 'a block in the middle that is gone',
    block: at.middle,
    expected: ['block_gap @+1', 'segment_blocks @segment', 'without_collection_events @segment'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'the block with the segment that is gone',
    block: at.segment,
    expected: ['block_gap @+1', 'segment_missing @'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'the newest block that is gone',
    block: at.last,
    expected: ['journal_gap journal'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'two blocks that have changed places',
    block: at.open,
    expected: [
      'key_mismatch @',
      'block_gap @',
      'key_mismatch @+1',
      'block_order @+1',
      'block_gap @+1',
      'block_totals @+2',
    ],
    change: async (db, timeUs, { stored }) => {
      for (const part of [parts.head, parts.json, parts.zstd, parts.subjects]) {
        const keys = [blockKey(timeUs, part), blockKey(stored[at.open + 1], part)];
        const [first, second] = await db.getMany(keys);
        await db.put(keys[0], second!);
        await db.put(keys[1], first!);
      }
    },
  },
  {
    title: 'a head of another time',
    block: at.last,
    expected: ['key_mismatch @', 'columns @', 'columns @'],
    change: meaning((block) => {
      block.index = { ...block.index, lastTimeUs: block.index.firstTimeUs - 1 };
    }),
  },
  {
    title: 'events in the wrong order',
    block: at.last,
    expected: ['time_order @', 'columns @', 'event_time @'],
    change: meaning(({ index }) => index.timeUs.reverse()),
  },
  {
    title: 'one time that is wrong',
    block: at.last,
    expected: ['event_time @'],
    change: meaning(({ index }) => index.timeUs[1]++),
  },
  {
    title: 'a collection that is not in the list',
    block: at.last,
    expected: ['columns @', 'event_collection @'],
    change: meaning(({ index }) => {
      index.collection[0] = index.collections.length;
    }),
  },
  {
    title: 'a JSON part that is not zstd',
    block: at.last,
    expected: ['json_undecodable @'],
    change: meaning((block) => {
      block.stored = Buffer.from('not zstd');
    }),
  },
  {
    title: 'a JSON part with an event too many',
    block: at.last,
    expected: ['json_length @'],
    change: meaning((block) => {
      block.json = Buffer.concat([block.json, Buffer.from([0x81, 2, 0x7b, 0x7d])]);
    }),
  },
  {
    title: 'ends that fall',
    block: at.last,
    expected: ['json_length @', 'zstd_length @'],
    change: meaning(({ index }) => {
      index.jsonEnd[0] = index.jsonEnd[1];
      index.zstdEnd[0] = 0;
    }),
  },
  {
    title: 'an end within a frame',
    block: at.last,
    expected: ['json_message @', 'zstd_message @'],
    change: meaning(({ index }) => {
      index.jsonEnd[0]--;
      index.zstdEnd[1]--;
    }),
  },
  {
    title: 'JSON frames of the wrong kind',
    block: at.last,
    expected: ['json_message @'],
    change: meaning(({ json }) => {
      json[0] = 0x82;
    }),
  },
  {
    title: 'a long JSON frame that declares another length',
    block: at.last,
    expected: ['json_message @'],
    change: meaning(({ json, index }) => {
      const long = [0, ...index.jsonEnd].find((start) => json[start + 1] === 126)!;
      json[long + 3] ^= 1;
    }),
  },
  {
    title: 'a zstd frame that declares another length',
    block: at.last,
    expected: ['zstd_message @'],
    change: meaning(({ zstd }) => zstd[1]++),
  },
  {
    title: 'text that is not JSON',
    block: at.last,
    expected: ['json_text @', ...zstdOfText],
    change: meaning((block) => {
      block.json[payloadStart(block, 0)] = 0x5b;
    }),
  },
  {
    title: 'text that is not UTF-8',
    block: at.last,
    expected: ['json_text @', ...zstdOfText],
    change: meaning((block) => {
      block.json[block.json.indexOf('did:plc:') + 12] = 0xff;
    }),
  },
  {
    title: 'text of another time',
    block: at.last,
    expected: ['event_time @', ...zstdOfText],
    change: meaning((block) => retext(block, '"time_us":17', '"time_us":18')),
  },
  {
    title: 'text of another account',
    block: at.last,
    expected: ['event_did @', ...zstdOfText],
    change: meaning((block) => retext(block, 'did:plc:aaa', 'did:plc:aab')),
  },
  ...[0, 1].map((half) => ({
    title: `half ${half} of a DID hash that is wrong`,
    block: at.last,
    expected: ['event_did @'],
    change: meaning(({ index }) => {
      index.didHash[half] ^= 1;
    }),
  })),
  {
    title: 'a kind that is wrong',
    block: at.last,
    expected: ['event_kind @'],
    change: meaning(({ index }) => {
      index.kindAndOperation[0] ^= 3;
    }),
  },
  {
    title: 'an operation that is wrong',
    block: at.last,
    expected: ['event_kind @'],
    change: meaning(({ index }) => {
      index.kindAndOperation[0] ^= 0x30;
    }),
  },
  {
    title: 'a collection that is wrong',
    block: at.last,
    expected: ['event_collection @'],
    change: meaning((block) => {
      const names = [...block.index.collections];
      names[0] = names[0].toUpperCase();
      block.index = { ...block.index, collections: names };
    }),
  },
  {
    title: 'a zstd frame with a bit of its magic number flipped',
    block: at.last,
    expected: ['zstd_undecodable @'],
    change: meaning(({ zstd }) => {
      zstd[zstd[1] < 126 ? 2 : 4] ^= 0x10;
    }),
  },
  {
    title: 'zstd frames of other events',
    block: at.last,
    expected: ['zstd_content @'],
    change: meaning((block) => {
      const other = Buffer.from(block.json);
      other.write('x', other.indexOf('did:plc:') + 8);
      const frames = withRealFrames({ ...block, json: other });
      block.zstd = Buffer.from(frames.zstd);
      block.index = frames.index;
    }),
  },
  {
    title: 'subjects of another number of events',
    block: at.last,
    expected: ['subjects_damaged @'],
    change: subjects((columns) => ({ ...columns, path: columns.path.slice(1), ends: columns.ends.slice(1) })),
  },
  {
    title: 'subjects of another number of subjects',
    block: at.last,
    expected: ['subjects_damaged @'],
    change: subjects((columns) => ({ ...columns, subjectHashes: columns.subjectHashes.slice(subjectInts) })),
  },
  {
    title: 'subjects that the head does not have',
    block: at.last,
    expected: ['subjects_excess @', 'event_path @'],
    change: async (db, timeUs, made) => {
      const key = blockKey(timeUs, parts.subjects);
      const value = (await db.get(key))!;
      await subjects(() => undefined)(db, timeUs, made);
      await db.put(key, value);
    },
  },
  {
    title: 'no subjects, as the head says',
    block: at.last,
    expected: ['event_path @'],
    change: subjects(() => undefined),
  },
  {
    title: 'a path that is wrong',
    block: at.last,
    expected: ['event_path @'],
    change: subjects((columns, { index }) => {
      columns.path[withRecord(index, true)] ^= 1;
      return columns;
    }),
  },
  {
    title: 'a path and a subject of an event without a record',
    block: at.last,
    expected: ['event_subjects @', 'event_path @'],
    change: subjects((columns, { index }) => {
      const event = index.collection.indexOf(noCollection);
      columns.path[event] = 7;
      return withSubjectHashes(columns, new Map([[event, Uint32Array.of(1, 2, 3)]]));
    }),
  },
  ...[0, 1, 2].map((int) => ({
    title: `part ${int} of a subject that is wrong`,
    block: at.last,
    expected: ['event_subjects @'],
    change: subjectHashes(true, (ints) => ints.with(int, ints[int] ^ 1)),
  })),
  {
    title: 'a subject too few',
    block: at.last,
    expected: ['event_subjects @'],
    change: subjectHashes(true, (ints) => ints.subarray(subjectInts)),
  },
  {
    title: 'a subject that is there twice',
    block: at.last,
    expected: ['event_subjects @'],
    change: subjectHashes(true, (ints) => Uint32Array.of(...ints, ...ints.subarray(0, subjectInts))),
  },
  {
    title: 'a subject of a record that has none',
    block: at.last,
    expected: ['event_subjects @'],
    change: subjectHashes(false, () => Uint32Array.of(1, 2, 3)),
  },
  ...[-1, 1].map((offUs) => ({
    title: `events made until ${offUs === 1 ? 'after they were stored' : 'before they were made'}`,
    block: at.last,
    expected: ['columns @'],
    change: subjects((columns, { index }) => ({
      ...columns,
      createdThroughUs: offUs + (offUs === 1 ? index.lastTimeUs : columns.createdFromUs),
    })),
  })),
  {
    title: 'a segment with a block that was made later than it says',
    block: at.segment,
    expected: ['segment_created @'],
    change: madeAs((columns) => ({ ...columns, createdThroughUs: columns.createdThroughUs - 1 })),
  },
  {
    title: 'a segment with a block that was made earlier than it says',
    block: at.segment,
    expected: ['segment_created @'],
    change: madeAs((columns) => ({ ...columns, createdFromUs: columns.createdFromUs + 1 })),
  },
  {
    title: 'a segment that does not say when a block was made',
    block: at.segment,
    expected: ['segment_created @'],
    change: madeAs(() => undefined),
  },
  {
    title: 'a filter without what a block points at',
    block: at.segment,
    expected: ['segment_denies @'],
    change: filteredAs(() => undefined),
  },
  {
    title: 'a filter with the accounts and without the records that a block points at',
    block: at.segment,
    expected: ['segment_denies @'],
    change: filteredAs((columns) => ({
      ...columns,
      subjectHashes: columns.subjectHashes.map((int, at) => (at % subjectInts === 2 ? noPath : int)),
    })),
  },
  {
    title: 'a block that begins before the last one ends',
    block: at.last,
    expected: ['event_time @', 'block_order @'],
    change: meaning((block) => {
      block.index.timeUs[0] -= 1_000_000;
      block.index = { ...block.index, firstTimeUs: block.index.timeUs[0] };
    }),
  },
  {
    title: 'totals that are wrong',
    block: at.last,
    expected: ['block_totals @'],
    change: meaning((block) => {
      block.before = { events: block.before.events + 1, bytes: block.before.bytes };
    }),
  },
  {
    title: 'a link to another segment',
    block: at.open,
    expected: ['segment_link @'],
    change: meaning((block) => {
      block.segmentUs--;
    }),
  },
  {
    title: 'a link to a segment that is not there',
    block: at.last,
    expected: ['segment_missing @-1'],
    change: async (db, timeUs, { stored }) =>
      rewrite(db, timeUs, (block) => {
        block.segmentUs = stored[at.last - 1];
      }),
  },
  {
    title: 'a segment that names one before the first',
    block: at.segment,
    expected: ['segment_link @'],
    change: (db, _, made) => putSegment(db, made, () => {}, 5),
  },
  {
    title: 'a segment of one block less',
    block: at.segment,
    // Its filter has the blocks in other places.
    expected: ['segment_blocks @', 'segment_blocks @', 'segment_denies @'],
    change: (db, _, made) => putSegment(db, made, (indexes) => indexes.splice(7, 1)),
  },
  {
    title: 'a stale segment, of other times',
    block: at.segment,
    expected: ['segment_blocks @', 'segment_blocks @'],
    change: (db, _, made) =>
      putSegment(db, made, (indexes) => {
        indexes[3] = { ...indexes[3], lastTimeUs: indexes[3].lastTimeUs - 1 };
      }),
  },
  {
    title: 'a segment without a block’s collections',
    block: at.segment,
    expected: ['segment_denies @'],
    change: (db, _, made) =>
      putSegment(db, made, (indexes) => {
        const position = indexes.findIndex(({ collection }) => !collection.includes(noCollection));
        indexes[position] = { ...indexes[position], collections: [] };
      }),
  },
  {
    title: 'a segment without a block’s accounts',
    block: at.segment,
    expected: ['segment_denies @'],
    change: (db, _, made) =>
      putSegment(db, made, (indexes) => {
        indexes[9] = { ...indexes[9], didHash: indexes[9].didHash.map((half) => ~half) };
      }),
  },
  {
    title: 'a segment with collections that a block does not have',
    block: at.segment,
    expected: ['segment_excess @'],
    change: (db, _, made) =>
      putSegment(db, made, (indexes) => {
        const position = indexes.findIndex(({ collection }) => !collection.includes(noCollection));
        indexes[position] = {
          ...indexes[position],
          collections: [...indexes[position].collections, 'a.b.c'],
        };
      }),
  },
  {
    title: 'a key that is not the log’s',
    block: 0,
    expected: ['key_unknown log'],
    change: (db) => db.put(Buffer.from('stray'), Buffer.from('x')),
  },
  {
    title: 'a part that is none of a block’s',
    block: at.last,
    expected: ['key_unknown log'],
    change: (db, timeUs) => {
      const key = blockKey(timeUs, parts.head);
      key[9] = lastPart + 1;
      return db.put(key, Buffer.from('x'));
    },
  },
  {
    title: 'no events without a collection behind a segment',
    block: at.segment,
    expected: ['without_collection_missing @'],
    change: (db, timeUs) => db.del(blockKey(timeUs, parts.withoutCollection)),
  },
  {
    title: 'a bit of the events without a collection behind a segment',
    block: at.segment,
    expected: ['without_collection_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.withoutCollection), 1000),
  },
  {
    title: 'no description',
    block: 0,
    expected: ['description_damaged log'],
    change: (db) => db.del(descriptionKey),
  },
  ...['{"format":1,"didHashKey":"77"}', '{"format":0,"didHashKey":"7777777777777777"}'].map((text) => ({
    title: `a description that makes no sense: ${text}`,
    block: 0,
    expected: ['description_damaged log'],
    change: (db: RawDatabase) => db.put(descriptionKey, Buffer.from(text)),
  })),
];

describe('damage is reported by name and block, and nothing else is', () => {
  let original: string;
  let made: WrittenLog;
  beforeAll(async () => {
    original = await mkdtemp(join(tmpdir(), 'slipstream-check-'));
    made = await makeLogOfBlocks(original, 80, blocks, 3, 3);
    const events = made.sample.events.filter(({ time_us }) => time_us <= made.stored[at.last]);
    expect(events.length).toBeGreaterThan(blocks);
  });
  afterAll(() => rm(original, { recursive: true }));
  beforeEach(() => cp(original, dataDir, { recursive: true }));

  test.each(damages)('$title', async ({ block, expected, change }) => {
    const timeUs = made.stored[block];
    await edit(dataDir, 'blocks', (db) => change(db, timeUs, made));
    const keyOf = (where: string): string => {
      if (where === '@segment') return `store ${made.stored[at.segment]}`;
      if (where.startsWith('@')) return `store ${made.stored[block + Number(where.slice(1) || 0)]}`;
      return where === 'journal' ? `journal ${made.journalled[0].index.lastTimeUs}` : where;
    };
    const result = await check();
    const isRewritten = !expected.some((name) => name.startsWith('block_totals'));
    // A head of another length moves the totals of all blocks behind it, which is no news.
    const found = named(result).filter((name) => !isRewritten || !name.startsWith('block_totals'));
    expect(found).toEqual(expected.map((name) => name.replace(/ (.*)/, (_, where) => ` ${keyOf(where)}`)));
    for (const { detail } of result.problems.listed) expect(detail).toMatch(/^[^\n]{10,200}$/);
  });

  const journalDamages: {
    title: string;
    expected: ProblemCode[];
    change: (db: RawDatabase) => Promise<unknown>;
  }[] = [
    {
      title: 'a bit of the head',
      expected: ['head_damaged', 'journal_gap'],
      change: (db) => flip(db, keyOfJournalled(1), 300),
    },
    {
      title: 'a bit of the zstd frames',
      expected: ['zstd_checksum'],
      change: async (db) => {
        const value = (await db.get(keyOfJournalled(1)))!;
        await flip(db, keyOfJournalled(1), (value.length - unpackBlock(value).head.subjectBytes) * 8 - 9);
      },
    },
    {
      title: 'a bit of the subjects',
      expected: ['subjects_damaged'],
      change: async (db) => {
        const value = (await db.get(keyOfJournalled(1)))!;
        await flip(db, keyOfJournalled(1), value.length * 8 - 9);
      },
    },
    {
      title: 'subjects that are cut off',
      expected: ['subjects_missing'],
      change: async (db) => {
        const value = (await db.get(keyOfJournalled(1)))!;
        const kept = value.length - unpackBlock(value).head.subjectBytes;
        await db.put(keyOfJournalled(1), value.subarray(0, kept));
      },
    },
    {
      title: 'a byte too many',
      expected: ['subjects_damaged'],
      change: async (db) => {
        const value = (await db.get(keyOfJournalled(1)))!;
        await db.put(keyOfJournalled(1), Buffer.concat([value, Buffer.from('x')]));
      },
    },
    {
      title: 'a cut value',
      expected: ['head_damaged', 'journal_gap'],
      change: (db) => db.put(keyOfJournalled(1), Buffer.from('x')),
    },
    { title: 'a block that is gone', expected: ['journal_gap'], change: (db) => db.del(keyOfJournalled(1)) },
    {
      title: 'a strange key',
      expected: ['key_unknown'],
      change: (db) => db.put(Buffer.from('x'), Buffer.from('x')),
    },
    {
      title: 'events that the store should have',
      expected: ['journal_lost'],
      change: (db) => putJournalled(db, made.stored[at.open] + 1, made.stored[at.open] + 20),
    },
    {
      title: 'a block that begins before the last one ends',
      expected: ['block_order'],
      change: (db) => {
        const { lastTimeUs } = made.journalled[2].index;
        return putJournalled(db, lastTimeUs - 1, lastTimeUs + 20);
      },
    },
    {
      title: 'a block across the end of the store',
      expected: ['journal_overlap'],
      change: (db) => putJournalled(db, made.stored[at.last] - 1, made.stored[at.last] + 20),
    },
  ];
  test.each(journalDamages)('in the journal: $title', async ({ expected, change }) => {
    await edit(dataDir, 'journal', change);
    const { problems } = await check();
    const meant = new Set<ProblemCode>(expected);
    // The block that follows a strange one has no place any more.
    problems.counts.delete('event_time');
    if (!meant.has('journal_gap')) problems.counts.delete('journal_gap');
    expect(new Set(problems.counts.keys())).toEqual(meant);
  });

  function keyOfJournalled(position: number): Buffer {
    return blockKey(made.journalled[position].index.lastTimeUs, parts.head);
  }

  /** A journal block of two events at these times. */
  async function putJournalled(db: RawDatabase, firstTimeUs: number, lastTimeUs: number): Promise<void> {
    const block = made.journalled.find(({ index }) => index.count >= 2 && index.subjects !== undefined)!;
    const timeUs = block.index.timeUs.map((_, event) =>
      event === 0 ? firstTimeUs : lastTimeUs - block.index.count + 1 + event,
    );
    const place = { previousUs: made.stored[at.last], before: { events: 0, bytes: 0 }, segmentUs: 0 };
    const subjects = { ...block.index.subjects!, createdFromUs: firstTimeUs, createdThroughUs: lastTimeUs };
    const index = { ...block.index, timeUs, firstTimeUs, lastTimeUs, subjects };
    const value = packBlock({ ...block, index }, block.json, place);
    await db.put(blockKey(lastTimeUs, parts.head), value);
  }

  test('whichever bit of whichever value is flipped', async () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    for (let round = 0; round < 24; round++) {
      const name = databases[round % 4 === 0 ? 1 : 0];
      const undo = await edit(dataDir, name, async (db) => {
        const keys = await db.keys({ gte: Buffer.from('b') }).all();
        const key = keys[Math.floor(random() * keys.length)];
        const value = (await db.get(key))!;
        await flip(db, key, Math.floor(random() * value.length * 8));
        return { key, value };
      });
      expect((await check({ listedMax: 5 })).problems.total, `seed ${seed}, round ${round}`).toBeGreaterThan(
        0,
      );
      await edit(dataDir, name, (db) => db.put(undo.key, undo.value));
    }
    expect((await check()).problems.total, `seed ${seed}`).toBe(0);
  });

  test('a table that LevelDB cannot read, and all that it can read is read', async () => {
    await edit(dataDir, 'blocks', (db) => db.compactRange(Buffer.from('a'), Buffer.from('c')));
    const folder = join(dataDir, 'blocks');
    const tables = (await readdir(folder)).filter((file) => file.endsWith('.ldb')).toSorted();
    const sizes = await Promise.all(tables.map(async (file) => (await stat(join(folder, file))).size));
    const largest = sizes.indexOf(Math.max(...sizes));
    const table = await open(join(folder, tables[largest]), 'r+');
    const damage = Buffer.alloc(Math.floor(sizes[largest] / 10), 0xff);
    await table.write(damage, 0, damage.length, Math.floor(sizes[largest] / 10));
    await table.close();
    const result = await check();
    const { counts, listed } = result.problems;
    expect(counts.get('read_failed')).toBe(1);
    expect(listed.find(({ code }) => code === 'read_failed')?.detail).toContain(dataDir);
    // What LevelDB has read when it finds out is not lost: neither the newest block nor what is before it.
    expect(counts.has('journal_gap')).toBe(false);
    const keys: number[] = [];
    const reader = await ClosedLog.open(dataDir);
    try {
      for await (const { lastTimeUs } of reader.blocks()) keys.push(lastTimeUs);
    } catch (error) {
      expect(error).toMatchObject({ code: 'LOG_READ_FAILED' });
    }
    await reader.close();
    expect(keys.length).toBe(result.blocks);
    const missing = made.stored.filter((timeUs) => !keys.includes(timeUs));
    expect(missing.length).toBeLessThan(blocks / 2);
    expect(keys.at(-1)).toBe(made.stored.at(-1));
  });

  test('the segment of the newest block', async () => {
    await rm(dataDir, { recursive: true });
    const { stored } = await makeLogOfBlocks(dataDir, 81, segmentBlocks, 0, 1);
    await edit(dataDir, 'blocks', (db) => db.del(blockKey(stored[segmentBlocks - 1], parts.segment)));
    expect(named(await check())).toEqual([`segment_missing store ${stored[segmentBlocks - 1]}`]);
  });

  test('problems beyond the bound are counted', async () => {
    await edit(dataDir, 'blocks', async (db) => {
      for (const timeUs of made.stored) await flip(db, blockKey(timeUs, parts.zstd), 20);
    });
    const { problems } = await check({ listedMax: 10 });
    expect(problems.listed.length).toBe(10);
    expect(problems.total).toBe(blocks);
    expect(problems.counts).toEqual(new Map([['zstd_checksum', blocks]]));
  });

  test('every name there is', () => {
    const tested = new Set([
      ...damages.flatMap(({ expected }) => expected.map((name) => name.split(' ')[0])),
      ...journalDamages.flatMap(({ expected }) => expected),
      'read_failed',
    ]);
    expect([...tested].toSorted()).toEqual(Object.keys(problemMeanings).toSorted());
  });
});
