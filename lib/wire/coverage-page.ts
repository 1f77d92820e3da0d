// `GET /coverage`: what a request asks for, and a page of the coverage ledger as JSON. Parameters and their refusals are those
// of a pull (text-query.ts), as far as they make sense. Pure.

import { positionOfCursor } from '../event/cursor.ts';
import { momentHint, parseMomentCursor } from '../event/moment.ts';
import type { LogReader } from '../log/event-log.ts';
import { type CoverageFields, coverageFields } from './coverage-row.ts';
import { eachQueryPair } from './query-pairs.ts';
import type { SubscribeFault } from './subscribe-query.ts';

/** Rows of a page, some 200 bytes each: without a limit, and the most that can be asked for. */
const limitUsual = 100;
const limitMax = 1_000;

/** A valid request: rows whose place is after `afterUs`, up to `throughUs`. */
export interface CoverageRequest {
  readonly afterUs: number;
  readonly throughUs: number;
  readonly limit: number;
}

/** The answer to a bad request, as `SubscribeFault`. */
export interface CoverageFault extends Omit<SubscribeFault, 'reason'> {
  readonly reason: 'bad_cursor' | 'bad_until' | 'bad_limit';
}

/** What of a log is told. */
export type CoveredLog = Pick<LogReader, 'oldestUs' | 'lastTimeUs' | 'coverage'>;

/** The JSON of a page. */
export interface CoveragePage {
  /** The log has events from there on, and up to there. 0 when it has none. */
  readonly oldest_us: number;
  readonly newest_us: number;
  /** Rows before are not listed any more, though their events may be there. */
  readonly complete_from_us: number;
  readonly rows: readonly CoverageFields[];
  /** Whether there are further rows that were asked for. */
  readonly more: boolean;
  /** To come back with: for the rows that follow these. */
  readonly cursor: number;
}

/** Reads a request; `rawQuery` as in `parseSubscribeQuery`. */
export function readCoverageQuery(rawQuery: string, nowUs: number): CoverageRequest | CoverageFault {
  const first = new Map<string, string>();
  eachQueryPair(rawQuery, (name, value) => {
    if (!first.has(name)) first.set(name, value);
  });
  const [cursorText, untilText, limitText] = ['cursor', 'until', 'limit'].map(
    (name) => first.get(name) || '',
  );
  const cursor = parseMomentCursor(cursorText || '0', () => nowUs);
  if (cursor === undefined) return fault('bad_cursor', `invalid cursor: ${cursorText}: ${momentHint}`);
  const until = parseMomentCursor(untilText || String(Number.MAX_SAFE_INTEGER), () => nowUs);
  if (until === undefined) return fault('bad_until', `invalid until: ${untilText}: ${momentHint}`);
  const limit = limitText === '' ? limitUsual : /^[0-9]{1,4}$/.test(limitText) ? Number(limitText) : 0;
  if (limit < 1 || limit > limitMax)
    return fault('bad_limit', `invalid limit: ${limitText}: give a number from 1 to ${limitMax}`);
  // Later than now there is nothing yet, and what has come last may be a little later than now.
  const afterUs = positionOfCursor(cursor, nowUs) ?? cursor - 1;
  const throughUs = positionOfCursor(until, nowUs) ?? Number.MAX_SAFE_INTEGER;
  return { afterUs, throughUs, limit };
}

/** Whether there is a fault. */
export function isCoverageFault(result: CoverageRequest | CoverageFault): result is CoverageFault {
  return 'status' in result;
}

function fault(reason: CoverageFault['reason'], body: string): CoverageFault {
  return { reason, status: 400, body };
}

export function coveragePage(log: CoveredLog, { afterUs, throughUs, limit }: CoverageRequest): CoveragePage {
  const { coverage, oldestUs, lastTimeUs } = log;
  const found = coverage.between(afterUs, throughUs, limit + 1);
  const rows = found.slice(0, limit);
  const more = found.length > limit;
  const endUs = rows.at(-1)?.toUs ?? 0;
  // All rows up to the newest event are there; those to come lie behind it.
  const seenUs = more ? endUs : Math.max(endUs, afterUs, Math.min(throughUs, lastTimeUs));
  return {
    oldest_us: oldestUs,
    newest_us: lastTimeUs,
    complete_from_us: Math.max(oldestUs, coverage.droppedUs + 1),
    rows: rows.map(coverageFields),
    more,
    cursor: seenUs + 1,
  };
}
