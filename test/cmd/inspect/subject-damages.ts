// Damages to what the columns of a block say that its events point at.

import { expect } from 'vitest';
import { operations } from '../../../lib/event/event.ts';
import { subjectInts } from '../../../lib/event/subject.ts';
import { noCollection, type SubjectColumns } from '../../../lib/log/block.ts';
import { blockKey, parts } from '../../../lib/log/block-format.ts';
import { subjectHashesOf, withSubjectHashes } from '../../../lib/log/subject-columns.ts';
import { at, type Damage, meaning } from './damage.ts';
import { flip, type OpenBlock } from './raw-log.ts';

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

export const subjectDamages: readonly Damage[] = [
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
    change: async (db, timeUs, written) => {
      const key = blockKey(timeUs, parts.subjects);
      const value = (await db.get(key))!;
      await subjects(() => undefined)(db, timeUs, written);
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
    title: `events created until ${offUs === 1 ? 'after they were stored' : 'before they were created'}`,
    block: at.last,
    expected: ['columns @'],
    change: subjects((columns, { index }) => ({
      ...columns,
      createdThroughUs: offUs + (offUs === 1 ? index.lastTimeUs : columns.createdFromUs),
    })),
  })),
];
