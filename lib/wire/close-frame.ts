// Close frames: the codes sent on purpose and the room a reason has. Sending them is
// websocket-session.ts; those that answer protocol violations are lib/session/subscriber-socket.ts.

/** Every error of the application, as the v1 wire has it. */
export const closeApplicationError = 1000;
/** The server stops. */
export const closeGoingAway = 1001;
/** The client does not read, or sends too much. */
export const closePolicy = 1008;
/** There is no room for a filter, or for a message. */
export const closeTryAgainLater = 1013;

/** Longest reason in bytes of UTF-8: a control frame holds 125, two are the code. */
export const closeReasonBytesMax = 123;

const room = new Uint8Array(closeReasonBytesMax);
const encoder = new TextEncoder();

/** The longest start of `reason` that a close frame holds, cut between characters. */
export function cutCloseReason(reason: string): string {
  return reason.slice(0, encoder.encodeInto(reason, room).read);
}
