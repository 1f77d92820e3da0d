// What the server says of its own accord on the second wire: notices at the start of a stream, errors before its end, and the
// codes of closes. What may be retried never ends with a code that clients take for final. lib/session sends them.

import { subscribeEventsNsid } from '../event/v2-event.ts';
import type { CloseReason } from '../fanout/transport.ts';
import { coverageFields } from './coverage-row.ts';
import { closePolicy, deliveryCloses } from './server-messages.ts';
import type { SessionWire } from './session-wire.ts';
import { readV2Update } from './v2-update.ts';

/** The server has failed. */
const closeInternalError = 1011;

/** From here on a cursor is a time, and so are all that this server gives: `seq` is `time_us`. */
const timeCursorMin = 1e15;

/** Names our own payloads in front of a `#`: lexicons/slipstream.stream.progress.json. */
const ownNsid = 'slipstream.stream.progress';

/** Where a stream begins. */
export interface V2Start {
  /** As of `SubscriptionSource.subscribe`. */
  readonly afterTimeUs: number | undefined;
  /** What the client is told before the first event. */
  readonly notice?: string;
}

/**
 * What a cursor means now. It is inclusive. One that is older than all that there is, a number of another server's among them, starts
 * with the oldest, one from the future with the next event; both are told.
 * @param nowUs no event is newer. @param oldestUs the log has everything since; 0 when it is empty. @param cursorAheadUsMax how far
 * ahead of `nowUs` a cursor may be and is none from the future.
 */
export function startOfV2(
  cursor: number | undefined,
  nowUs: number,
  oldestUs: number,
  cursorAheadUsMax = 0,
): V2Start {
  if (cursor === undefined) return { afterTimeUs: undefined };
  // The next one after the newest event is what a client that has it comes back with.
  if (cursor > nowUs + 1 + cursorAheadUsMax) {
    return {
      afterTimeUs: undefined,
      notice: infoText('FutureCursor', 'the cursor is in the future: the stream starts with the next event'),
    };
  }
  const from = oldestUs === 0 ? nowUs : oldestUs;
  if (cursor >= from) return { afterTimeUs: cursor - 1 };
  return {
    // A node of a cluster that is still empty gets, in a moment, what the client has had from another one.
    afterTimeUs: cursor < timeCursorMin ? 0 : cursor - 1,
    notice: infoText(
      'OutdatedCursor',
      `the cursor is older than what this server keeps: the stream starts at ${from}`,
    ),
  };
}

/** A notice. */
export function infoText(name: string, message: string): string {
  return JSON.stringify({
    $type: 'message',
    payload: { $type: `${subscribeEventsNsid}#info`, message, name },
  });
}

/** A message of a type that is ours, for who has asked for it. */
function ownText(name: string, payload: object): string {
  return JSON.stringify({ $type: 'message', payload: { $type: `${ownNsid}#${name}`, ...payload } });
}

/** The last message before a close. */
export function errorText(error: string, message: string): string {
  return JSON.stringify({ $type: 'error', error, message });
}

/** What is sent before the error comes before it: who has read it can go on with this cursor. */
function comeBack(text: string, cursor: number | undefined): string {
  return cursor === undefined
    ? `${text}: come back with your cursor`
    : `${text}: come back with cursor=${cursor}`;
}

/** The second wire, as a session speaks it. */
export const v2Wire: SessionWire = {
  failureOf: (reason) => ({ code: closePolicy, text: reason, error: errorText('InvalidRequest', reason) }),
  progressOf({ positionUs, newestUs, live }) {
    const payload = { cursor: positionUs + 1, lagUs: newestUs - positionUs, live };
    return ownText('progress', payload);
  },
  gapOf(row) {
    const { from_us: fromUs, to_us: toUs, from_seq: fromSeq, to_seq: toSeq, ...rest } = coverageFields(row);
    return ownText('gap', { seq: toUs, fromUs, toUs, fromSeq, toSeq, ...rest });
  },
  closeOf(reason: CloseReason, cursor?: number) {
    const { code, text } = deliveryCloses[reason];
    if (reason !== 'delivery_failed') return { code, text };
    return { code: closeInternalError, text, error: errorText('InternalError', comeBack(text, cursor)) };
  },
  stallOf: (text, cursor) => ({
    code: closePolicy,
    text,
    error: errorText('ConsumerTooSlow', comeBack(text, cursor)),
  }),
};

/** The same for a client that may send filters. */
export const v2UpdatedWire: SessionWire = { ...v2Wire, readMessage: readV2Update };
