// A row of the coverage ledger as clients are told of it, in `/coverage` and in the stream: the same fields in both. Pure.

import { coverageMeanings, type Gap } from '../event/coverage.ts';

/** The fields; those that are not known are left out of the JSON. */
export interface CoverageFields {
  readonly reason: string;
  readonly relay: string | undefined;
  readonly from_us: number;
  readonly to_us: number;
  readonly from_seq: number | undefined;
  readonly to_seq: number | undefined;
  readonly detail: string | undefined;
  readonly count: number;
  /** Whether events may be missing, and whether some may have come twice. */
  readonly missing: boolean;
  readonly repeated: boolean;
}

export function coverageFields(row: Gap): CoverageFields {
  const { reason, relay, fromUs, toUs, fromSeq, toSeq, detail, count } = row;
  return {
    reason,
    relay: relay === '' ? undefined : relay,
    from_us: fromUs,
    to_us: toUs,
    from_seq: fromSeq,
    to_seq: toSeq,
    detail,
    count,
    ...coverageMeanings[reason],
  };
}
