// What is missing of a block store whose damaged tables have been mended: rows of the coverage ledger for it, and no rests of blocks
// that have no head any more, which nobody could read or delete. Called when the store is opened, before anything reads it.

import type { CoverageRow } from '../event/coverage.ts';
import type { Database } from '../level/database.ts';
import type { LostKeys } from '../level/table-mend.ts';
import {
  blockKey,
  blockKeysEnd,
  lastPart,
  type Part,
  parts,
  readBlockKey,
  readHead,
  segmentParts,
} from './block-format.ts';
import { coverageKey, coverageWrites, lostRowsDetail, readCoverageKey } from './coverage-format.ts';

/** Blocks that are looked at before what is missing of them is written down. */
const blocksAtOnce = 1000;

/** Notes, durably, what is missing between keys: of blocks, and of rows, which lie behind all of them. */
export async function noteDamage(db: Database, lost: LostKeys, blocksMax = blocksAtOnce): Promise<void> {
  const { fromKey, toKey, endOf } = lost;
  // Of that is known when both databases are open.
  if (endOf !== undefined) return;
  const firstBlock = blockKey(0, parts.head);
  if (Buffer.compare(fromKey, blockKeysEnd) < 0 && Buffer.compare(toKey, firstBlock) >= 0) {
    const from = readBlockKey(fromKey)?.lastTimeUs ?? 0;
    const to = readBlockKey(toKey)?.lastTimeUs ?? Number.MAX_SAFE_INTEGER;
    await noteBlocks(db, from, to, blocksMax);
  }
  const toUs = readCoverageKey(toKey);
  if (toUs !== undefined) await noteRows(db, readCoverageKey(fromKey) ?? 0, toUs);
}

/**
 * Until when the end of a log that is lost was written, in microseconds; 0 when nothing is missing behind its last block. @param isEmpty
 * of the log. @param isJournalled whether its last block is one that the journal has behind the store.
 */
export function lostEndUs(lost: readonly LostKeys[], isEmpty: boolean, isJournalled: boolean): number {
  const times = lost.flatMap(({ toKey, endOf }) => {
    // What follows the store's last block in the journal followed it when it was whole.
    const isMissing = isEmpty || endOf === 'journal' || (endOf === 'store' && !isJournalled);
    return endOf !== undefined && isMissing ? [readBlockKey(toKey)?.lastTimeUs ?? 0] : [];
  });
  return Math.max(0, ...times);
}

/** What they said is not known: the ledger is not complete up to there. A row in their place says so, and is of no block. */
async function noteRows(db: Database, fromUs: number, toUs: number): Promise<void> {
  const isThere = (await db.get(coverageKey(toUs))) !== undefined;
  const atUs = isThere ? toUs - 1 : toUs;
  if (atUs < fromUs || (await db.get(coverageKey(atUs))) !== undefined) return;
  const row = { ...rowOf(atUs, atUs), detail: lostRowsDetail };
  await db.batch(coverageWrites([row]), { sync: true });
}

async function noteBlocks(db: Database, from: number, to: number, blocksMax: number): Promise<void> {
  // One block further on each side: a head names the end of the block before it.
  const before = await timeOfOne(db, {
    gte: blockKey(0, parts.head),
    lt: blockKey(from, parts.head),
    reverse: true,
  });
  const after = await timeOfOne(db, { gt: blockKey(to, lastPart), lt: blockKeysEnd });
  const range = { gte: blockKey(before ?? from, parts.head), lte: blockKey(after ?? to, lastPart) };
  let found = new Map<number, Set<Part>>();
  let end: LookedAt = { endUs: undefined, isStart: before === undefined };
  for await (const key of db.keys(range)) {
    const read = readBlockKey(key);
    if (read === undefined) continue;
    const { lastTimeUs } = read;
    if (found.size >= blocksMax && !found.has(lastTimeUs)) {
      end = await noteMissing(db, found, end);
      found = new Map();
    }
    const present = found.get(lastTimeUs) ?? new Set<Part>();
    found.set(lastTimeUs, present.add(read.part as Part));
  }
  await noteMissing(db, found, end);
}

/** How far blocks have been looked at. */
interface LookedAt {
  /** End of the last one that has a head. */
  readonly endUs: number | undefined;
  /** Whether the first of them is the first of the log. */
  readonly isStart: boolean;
}

async function noteMissing(
  db: Database,
  found: ReadonlyMap<number, ReadonlySet<Part>>,
  { endUs: lastUs, isStart }: LookedAt,
): Promise<LookedAt> {
  const rests: Buffer[] = [];
  const rows: CoverageRow[] = [];
  let endUs = lastUs;
  for (const [lastTimeUs, present] of found) {
    // Without one of them what a segment has is made again from its blocks: segment-rebuild.ts.
    const hasSegment = present.has(parts.segment) && present.has(parts.subjectFilter);
    for (const part of present) {
      const isLeft = segmentParts.includes(part) ? hasSegment : present.has(parts.head);
      if (!isLeft) rests.push(blockKey(lastTimeUs, part));
    }
    if (!present.has(parts.head)) continue;
    const head = readHead((await db.get(blockKey(lastTimeUs, parts.head))) as Uint8Array);
    const { previousUs } = head;
    if (endUs !== undefined && previousUs > endUs) rows.push(rowOf(endUs, previousUs));
    // What retention has taken has no rows: this one lies behind it.
    if (endUs === undefined && isStart && previousUs > 0) rows.push(rowOf(0, previousUs + 1));
    const hasSubjects = head.subjectBytes === 0 || present.has(parts.subjects);
    const isWhole = present.has(parts.json) && present.has(parts.zstd) && hasSubjects;
    if (!isWhole) rows.push(rowOf(previousUs, lastTimeUs));
    endUs = lastTimeUs;
  }
  const deletions = rests.map((key) => ({ type: 'del' as const, key }));
  await db.batch([...deletions, ...coverageWrites(rows)], { sync: true });
  return { endUs, isStart };
}

/** Where rows lie: at the end of what is lost. Who cuts a log off behind a gap looks for it there. */
function rowOf(fromUs: number, toUs: number): CoverageRow {
  return { reason: 'log_damaged', relay: '', fromUs, toUs, count: 1 };
}

interface KeyRange {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
}

/** Of the first key in a range; undefined when there is none. */
async function timeOfOne(db: Database, range: KeyRange): Promise<number | undefined> {
  const [key] = await db.keys({ ...range, limit: 1 }).all();
  return key === undefined ? undefined : readBlockKey(key)?.lastTimeUs;
}
