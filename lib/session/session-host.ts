// What a session needs of its listener, whichever way it talks to its client: where to subscribe, which times to keep, where
// to count, whom to tell of its end. websocket-session.ts and http-session.ts add what is theirs.

import type { SubscriptionSource } from '../fanout/transport.ts';
import type { SessionCounts } from './session-counts.ts';
import type { SessionTiming } from './session-timer.ts';

/** See the file comment. */
export interface SessionHost<Session> {
  readonly source: SubscriptionSource;
  readonly timing: SessionTiming;
  readonly counts: SessionCounts;
  /** Called once for each session, when its answer has been sent or its socket is gone. */
  gone(session: Session): void;
}
