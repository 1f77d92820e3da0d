// What ingest asks of whoever checks commits: beside the stream, verdicts for the events of a block, soon; or before it, an answer for every
// frame, which is held until then. Who that is, and what checks cost, is not its business; without anybody blocks have no verdicts.

import type { Frame } from '../decode/frame.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import type { BlockVerdicts } from '../event/verdict.ts';

/** Checks beside the stream. */
export interface Verification {
  /** Ingest begins; what it took before, in another life, is no matter. @param tell told of what the ledger should have. */
  begin(tell: (finding: Omit<CoverageFinding, 'relay'>) => void): void;
  /** A frame was taken. Its events are those from `from` to `to` (exclusive) of the open block; its bytes are copied. */
  add(frame: Frame, from: number, to: number): void;
  /** The block is sealed, with so many events; undefined when there is nothing to say of any. */
  seal(count: number): BlockVerdicts | undefined;
}

/** Frames, by their ids, that need not be held any more, in this order. */
export interface FrameAnswers {
  /** Counts up; said back by {@link FrameChecks.stored}. */
  readonly number: number;
  readonly ids: Float64Array;
  /** Numbers of reasons, as of `BlockIndex.verdict`. */
  readonly reasons: Uint8Array;
  /** Whether what is refuted is dropped. */
  readonly isArmed: boolean;
}

/** Who hears of frames that are checked before they are events. */
export interface FrameChecksSink {
  answered(answers: FrameAnswers): void;
  /** @param found with the frame that it is about, if that has not been answered yet; its answer comes next. */
  incident(found: {
    readonly incident: Omit<CoverageFinding, 'relay'>;
    readonly id: number;
    readonly isArmed: boolean;
  }): void;
  /** What of the batch was not answered waits for something. */
  done(batch: number): void;
  /** Nobody answers any more. */
  ended(): void;
}

/** Checks before the stream. */
export interface FrameChecks {
  readonly isUp: boolean;
  /** Bytes of frames that were sent and are not done. */
  readonly outstandingBytes: number;
  /** Ingest begins; what it sent before, in another life, is no matter. */
  begin(sink: FrameChecksSink): void;
  /** Sends frames, whose ids follow each other; answers the batch's number. The bytes are read until it is done. */
  send(firstId: number, bytes: Uint8Array, ends: Uint32Array): number;
  /** What came of answers up to that number is in the log. */
  stored(answers: number): void;
  /** A commit's events were stored with this number, or dropped for it. */
  count(reason: number): void;
  dropped: number;
}
