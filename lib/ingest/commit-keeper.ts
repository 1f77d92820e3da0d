// What ingest tells whoever keeps commits as they came. Who that is, and for how long, is not its business.

import type { Frame } from '../decode/frame.ts';

/** See the file comment. */
export interface CommitKeeper {
  /**
   * A commit was taken; none of its bytes may be held on to.
   * @param timesUs of its events, valid until the call returns; empty when it has none.
   */
  keep(frame: Frame, timesUs: Float64Array): void;
}
