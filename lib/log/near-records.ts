// Finds what the records that a block deletes pointed at, where nothing has to be read: before the deletion in its own
// block, and in blocks that are not in the store yet. Each of these is looked through once, however many deletions there
// are: anybody may publish thousands that delete nothing. Pure. Called by record-finder.ts, which also looks in the store.

import { operationIn, operations } from '../event/event.ts';
import type { Block, BlockIndex, SubjectColumns } from './block.ts';
import { subjectHashesOf } from './subject-columns.ts';

/** Of a record that was deleted before. */
export const noSubjects = new Uint32Array(0);

/** Slots for each deletion: few of other records' events then fall into one that is taken. */
const slotsPerDeletion = 4;
/** Odd, half of its bits set: neighbouring hashes fall far from each other. */
const spread = 0x9e3779b1;

/** The events of one block that delete, by their records. */
class DeletedRecords {
  readonly #index: BlockIndex;
  readonly #subjects: SubjectColumns;
  /** Open addressing: the first event that deletes a record plus one, or 0. The hashes are keyed, so nobody can choose them. */
  readonly #slots: Int32Array;
  readonly #mask: number;

  constructor(index: BlockIndex, subjects: SubjectColumns, events: readonly number[]) {
    this.#index = index;
    this.#subjects = subjects;
    const slots = 2 ** Math.ceil(Math.log2(events.length * slotsPerDeletion));
    this.#slots = new Int32Array(slots);
    this.#mask = slots - 1;
    for (const event of events) {
      const slot = this.#slotOf(index, subjects, event);
      if (this.#slots[slot] === 0) this.#slots[slot] = event + 1;
    }
  }

  /** The first event that deletes the record of event `at` of `index`; -1 when none does. */
  firstOf(index: BlockIndex, subjects: SubjectColumns, at: number): number {
    return this.#slots[this.#slotOf(index, subjects, at)] - 1;
  }

  /** The slot of a record, or the empty one where it would be. */
  #slotOf({ didHash }: BlockIndex, { path: paths }: SubjectColumns, at: number): number {
    const path = paths[at];
    const low = didHash[at * 2];
    const high = didHash[at * 2 + 1];
    const own = this.#index.didHash;
    let slot = (Math.imul(path ^ high, spread) >>> 8) & this.#mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const event = this.#slots[slot] - 1;
      if (this.#subjects.path[event] === path && own[event * 2] === low && own[event * 2 + 1] === high) break;
    }
    return slot;
  }
}

/**
 * What the records of deletions pointed at after their last event before, by the index of the deletion: nothing for one
 * that was deleted before, no entry for one that has no event there.
 * @param events of the block that delete, in their order; at least one.
 * @param older lists of blocks before it, each oldest first, the newest list first.
 */
export function findNear(
  index: BlockIndex,
  subjects: SubjectColumns,
  events: readonly number[],
  older: readonly (readonly Block[])[],
): Map<number, Uint32Array> {
  const found = new Map<number, Uint32Array>();
  const deleted = new DeletedRecords(index, subjects, events);
  const wanted = findInOwn(index, subjects, deleted, found);
  for (const blocks of older) {
    for (let at = blocks.length - 1; at >= 0 && wanted.size > 0; at--) {
      findInOlder(blocks[at].index, deleted, wanted, found);
    }
  }
  return found;
}

/** Returns the deletions with nothing before them in their own block. */
function findInOwn(
  index: BlockIndex,
  subjects: SubjectColumns,
  deleted: DeletedRecords,
  found: Map<number, Uint32Array>,
): Set<number> {
  const wanted = new Set<number>();
  /** By the first deletion of a record: the record's newest event. */
  const newest = new Map<number, number>();
  for (let event = 0; event < index.count; event++) {
    const first = deleted.firstOf(index, subjects, event);
    if (first < 0) continue;
    if (isDeletion(index, event)) {
      const before = newest.get(first);
      if (before === undefined) wanted.add(event);
      else found.set(event, subjectsAfter(index, subjects, before));
    }
    newest.set(first, event);
  }
  return wanted;
}

/** Moves what it finds from `wanted` to `found`. */
function findInOlder(
  index: BlockIndex,
  deleted: DeletedRecords,
  wanted: Set<number>,
  found: Map<number, Uint32Array>,
): void {
  const { subjects } = index;
  if (subjects === undefined) return;
  for (let at = index.count - 1; at >= 0; at--) {
    const event = deleted.firstOf(index, subjects, at);
    if (event >= 0 && wanted.delete(event)) found.set(event, subjectsAfter(index, subjects, at));
  }
}

/** What a record points at after one of its events. */
export function subjectsAfter(index: BlockIndex, subjects: SubjectColumns, event: number): Uint32Array {
  return isDeletion(index, event) ? noSubjects : subjectHashesOf(subjects, event);
}

function isDeletion({ kindAndOperation }: BlockIndex, event: number): boolean {
  return operationIn(kindAndOperation[event]) === operations.delete;
}
