// The rows of the coverage ledger in memory, and what keeps them few: a relay that fails all the time must not fill a log with
// rows. log-view.ts has one in each thread that reads. It stores nothing: level-log.ts has rows admitted before a block is
// stored, and coverage-format.ts says how they lie in the database.

import { firstPast } from '../binary-search.ts';
import { type CoverageReason, type CoverageRow, coverageReasons, isNoticed } from '../event/coverage.ts';

/** Newest rows in memory, 4 MB at most; older ones stay in the store until retention takes them. */
export const coverageRowsMax = 16_384;
/** Older ones of the reason `log_damaged`, which stay: readers go past what is damaged only where a row says so. */
export const damagedRowsMax = 512;
/** Rows of one reason and relay in a minute; findings beyond become part of the last of them. */
export const singleRowsMax = 8;
/** The same of commits that were left out, each of which somebody may look for; and of drops, whose kinds are few. */
const rowsMax: Readonly<Partial<Record<CoverageReason, number>>> = { commit_dropped: 60, frame_dropped: 1 };
/** Kinds (reason, relay, detail) that are told apart in a minute; beyond, rows are of a reason alone. */
export const rowKindsMax = 64;
const minuteUs = 60_000_000;
/** Rows beyond the bound that are dropped in one go, so that dropping costs nothing for each row. */
const droppedAtOnce = 1024;

/** What readers need. */
export interface Coverage {
  /** Place of the newest row; 0 without one. Whoever is there or beyond has nothing to look for. */
  readonly lastUs: number;
  /** Rows up to here may not be in memory, because there are too many or they are damaged; 0 when all are. */
  readonly droppedUs: number;
  /** The first row that subscribers are told of with a place after `fromUs` and up to `throughUs`. */
  nextNotice(fromUs: number, throughUs: number): CoverageRow | undefined;
  /** All of them, at most `rowsMax`, oldest first. */
  between(fromUs: number, throughUs: number, rowsMax?: number): readonly CoverageRow[];
  /** The newest ones, oldest first. */
  newest(rowsMax: number): readonly CoverageRow[];
}

const noRows: readonly CoverageRow[] = [];

/** See the file comment. */
export class CoverageLedger implements Coverage {
  lastUs = 0;
  droppedUs = 0;
  #rows: CoverageRow[] = [];

  /** Whether the block that ends at `timeUs` is known to be lost, or a part of it. */
  isDamaged(timeUs: number): boolean {
    const isIt = ({ reason, fromUs }: CoverageRow): boolean => reason === 'log_damaged' && fromUs < timeUs;
    return timeUs <= this.lastUs && this.#rows.slice(this.#after(timeUs - 1)).some(isIt);
  }

  /** Starts again from `rows`, oldest first. */
  reset(rows: readonly CoverageRow[], droppedUs: number): void {
    this.#rows = [];
    this.lastUs = 0;
    this.droppedUs = droppedUs;
    this.add(rows);
  }

