// Damages to what is stored of a segment: its index, its filter, its events without a collection, and the links to it.

import { expect } from 'vitest';
import { noPath, subjectInts } from '../../../lib/event/subject.ts';
import { noCollection, type SubjectColumns } from '../../../lib/log/block.ts';
import { blockKey, parts } from '../../../lib/log/block-format.ts';
import { SegmentIndex, segmentBlocks } from '../../../lib/log/segment-index.ts';
import { SubjectFilter } from '../../../lib/log/subject-filter.ts';
import { at, type Damage, meaning } from './damage.ts';
import { flip, type OpenBlock, type RawDatabase, rewrite } from './raw-log.ts';
import type { WrittenLog } from './sample-log.ts';

/** Stores the segment's index as it is for changed columns of its blocks. */
async function putIndex(
  db: RawDatabase,
  written: WrittenLog,
  change: (indexes: OpenBlock['index'][]) => void,
  previousUs = 0,
) {
  const indexes: OpenBlock['index'][] = [];
  for (const timeUs of written.stored.slice(0, segmentBlocks)) {
    await rewrite(db, timeUs, (block) => indexes.push(block.index));
  }
  change(indexes);
  const segment = new SegmentIndex(previousUs);
  for (const index of indexes) segment.add(index);
  await db.put(blockKey(written.stored[segmentBlocks - 1], parts.segment), segment.write());
}

/** An index that knows other times at which the events of one of its blocks were created. */
function createdAs(change: (subjects: SubjectColumns) => SubjectColumns | undefined): Damage['change'] {
  return (db, _, written) =>
    putIndex(db, written, (indexes) => {
      const position = indexes.findIndex(({ subjects }) => subjects !== undefined);
      indexes[position] = { ...indexes[position], subjects: change(indexes[position].subjects!) };
    });
}

/** A filter that knows something else of one of its blocks, which points at a record. */
function filteredAs(change: (subjects: SubjectColumns) => SubjectColumns | undefined): Damage['change'] {
  return async (db, timeUs, written) => {
    const filter = new SubjectFilter();
    let isChanged = false;
    for (const key of written.stored.slice(0, segmentBlocks)) {
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

export const segmentDamages: readonly Damage[] = [
  {
    title: 'a bit of a segment index',
    block: at.segment,
    expected: ['segment_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.segment), 7777),
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
  {
    title: 'a segment index with a block whose events were created later than it says',
    block: at.segment,
    expected: ['segment_created @'],
    change: createdAs((columns) => ({ ...columns, createdThroughUs: columns.createdThroughUs - 1 })),
  },
  {
    title: 'a segment index with a block whose events were created earlier than it says',
    block: at.segment,
    expected: ['segment_created @'],
    change: createdAs((columns) => ({ ...columns, createdFromUs: columns.createdFromUs + 1 })),
  },
  {
    title: 'a segment index that does not say when events were created',
    block: at.segment,
    expected: ['segment_created @'],
    change: createdAs(() => undefined),
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
    title: 'a segment index that names a segment before the first',
    block: at.segment,
    expected: ['segment_link @'],
    change: (db, _, written) => putIndex(db, written, () => {}, 5),
  },
  {
    title: 'a segment index of one block less',
    block: at.segment,
    // Its filter has the blocks at other positions.
    expected: ['segment_blocks @', 'segment_blocks @', 'segment_denies @'],
    change: (db, _, written) => putIndex(db, written, (indexes) => indexes.splice(7, 1)),
  },
  {
    title: 'a stale segment index, of other times',
    block: at.segment,
    expected: ['segment_blocks @', 'segment_blocks @'],
    change: (db, _, written) =>
      putIndex(db, written, (indexes) => {
        indexes[3] = { ...indexes[3], lastTimeUs: indexes[3].lastTimeUs - 1 };
      }),
  },
  {
    title: 'a segment index without a block’s collections',
    block: at.segment,
    expected: ['segment_denies @'],
    change: (db, _, written) =>
      putIndex(db, written, (indexes) => {
        const position = indexes.findIndex(({ collection }) => !collection.includes(noCollection));
        indexes[position] = { ...indexes[position], collections: [] };
      }),
  },
  {
    title: 'a segment index without a block’s accounts',
    block: at.segment,
    expected: ['segment_denies @'],
    change: (db, _, written) =>
      putIndex(db, written, (indexes) => {
        indexes[9] = { ...indexes[9], didHash: indexes[9].didHash.map((half) => ~half) };
      }),
  },
  {
    title: 'a segment index with collections that a block does not have',
    block: at.segment,
    expected: ['segment_excess @'],
    change: (db, _, written) =>
      putIndex(db, written, (indexes) => {
        const position = indexes.findIndex(({ collection }) => !collection.includes(noCollection));
        indexes[position] = {
          ...indexes[position],
          collections: [...indexes[position].collections, 'a.b.c'],
        };
      }),
  },
  {
    title: 'no events without a collection of a segment',
    block: at.segment,
    expected: ['without_collection_missing @'],
    change: (db, timeUs) => db.del(blockKey(timeUs, parts.withoutCollection)),
  },
  {
    title: 'a bit of the events without a collection of a segment',
    block: at.segment,
    expected: ['without_collection_damaged @'],
    change: (db, timeUs) => flip(db, blockKey(timeUs, parts.withoutCollection), 1000),
  },
];
