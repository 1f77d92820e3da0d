// What is stored of a segment, made again from its blocks: its index, its filter of subjects, its events without a collection. For one
// whose index was in a damaged table; segment-list.ts asks, and keeps it for a while.

import { CodedError } from '../errors.ts';
import type { Database } from '../level/database.ts';
import type { Block } from './block.ts';
import { pickWithoutCollection } from './block-cut.ts';
import type { BlockLoader } from './block-loader.ts';
import { compactBlocks } from './compaction.ts';
import { SegmentIndex } from './segment-index.ts';
import { walkHeads } from './stored-heads.ts';
import { SubjectFilter } from './subject-filter.ts';

/** See the file comment. */
export interface RebuiltSegment {
  readonly index: SegmentIndex;
  readonly subjects: SubjectFilter;
  /** Of the blocks that can be read; undefined when they have none. */
  readonly withoutCollection: Block | undefined;
}

/** Reads the blocks after `previousUs` up to `lastTimeUs`. @throws CodedError `LOG_CORRUPT`. */
export async function rebuildSegment(
  db: Database,
  loader: BlockLoader,
  previousUs: number,
  lastTimeUs: number,
): Promise<RebuiltSegment> {
  const index = new SegmentIndex(previousUs);
  const subjects = new SubjectFilter();
  const picked: Block[] = [];
  for await (const head of walkHeads(db, previousUs + 1, lastTimeUs)) {
    index.add(head.index);
    try {
      const block = await loader.block(head.index.lastTimeUs);
      subjects.add(block.index.subjects);
      const events = pickWithoutCollection(block);
      if (events !== undefined) picked.push(events);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      subjects.addUnknown();
    }
  }
  return { index, subjects, withoutCollection: picked.length > 0 ? compactBlocks(picked) : undefined };
}