  /** Rows that have been stored with a block; those that are known already are passed over. */
  add(rows: readonly CoverageRow[] = noRows): void {
    for (const row of rows) {
      if (row.toUs <= this.lastUs) continue;
      const { replacesUs, ...kept } = row;
      if (replacesUs !== undefined) this.#remove(replacesUs);
      this.#rows.push(kept);
      this.lastUs = row.toUs;
    }
    if (this.#rows.length < coverageRowsMax + droppedAtOnce) return;
    const dropped = this.#rows.splice(0, this.#rows.length - coverageRowsMax);
    this.droppedUs = (dropped.at(-1) as CoverageRow).toUs;
    this.#rows.unshift(...dropped.filter(({ reason }) => reason === 'log_damaged').slice(-damagedRowsMax));
  }

  /** Retention has taken the events up to `throughUs`, and their rows. */
  trimTo(throughUs: number): void {
    const end = this.#after(throughUs);
    if (end > 0) this.#rows.splice(0, end);
  }

  nextNotice(fromUs: number, throughUs: number): CoverageRow | undefined {
    if (fromUs >= this.lastUs) return undefined;
    for (let at = this.#after(fromUs); this.#rows[at]?.toUs <= throughUs; at++) {
      if (isNoticed(this.#rows[at])) return this.#rows[at];
    }
    return undefined;
  }

  between(fromUs: number, throughUs: number, rowsMax = Number.POSITIVE_INFINITY): readonly CoverageRow[] {
    if (fromUs >= this.lastUs) return noRows;
    const start = this.#after(fromUs);
    return this.#rows.slice(start, Math.min(this.#after(throughUs), start + rowsMax));
  }

  newest(rowsMax: number): readonly CoverageRow[] {
    return this.#rows.slice(-rowsMax);
  }

  #after(timeUs: number): number {
    return firstPast(this.#rows, 0, this.#rows.length, liesAfter, timeUs);
  }

  #remove(toUs: number): void {
    const at = this.#after(toUs - 1);
    if (this.#rows[at]?.toUs === toUs) this.#rows.splice(at, 1);
  }
}

function liesAfter(rows: readonly CoverageRow[], position: number, timeUs: number): boolean {
  return rows[position].toUs > timeUs;
}

/** Rows of one kind in the minute that counts, and the last of them. */
interface RecentRows {
  last: CoverageRow;
  count: number;
}

/** Makes the findings of a block the rows that are stored with it: see {@link singleRowsMax}. Owned by the log's writer. */
export class CoverageIntake {
  /** Findings since start. */
  readonly totals = new Map<CoverageReason, number>(coverageReasons.map((reason) => [reason, 0]));
  #minuteEndUs = 0;
  readonly #recent = new Map<string, RecentRows>();

  count(reason: CoverageReason, findings = 1): void {
    this.totals.set(reason, (this.totals.get(reason) as number) + findings);
  }

  /** The rows to be stored in the place of `found`, in order. */
  admit(found: readonly CoverageRow[]): readonly CoverageRow[] {
    const rows: CoverageRow[] = [];
    for (const row of found) {
      // Drops of one kind come as one row of a block.
      this.count(row.reason, row.count);
      this.#admit(row, rows);
    }
    return rows;
  }

  #admit(found: CoverageRow, rows: CoverageRow[]): void {
    if (found.toUs >= this.#minuteEndUs) {
      this.#recent.clear();
      this.#minuteEndUs = found.toUs + minuteUs;
    }
    const { row, key } = this.#kindOf(found);
    const recent = this.#recent.get(key);
    const most = rowsMax[row.reason] ?? singleRowsMax;
    if (recent === undefined || recent.count < most) {
      this.#recent.set(key, { last: row, count: (recent?.count ?? 0) + 1 });
      rows.push(row);
      return;
    }
    recent.last = replaceRow(rows, mergeRows(recent.last, row));
  }

  /** The row as it is told apart from others: without relay and detail when there are too many kinds. */
  #kindOf(found: CoverageRow): { row: CoverageRow; key: string } {
    const { reason, relay } = found;
    // One row of a reason may have a sequence for its detail: it is no kind of its own unless its rows merge at once.
    const key =
      reason === 'frame_dropped' ? JSON.stringify([reason, relay, found.detail]) : `${reason} ${relay}`;
    if (this.#recent.has(key) || this.#recent.size < rowKindsMax) return { row: found, key };
    return { row: { ...found, relay: '', detail: undefined }, key: reason };
  }
}

/** The later row takes the place of the earlier one and goes as far back. */
function mergeRows(earlier: CoverageRow, later: CoverageRow): CoverageRow {
  return {
    ...later,
    fromUs: earlier.fromUs,
    fromSeq: earlier.fromSeq ?? later.fromSeq,
    toSeq: later.toSeq ?? earlier.toSeq,
    count: earlier.count + later.count,
    replacesUs: earlier.toUs,
  };
}

/** Adds a row to those of the same block, or of blocks that become one; returns it as it is there. */
function replaceRow(rows: CoverageRow[], row: CoverageRow): CoverageRow {
  const at = rows.findIndex(({ toUs }) => toUs === row.replacesUs);
  const added = at === -1 ? row : { ...row, replacesUs: rows[at].replacesUs };
  if (at !== -1) rows.splice(at, 1);
  rows.push(added);
  return added;
}

/** The rows of blocks that become one; undefined when there are none. */
export function joinCoverage(
  parts: readonly (readonly CoverageRow[] | undefined)[],
): readonly CoverageRow[] | undefined {
  const present = parts.filter((part) => part !== undefined);
  if (present.length === 0) return undefined;
  const rows: CoverageRow[] = [];
  for (const row of present.flat()) replaceRow(rows, row);
  return rows;
}
