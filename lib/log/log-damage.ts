// What is missing of a block store whose damaged tables have been mended: rows of the coverage ledger for it, and no rests of blocks
// that have no head any more, which nobody could read or delete. Called when the store is opened, before anything reads it.

import type { CoverageRow } from '../event/coverage.ts';
import {
  blockKey,
  blockKeysEnd,
  lastPart,
  type Part,
  parts,
  readBlockKey,
  readHead,
} from './block-format.ts';
import { coverageWrites } from './coverage-format.ts';
import type { Database } from './database.ts';
import type { LostKeys } from './table-mend.ts';

/** Notes, durably, what is missing between keys. */
export async function noteDamage(db: Database, { fromKey, toKey }: LostKeys): Promise<void> {
  const from = readBlockKey(fromKey)?.lastTimeUs ?? 0;
  const to = readBlockKey(toKey)?.lastTimeUs ?? Number.MAX_SAFE_INTEGER;
  // One block further on each side: a head names the end of the block before it.
  const before = await timeOfOne(db, {
    gte: blockKey(0, parts.head),
    lt: blockKey(from, parts.head),
    reverse: true,
  });
  const after = await timeOfOne(db, { gt: blockKey(to, lastPart), lt: blockKeysEnd });
  const range = { gte: blockKey(before ?? from, parts.head), lte: blockKey(after ?? to, lastPart) };
  const found = new Map<number, Set<Part>>();
  for (const key of await db.keys(range).all()) {
    const read = readBlockKey(key);
    if (read === undefined) continue;
    const present = found.get(read.lastTimeUs) ?? new Set<Part>();
    found.set(read.lastTimeUs, present.add(read.part as Part));
  }
  await noteMissing(db, found, before === undefined);
}

/** @param isStart whether they are the first of the log. */
async function noteMissing(
  db: Database,
  found: ReadonlyMap<number, ReadonlySet<Part>>,
  isStart: boolean,
): Promise<void> {
  const rests: Buffer[] = [];
  const rows: CoverageRow[] = [];
  let endUs: number | undefined;
  for (const [lastTimeUs, present] of found) {
    // Without one of them what a segment has is made again from its blocks: segment-rebuild.ts.
    const hasSegment = present.has(parts.segment) && present.has(parts.subjectFilter);
    for (const part of present) {
      const isLeft = isOfSegment(part) ? hasSegment : present.has(parts.head);
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
}

function isOfSegment(part: Part): boolean {
  return part === parts.segment || part === parts.withoutCollection || part === parts.subjectFilter;
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
