// What ingest asks of whoever checks commits beside it: verdicts for the events of a block, soon. Who that is, and what checks cost,
// is not its business; without anybody blocks have no verdicts.

import type { Frame } from '../decode/frame.ts';
import type { CoverageFinding } from '../event/coverage.ts';

/** Verdicts of one block. */
export interface Verdicts {
  /** One number an event, as of `BlockIndex.verdict`. Never rejects; the block waits for it, so it must come soon. */
  readonly column: Promise<Uint8Array>;
  /** The block is in the log. */
  stored(): void;
}

/** See the file comment. */
export interface Verification {
  /** Ingest begins; what it took before, in another life, is no matter. @param tell told of what the ledger should have. */
  begin(tell: (finding: Omit<CoverageFinding, 'relay'>) => void): void;
  /** A frame was taken. Its events are those from `from` to `to` (exclusive) of the open block; its bytes are copied. */
  add(frame: Frame, from: number, to: number): void;
  /** The block is sealed, with so many events; undefined when there is nothing to say of any. */
  seal(count: number): Verdicts | undefined;
}
