// What a server of the second wire says (`network.bsky.jetstream.subscribeEvents`), as the same events, reports and gaps that the
// first wire brings: who reads the stream does not see which it was. Pure, runs anywhere. Source: the lexicons of that method.

import {
  bodyChecks,
  isObject,
  isString,
  isTime,
  type Message,
  notAnEvent,
  type StreamEvent,
} from './event.ts';

/** The method, which also names its payloads in front of a `#`. */
export const subscribeEventsNsid = 'network.bsky.jetstream.subscribeEvents';

type JsonObject = Record<string, unknown>;

/** Of each payload type, the message that it is; of those not here, none. */
const readers = new Map<string, (payload: JsonObject) => Message>([
  [`${subscribeEventsNsid}#commit`, readCommit],
  [`${subscribeEventsNsid}#identity`, (payload) => readWrapped('identity', payload)],
  [`${subscribeEventsNsid}#account`, (payload) => readWrapped('account', payload)],
  [`${subscribeEventsNsid}#sync`, (payload) => readWrapped('sync', payload)],
  [`${subscribeEventsNsid}#info`, readInfo],
  ['slipstream.stream.progress#progress', readProgress],
  ['slipstream.stream.progress#gap', readGap],
]);

/** Reads the text of a message. Never throws. */
export function readV2Message(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { malformed: 'not_json' };
  }
  if (!isObject(value) || !isString(value.$type)) return notAnEvent;
  const { $type, payload, error, message } = value;
  if ($type === 'error')
    return isString(error) ? { failure: { name: error, message: wordsOf(message) } } : notAnEvent;
  // Later types of messages and of payloads are to be passed over.
  if ($type !== 'message') return { malformed: 'unknown_kind' };
  if (!isObject(payload) || !isString(payload.$type)) return notAnEvent;
  return readers.get(payload.$type)?.(payload) ?? { malformed: 'unknown_kind' };
}

function readCommit(payload: JsonObject): Message {
  const { operation, collection, rkey, rev, record, cid } = payload;
  const written = operation === 'delete' ? {} : { record, cid };
  return eventOf('commit', payload, { rev, operation, collection, rkey, ...written });
}

function readWrapped(kind: 'identity' | 'account' | 'sync', payload: JsonObject): Message {
  return eventOf(kind, payload, payload[kind]);
}

function eventOf(kind: StreamEvent['kind'], { did, seq, time }: JsonObject, body: unknown): Message {
  const timeUs = isString(time) ? microsecondsOf(time) : undefined;
  if (!isString(did) || !isTime(seq) || timeUs === undefined) return notAnEvent;
  if (!isObject(body) || !bodyChecks[kind](body)) return notAnEvent;
  return { event: { did, time_us: timeUs, seq, kind, [kind]: body } as unknown as StreamEvent };
}

function readInfo({ name, message }: JsonObject): Message {
  return isString(name) ? { info: { name, message: wordsOf(message) } } : notAnEvent;
}

function readProgress({ cursor, lagUs, live }: JsonObject): Message {
  if (!isTime(cursor) || !isTime(lagUs) || typeof live !== 'boolean') return notAnEvent;
  // The only server that reports it numbers its events by their time.
  return { progress: { timeUs: Math.max(0, cursor - 1), cursor, lagUs, live } };
}

function readGap({ seq, fromUs, toUs, reason, relay, missing, repeated }: JsonObject): Message {
  if (!isTime(seq) || !isTime(fromUs) || !isTime(toUs) || !isString(reason)) return notAnEvent;
  const from = isString(relay) ? relay : undefined;
  return {
    gap: {
      ...{ timeUs: seq, reason, relay: from, fromUs, toUs },
      ...{ missing: missing === true, repeated: repeated === true },
    },
  };
}

function wordsOf(message: unknown): string {
  return isString(message) ? message : '';
}

const datetime = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Microseconds since 1970 of an RFC 3339 time: a Date has only milliseconds. Undefined when it is none, or before 1970. */
function microsecondsOf(text: string): number | undefined {
  const [, second, fraction = '', zone] = datetime.exec(text) ?? [];
  const us = Date.parse(`${second}${zone}`) * 1000 + Number(fraction.slice(0, 6).padEnd(6, '0'));
  return isTime(us) ? us : undefined;
}
