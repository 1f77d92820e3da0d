// The coverage ledger of a log that no daemon has open: its rows from the store, and those of blocks that only the journal
// has. Rows that cannot be read are counted. The text for people is here too; cmd/inspect.ts prints it.

import { type CoverageMeaning, type CoverageRow, coverageMeanings } from '../../lib/event/coverage.ts';
import { readCoverage } from '../../lib/log/coverage-format.ts';
import { joinCoverage } from '../../lib/log/coverage-ledger.ts';
import { formatMoment, grouped, printable } from '../../lib/text.ts';
import { type ClosedLog, readFoundHead } from './reader.ts';

/** What `inspect coverage` tells; this is also its JSON. */
export interface LogCoverage {
  /** Oldest first. */
  readonly rows: readonly (CoverageRow & CoverageMeaning)[];
  /** Rows, and heads of the journal, that cannot be read. */
  readonly damaged: number;
}

const widthMax = 160;

/** Reads all rows. @throws CodedError `LOG_READ_FAILED`. */
export async function readLogCoverage(log: ClosedLog): Promise<LogCoverage> {
  let damaged = 0;
  const stored: CoverageRow[] = [];
  for await (const { toUs, value } of log.coverageValues()) {
    try {
      stored.push(readCoverage(toUs, value));
    } catch {
      damaged++;
    }
  }
  const parts: (readonly CoverageRow[] | undefined)[] = [stored];
  const endUs = await log.storeEndUs();
  for await (const block of log.journalBlocks()) {
    if (block.lastTimeUs <= endUs) continue;
    try {
      parts.push(readFoundHead(block).coverage);
    } catch {
      damaged++;
    }
  }
  const rows = (joinCoverage(parts) ?? []).map(({ replacesUs: _, ...row }) => ({
    ...row,
    ...coverageMeanings[row.reason],
  }));
  return { rows, damaged };
}

/** The same for people, without a newline at its end. */
export function coverageTable({ rows, damaged }: LogCoverage): string {
  const lines = rows.map((row) => {
    const from = row.fromUs === 0 ? 'the beginning' : formatMoment(row.fromUs);
    const meaning = meaningOf(row);
    const sequences =
      row.fromSeq === undefined && row.toSeq === undefined
        ? ''
        : ` sequences ${row.fromSeq ?? '?'} to ${row.toSeq ?? '?'}`;
    const times = row.count === 1 ? '' : ` ${grouped(row.count)} times`;
    const detail = row.detail === undefined ? '' : ` (${row.detail})`;
    return printable(
      `${from} to ${formatMoment(row.toUs)}  ${row.reason.padEnd(13)} ${meaning}${row.relay && `  ${row.relay}`}${sequences}${times}${detail}`,
      widthMax,
    );
  });
  if (rows.length === 0) lines.push('nothing: everything that the relay sent is in the log, once');
  if (damaged > 0) lines.push(`DAMAGED: ${grouped(damaged)} rows cannot be read: see "inspect verify"`);
  return lines.join('\n');
}

function meaningOf({ missing, repeated }: CoverageMeaning): string {
  if (missing && repeated) return 'missing or repeated';
  if (missing) return 'missing';
  return repeated ? 'repeated' : 'times are off';
}
