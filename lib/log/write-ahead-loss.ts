// What LevelDB's write-ahead logs cost a log by their damages: between which keys of blocks something is missing, and whether its end is.
// Where they are damaged says lib/level/write-ahead-log.ts.

import type { LostKeys } from '../level/table-mend.ts';
import type { WriteAhead } from '../level/write-ahead-log.ts';
import type { Change } from '../level/write-batch.ts';
import { blockKey, parts, readBlockKey } from './block-format.ts';

/** See {@link lossOf}. */
export interface WriteAheadLoss {
  readonly lost: readonly LostKeys[];
  /** When what is lost was written last, in microseconds, if no block follows it: by a damage, or with all blocks, however. */
  readonly lostEnd: { readonly timeUs: number; readonly isDamage: boolean } | undefined;
}

/** What is missing of a log. */
export function lossOf(writeAhead: WriteAhead): WriteAheadLoss {
  const { batches, after, writtenMs, isLossy } = writeAhead;
  const isDamage = after.some((count) => blockNear(batches, 'put', count, 1) === undefined);
  const isAllLost = isLossy && blockNear(batches, 'put', 0, 1) === undefined;
  const timeUs = Math.ceil(Math.min(writtenMs, Date.now()) * 1000);
  return { lost: lostAt(writeAhead), lostEnd: isDamage || isAllLost ? { timeUs, isDamage } : undefined };
}

/** Between which blocks' keys something is missing: of what was put, and of what was deleted. */
function lostAt({ batches, after }: WriteAhead): LostKeys[] {
  const lost: LostKeys[] = [];
  for (const type of ['put', 'del'] as const) {
    for (const count of after) {
      const before = blockNear(batches, type, count - 1, -1);
      const behind = blockNear(batches, type, count, 1);
      const fromKey = before ?? behind;
      if (fromKey !== undefined) lost.push({ fromKey, toKey: behind ?? fromKey });
    }
  }
  return lost;
}

/** Key of the next block that is put or deleted, from a batch on, forwards or backwards. */
function blockNear(
  batches: readonly (readonly Change[])[],
  type: Change['type'],
  from: number,
  step: 1 | -1,
): Uint8Array | undefined {
  for (let at = from; at >= 0 && at < batches.length; at += step) {
    const times = batches[at].flatMap((change) => {
      const read = change.type === type ? readBlockKey(change.key) : undefined;
      return read === undefined ? [] : [read.lastTimeUs];
    });
    if (times.length > 0) return blockKey(step === 1 ? times[0] : times[times.length - 1], parts.head);
  }
  return undefined;
}
