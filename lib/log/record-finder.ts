// Gives deletions what their record pointed at: a deletion says which record is gone, not what was in it. All there is to
// it is behind `RecordFinder.resolve`, which a log calls before it stores a block, so that its readers, live and replayed,
// need no search. It never fails: what is not found stays without subjects.
//
// The record's event is looked for in the log, newest first, by the time in the record's key: keys are TIDs, made when the
// record was. Blocks have both for it (subject-builder.ts: the times of keys, and when events were created), and segment
// indexes say which blocks were created at a time (segment-index.ts). Records whose key is no time, or not that of the
// commit, are few (profiles, feeds, imports), so the newest of them are simply remembered: in memory, until a restart.

import { operationIn, operations } from '../event/event.ts';
import { noPath } from '../event/subject.ts';
import type { Block, BlockIndex, SubjectColumns } from './block.ts';
import type { DeletionTotals } from './event-log.ts';
import type { LogView } from './log-view.ts';
import { findNear, noSubjects, subjectsAfter } from './near-records.ts';
import { RecentRecords } from './recent-records.ts';
import { withSubjectHashes } from './subject-columns.ts';

/** How far the time in a record's key may be from the time at which its event was created: clocks, and slow networks. */
export const keySlackUs = 2 * 60 * 1_000_000;
/** Blocks that are read for one deletion: usually one, rarely another that only seemed to have the DID. */
const blocksPerSearchMax = 8;
const segmentsPerSearchMax = 8;
/** Deletions of one block that are looked for in the store; a full block has some twenty. */
export const searchesPerBlockMax = 64;

/** One that is looked for. */
interface Deletion {
  /** Its index in the block. */
  readonly event: number;
  /** `time_us` of the record's last event, if that is remembered. */
  readonly rememberedUs: number | undefined;
  readonly keyTimeUs: number;
}

/** See the file comment. Owned by the writer of a log. */
export class RecordFinder {
  readonly totals: DeletionTotals = { found: 0, unknown: 0, skipped: 0 };
  readonly #view: LogView;
  readonly #remembered = new RecentRecords();

  constructor(view: LogView) {
    this.#view = view;
  }

  /**
   * The block with its deletions' subjects, without key times; at once when it has nothing to look for. Calls must not
   * overlap. @param before as of `EventLog.resolve`.
   */
  resolve(block: Block, before: readonly Block[] = []): Block | Promise<Block> {
    const { index } = block;
    const { subjects } = index;
    if (subjects?.keyTimeUs === undefined) return block;
    const deletions = this.#deletionsOf(index, subjects, subjects.keyTimeUs);
    return deletions.length > 0
      ? this.#resolve(block, before, subjects, deletions)
      : withSubjects(block, subjects);
  }

  /** Goes through the events in their order, so that what is remembered is what came before each deletion. */
  #deletionsOf(
    index: BlockIndex,
    { path, createdFromUs, createdThroughUs }: SubjectColumns,
    keyTimeUs: Float64Array,
  ): Deletion[] {
    const { count, kindAndOperation, timeUs, didHash } = index;
    const deletions: Deletion[] = [];
    for (let event = 0; event < count; event++) {
      if (path[event] === noPath) continue;
      const low = didHash[event * 2];
      const high = didHash[event * 2 + 1];
      const operation = operationIn(kindAndOperation[event]);
      if (operation === operations.delete) {
        deletions.push({
          event,
          rememberedUs: this.#remembered.take(low, high, path[event]),
          keyTimeUs: keyTimeUs[event],
        });
        continue;
      }
      // An update is not created when its key was, or so soon that it could be taken for the creation. NaN compares as false.
      const isRegular =
        operation === operations.create &&
        keyTimeUs[event] >= createdFromUs - keySlackUs &&
        keyTimeUs[event] <= createdThroughUs + keySlackUs;
      if (!isRegular) this.#remembered.set(low, high, path[event], timeUs[event]);
    }
    return deletions;
  }

  async #resolve(
    block: Block,
    before: readonly Block[],
    subjects: SubjectColumns,
    deletions: readonly Deletion[],
  ): Promise<Block> {
    const { index } = block;
    const events = deletions.map(({ event }) => event);
    const found = findNear(index, subjects, events, [before, this.#view.uncompacted]);
    const searches: Promise<void>[] = [];
    for (const deletion of deletions) {
      if (found.has(deletion.event)) continue;
      if (searches.length < searchesPerBlockMax) searches.push(this.#search(index, deletion, found));
      else this.totals.skipped++;
    }
    await Promise.all(searches);
    for (const [event, subjectHashes] of found) {
      if (subjectHashes.length > 0) this.totals.found++;
      else {
        this.totals.unknown++;
        found.delete(event);
      }
    }
    return withSubjects(block, found.size === 0 ? subjects : withSubjectHashes(subjects, found));
  }

  /** Puts what it finds into `found`. Never rejects. */
  async #search(
    index: BlockIndex,
    { event, rememberedUs, keyTimeUs }: Deletion,
    found: Map<number, Uint32Array>,
  ): Promise<void> {
    found.set(event, noSubjects);
    try {
      for await (const stored of this.#candidates(index, event, rememberedUs, keyTimeUs)) {
        const subjectHashes = findIn(stored, index, event);
        if (subjectHashes === undefined) continue;
        found.set(event, subjectHashes);
        return;
      }
    } catch {
      // Damaged, just deleted by retention, or closed to be opened again: the deletion does without.
    }
  }

  async *#candidates(
    index: BlockIndex,
    event: number,
    rememberedUs: number | undefined,
    keyTimeUs: number,
  ): AsyncGenerator<BlockIndex> {
    if (rememberedUs !== undefined) {
      const remembered = await this.#view.storedIndexAfter(rememberedUs - 1);
      if (remembered !== undefined) yield remembered;
    }
    if (Number.isNaN(keyTimeUs)) return;
    yield* this.#view.storedIndexesCreatedAt({
      createdUs: keyTimeUs,
      slackUs: keySlackUs,
      didHash: index.didHash.subarray(event * 2, event * 2 + 2),
      blocksMax: blocksPerSearchMax,
      segmentsMax: segmentsPerSearchMax,
    });
  }
}

/** What the record that an event deletes points at after its last event in a stored block; undefined when it has none there. */
function findIn(stored: BlockIndex, index: BlockIndex, event: number): Uint32Array | undefined {
  if (stored.subjects === undefined) return undefined;
  const path = index.subjects?.path[event];
  const low = index.didHash[event * 2];
  const high = index.didHash[event * 2 + 1];
  for (let at = stored.count - 1; at >= 0; at--) {
    if (stored.subjects.path[at] !== path) continue;
    if (stored.didHash[at * 2] === low && stored.didHash[at * 2 + 1] === high)
      return subjectsAfter(stored, stored.subjects, at);
  }
  return undefined;
}

function withSubjects(block: Block, { keyTimeUs: _, ...subjects }: SubjectColumns): Block {
  return { ...block, index: { ...block.index, subjects } };
}
