// Checks the rows of the coverage ledger in the store: each by itself, and that none is behind the blocks that it came with.
// log-check.ts has it called; what the journal has is checked with its heads.

import { readCoverage } from '../../lib/log/coverage-format.ts';
import { type ProblemList, reasonOf } from './problem.ts';
import type { ClosedLog } from './reader.ts';

/** Reports what is wrong; the bytes of all rows. @throws CodedError `LOG_READ_FAILED`. */
export async function checkCoverage(reader: ClosedLog, problems: ProblemList): Promise<number> {
  const endUs = await reader.storeEndUs();
  let bytes = 0;
  for await (const { toUs, value } of reader.coverageValues()) {
    bytes += value.length;
    try {
      const { fromUs, reason } = readCoverage(toUs, value);
      if (fromUs >= toUs)
        problems.report('coverage_damaged', 'store', toUs, `it goes from ${fromUs} to ${toUs}`);
      // Where the log was cut off, or its end was damaged, the row comes before the block.
      if (toUs > endUs && reason !== 'log_cut' && reason !== 'log_damaged')
        problems.report('coverage_excess', 'store', endUs, `the row ${toUs} is behind it`);
    } catch (error) {
      problems.report('coverage_damaged', 'store', toUs, reasonOf(error));
    }
  }
  return bytes;
}
