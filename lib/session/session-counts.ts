// What subscribers' sessions have done since start, as plain numbers with closed lists of keys: counted by
// websocket-session.ts and http-session.ts, read when metrics are asked for.

import { type FilterName, filterNames } from '../wire/misspelt-name.ts';
import type { SessionTiming } from './session-timer.ts';
import type { ClosedBy } from './subscriber-socket.ts';

/** What became of a message from a client. */
const clientMessageOutcomes = [
  'update',
  /** A `type` that the wire does not know. */
  'ignored_type',
  'ignored_binary',
  /** Ended the session. */
  'failure',
] as const;
export type ClientMessageOutcome = (typeof clientMessageOutcomes)[number];

/** Why a session ended. */
export const sessionEnds = [
  /** A pull has said all. */
  'complete',
  /** The client sent a close frame. */
  'client_closed',
  /** The connection broke, or the client shut it without a close frame. */
  'client_gone',
  /** Neither a pong nor anything else came, and nothing was taken. */
  'client_silent',
  /** It was behind and took nothing. */
  'stalled',
  /** A client message that the wire answers with an error. */
  'bad_message',
  'message_too_large',
  /** More messages a second than a client may send. */
  'too_many_messages',
  /** A message did not come to its end in time, or there was no room for the rest of it. */
  'message_unfinished',
  'protocol_violation',
  /** The delivery loop closed it: for want of room for its filter, in all or of its address, or because the log could not be read. */
  /** What it had been sent and had not taken was too much, with what others had not. */
  'no_room_for_answer',
  'no_room',
  'no_room_of_address',
  'delivery_failed',
  /** It had to go because the thread or the container runs short of memory. */
  'memory_short',
  'server_stopping',
] as const;
export type SessionEnd = (typeof sessionEnds)[number];

/** Sums since start. */
export class SessionCounts {
  opened = 0;
  readonly messages = new Map<ClientMessageOutcome, number>(clientMessageOutcomes.map((key) => [key, 0]));
  /** Subscriptions over WebSocket with a parameter that is nearly a part of a filter, by the part; it was ignored. */
  readonly misspelt = new Map<FilterName, number>(filterNames.map((key) => [key, 0]));
  readonly ended = new Map<SessionEnd, number>(sessionEnds.map((key) => [key, 0]));

  message(outcome: ClientMessageOutcome): void {
    this.messages.set(outcome, (this.messages.get(outcome) as number) + 1);
  }

  /** How often it was by now. */
  misspell(meant: FilterName): number {
    const count = (this.misspelt.get(meant) as number) + 1;
    this.misspelt.set(meant, count);
    return count;
  }

  end(why: SessionEnd): void {
    this.ended.set(why, (this.ended.get(why) as number) + 1);
  }
}

/** How long a client that is ended for want of memory may take to hear of it: what is kept for it is what there is too much of. */
const shedMs = 500;

/** How long the end of a session may take. */
export function endMsOf(why: SessionEnd, { closeTimeoutMs }: Pick<SessionTiming, 'closeTimeoutMs'>): number {
  return why === 'memory_short' ? Math.min(shedMs, closeTimeoutMs) : closeTimeoutMs;
}

/** Why a WebSocket has ended that the session did not end. */
export function endOf(by: ClosedBy, code: number | undefined): SessionEnd {
  if (by === 'violation') return code === 1009 ? 'message_too_large' : 'protocol_violation';
  return by === 'peer' ? 'client_closed' : 'delivery_failed';
}
