// What the server says of its own accord, beside events: how far a subscriber has come, where events may be missing, and why a
// connection ends. The codes
// of the closes sent on purpose and the room that a reason has are here; lib/session sends them, and answers protocol
// violations. When there is progress to tell is the delivery loop's decision.

import type { Gap } from '../event/coverage.ts';
import { wantedDidsPerAddressMax } from '../fanout/address-table.ts';
import type { CloseReason, Progress } from '../fanout/transport.ts';
import { coverageFields } from './coverage-row.ts';

/** Every error of the application, as the v1 wire has it. */
export const closeApplicationError = 1000;
/** The server stops. */
export const closeGoingAway = 1001;
/** The client does not read, or sends too much. */
export const closePolicy = 1008;
/** There is no room for a filter, or for a message. */
export const closeTryAgainLater = 1013;

/** What a client is told when the delivery loop ends its connection, with the status of an answer that has not begun. */
export interface DeliveryClose {
  readonly code: number;
  readonly status: 429 | 503;
  readonly text: string;
}

/** For a failed read, code and text are the v1 wire's. */
export const deliveryCloses: Readonly<Record<CloseReason, DeliveryClose>> = {
  no_room: {
    code: closeTryAgainLater,
    status: 503,
    text: 'too many wanted DIDs and subjects on this server: try again later',
  },
  no_room_of_address: {
    code: closePolicy,
    status: 429,
    text: `too many wanted DIDs and subjects of one address: it may have ${wantedDidsPerAddressMax.toLocaleString('en')} at a time`,
  },
  memory_short: {
    code: closeTryAgainLater,
    status: 503,
    text: 'this server is short of memory: try again later, from your cursor',
  },
  delivery_failed: { code: closeApplicationError, status: 503, text: 'failed to replay events' },
};

/** Longest reason in bytes of UTF-8: a control frame holds 125, two are the code. */
const closeReasonBytesMax = 123;

const room = new Uint8Array(closeReasonBytesMax);
const encoder = new TextEncoder();

/** The longest start of `reason` that a close frame holds, cut between characters. */
export function cutCloseReason(reason: string): string {
  return reason.slice(0, encoder.encodeInto(reason, room).read);
}

/** The progress message. `cursor` is the value to come back with, so that nothing is missed or repeated. */
export function progressText({ positionUs, newestUs, live }: Progress): string {
  const progress = { cursor: positionUs + 1, lag_us: newestUs - positionUs, live };
  return JSON.stringify({ kind: 'progress', time_us: positionUs, progress });
}

/** The notice of a gap. Its place is `time_us`: events before it come before, those after it behind. */
export function gapText(gap: Gap): string {
  return JSON.stringify({ kind: 'gap', time_us: gap.toUs, gap: coverageFields(gap) });
}
