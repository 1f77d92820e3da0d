// Cuts off what lies behind a gap at the end of a block store, and notes that in the coverage ledger before it is done: a
// crash in between finds the gap again, and the same row. Called when a log is opened, before anything reads it.

import type { CoverageRow } from '../event/coverage.ts';
import type { Database } from '../level/database.ts';
import { type BlockHead, blockKey, blockKeysEnd, lastPart, parts } from './block-format.ts';
import { coverageKey, coverageKeysEnd, readCoverage, writeCoverage } from './coverage-format.ts';
import { SegmentIndex } from './segment-index.ts';
import { walkHeads } from './stored-heads.ts';

/**
 * Without fsync, a power failure can take an older write and leave a newer one: LevelDB syncs neither. Blocks behind
 * such a gap are deleted, so that what is left is what an earlier stop would have left. Looks at the blocks that can
 * still have been in LevelDB's log files: those of the last segments.
 */
export async function deleteBehindGap(db: Database, newest: BlockHead | undefined): Promise<number> {
  if (newest === undefined) return 0;
  const segment =
    newest.segmentUs === 0 ? undefined : await db.get(blockKey(newest.segmentUs, parts.segment));
  const fromUs = segment === undefined ? 0 : SegmentIndex.read(segment).previousUs;
  let lostBlocks = 0;
  let endUs: number | undefined;
  for await (const { index, previousUs } of walkHeads(db, fromUs, newest.index.lastTimeUs)) {
    const isGap = endUs !== undefined && previousUs !== endUs && !(await isKnownGap(db, previousUs));
    if (lostBlocks > 0 || isGap) lostBlocks++;
    else endUs = index.lastTimeUs;
  }
  if (lostBlocks > 0) {
    await noteCut(db, endUs ?? 0, newest.index.lastTimeUs);
    await db.clear({ gt: blockKey(endUs ?? 0, lastPart), lt: blockKeysEnd });
  }
  return lostBlocks;
}

/** Whether it is not a power failure's: a damaged table was mended, which is no reason to give up what is behind it. */
async function isKnownGap(db: Database, previousUs: number): Promise<boolean> {
  const row = await db.get(coverageKey(previousUs));
  if (row === undefined) return false;
  try {
    return readCoverage(previousUs, row).reason === 'log_damaged';
  } catch {
    return false;
  }
}

/**
 * Notes that what was between `endUs` and `lostUs` is lost, in the place of all rows behind `endUs`: they were those of what is
 * lost, or of an earlier cut at the same place. Its place is behind the lost events, so that who had them is told; the
 * log's clock goes on from there.
 */
export async function noteCut(db: Database, endUs: number, lostUs: number): Promise<void> {
  const toUs = lostUs + 1;
  // Without any block nobody knows how far the relay was read: nothing comes again.
  const reason = endUs === 0 ? 'log_damaged' : 'log_cut';
  const row: CoverageRow = { reason, relay: '', fromUs: endUs, toUs, count: 1 };
  const gone = await db.keys({ gt: coverageKey(endUs), lt: coverageKeysEnd }).all();
  const deletions = gone.map((key) => ({ type: 'del' as const, key }));
  const put = { type: 'put' as const, key: coverageKey(toUs), value: writeCoverage(row) };
  await db.batch([...deletions, put], { sync: true });
}
