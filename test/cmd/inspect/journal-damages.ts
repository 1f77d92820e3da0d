// Damages to the blocks of the journal.

import { expect, test } from 'vitest';
import type { ProblemCode } from '../../../cmd/inspect/problem.ts';
import { blockKey, packBlock, parts, unpackBlock } from '../../../lib/log/block-format.ts';
import { at, check, type DamagedLog } from './damage.ts';
import { edit, flip, type RawDatabase } from './raw-log.ts';
import type { WrittenLog } from './sample-log.ts';

export interface JournalDamage {
  readonly title: string;
  readonly expected: readonly ProblemCode[];
  readonly change: (db: RawDatabase, written: WrittenLog) => Promise<unknown>;
}

function keyOf(written: WrittenLog, position: number): Buffer {
  return blockKey(written.journalled[position].index.lastTimeUs, parts.head);
}

/** A journal block of two events at these times. */
async function putJournalled(
  db: RawDatabase,
  written: WrittenLog,
  firstTimeUs: number,
  lastTimeUs: number,
): Promise<void> {
  const block = written.journalled.find(({ index }) => index.count >= 2 && index.subjects !== undefined)!;
  const timeUs = block.index.timeUs.map((_, event) =>
    event === 0 ? firstTimeUs : lastTimeUs - block.index.count + 1 + event,
  );
  const position = { previousUs: written.stored[at.last], before: { events: 0, bytes: 0 }, segmentUs: 0 };
  const subjects = { ...block.index.subjects!, createdFromUs: firstTimeUs, createdThroughUs: lastTimeUs };
  const index = { ...block.index, timeUs, firstTimeUs, lastTimeUs, subjects };
  const value = packBlock({ ...block, index }, block.json, position);
  await db.put(blockKey(lastTimeUs, parts.head), value);
}

export const journalDamages: readonly JournalDamage[] = [
  {
    title: 'a bit of the head',
    expected: ['head_damaged', 'journal_gap'],
    change: (db, written) => flip(db, keyOf(written, 1), 300),
  },
  {
    title: 'a bit of the zstd frames',
    expected: ['zstd_checksum'],
    change: async (db, written) => {
      const value = (await db.get(keyOf(written, 1)))!;
      await flip(db, keyOf(written, 1), (value.length - unpackBlock(value).head.subjectBytes) * 8 - 9);
    },
  },
  {
    title: 'a bit of the subjects',
    expected: ['subjects_damaged'],
    change: async (db, written) => {
      const value = (await db.get(keyOf(written, 1)))!;
      await flip(db, keyOf(written, 1), value.length * 8 - 9);
    },
  },
  {
    title: 'subjects that are cut off',
    expected: ['subjects_missing'],
    change: async (db, written) => {
      const value = (await db.get(keyOf(written, 1)))!;
      const kept = value.length - unpackBlock(value).head.subjectBytes;
      await db.put(keyOf(written, 1), value.subarray(0, kept));
    },
  },
  {
    title: 'a byte too many',
    expected: ['subjects_damaged'],
    change: async (db, written) => {
      const value = (await db.get(keyOf(written, 1)))!;
      await db.put(keyOf(written, 1), Buffer.concat([value, Buffer.from('x')]));
    },
  },
  {
    title: 'a cut value',
    expected: ['head_damaged', 'journal_gap'],
    change: (db, written) => db.put(keyOf(written, 1), Buffer.from('x')),
  },
  {
    title: 'a block that is gone',
    expected: ['journal_gap'],
    change: (db, written) => db.del(keyOf(written, 1)),
  },
  {
    title: 'a strange key',
    expected: ['key_unknown'],
    change: (db) => db.put(Buffer.from('x'), Buffer.from('x')),
  },
  {
    title: 'events that the store should have',
    expected: ['journal_lost'],
    change: (db, written) =>
      putJournalled(db, written, written.stored[at.open] + 1, written.stored[at.open] + 20),
  },
  {
    title: 'a block that begins before the last one ends',
    expected: ['block_order'],
    change: (db, written) => {
      const { lastTimeUs } = written.journalled[2].index;
      return putJournalled(db, written, lastTimeUs - 1, lastTimeUs + 20);
    },
  },
  {
    title: 'a block across the end of the store',
    expected: ['journal_overlap'],
    change: (db, written) =>
      putJournalled(db, written, written.stored[at.last] - 1, written.stored[at.last] + 20),
  },
];

/** A test for each damage to the journal. */
export function testJournalDamages(log: DamagedLog, damages: readonly JournalDamage[]): void {
  test.each(damages)('in the journal: $title', async ({ expected, change }) => {
    const { dataDir, written } = log;
    await edit(dataDir, 'journal', (db) => change(db, written));
    const { problems } = await check(dataDir);
    const meant = new Set<ProblemCode>(expected);
    // The block that follows a strange one follows nothing that is known.
    problems.counts.delete('event_time');
    if (!meant.has('journal_gap')) problems.counts.delete('journal_gap');
    expect(new Set(problems.counts.keys())).toEqual(meant);
  });
}
