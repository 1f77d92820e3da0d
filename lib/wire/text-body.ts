// What the answer to a subscriber over plain HTTP is made of, event by event: the seam between its two forms
// (sse-body.ts, ndjson-body.ts) and the session that sends it (lib/session/http-session.ts).

import type { Encoding } from '../fanout/encodings.ts';
import type { Progress } from '../fanout/transport.ts';

/** One answer under way; belongs to one session. */
export interface TextBody {
  readonly contentType: string;
  readonly encoding: Encoding;
  /** Whether the connection is worth keeping for another request when the answer has come to its end. */
  readonly keepsConnection: boolean;
  /** The last `time_us` that it wants; absent: there is none. */
  readonly throughUs?: number;
  /** What comes first; may be empty. */
  readonly firstText: string;
  /** Whether all has been said. */
  readonly isComplete: boolean;
  /** What to write of a batch of `encoding`, which is not empty; may share its memory. */
  eventsOf(batch: Uint8Array): Uint8Array;
  /** What to write about progress; may be empty. */
  progressOf(report: Progress): string;
  /** What to say at an end that is not the answer's own; undefined to break it off, so that nobody takes it for whole. */
  closingText(reason: string): string | undefined;
}
