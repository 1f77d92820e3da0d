// What a server says, as types and as a check: events, reports of progress and of gaps, and nothing else; read from the v1
// wire here, from the second in v2-message.ts.
// Pure, runs anywhere. It checks what the rest of the client and a consumer's types rely on; records stay unchecked.

/** Records by collection, for those whose shape the caller knows: `{ 'app.bsky.feed.like': Like }`. */
export type RecordsByCollection = Record<string, unknown>;

/** A record was created or changed. */
export interface WrittenCommit<Collection extends string = string, Content = unknown> {
  readonly operation: 'create' | 'update';
  readonly collection: Collection;
  readonly rkey: string;
  /** Revision of the repository. */
  readonly rev: string;
  /** As its author wrote it: not checked against any schema. Integers beyond 2^53 are rounded. */
  readonly record: Content;
  readonly cid: string;
}

/** A record was deleted; what it was is not told. */
export interface DeletedCommit<Collection extends string = string> {
  readonly operation: 'delete';
  readonly collection: Collection;
  readonly rkey: string;
  readonly rev: string;
}

/** What an account did to one record. Narrow by `operation`, and by `collection` when records are typed. */
export type Commit<Records extends object = RecordsByCollection> = {
  [Collection in keyof Records & string]:
    | WrittenCommit<Collection, Records[Collection]>
    | DeletedCommit<Collection>;
}[keyof Records & string];

interface EventBase {
  /** Account that it is about. */
  readonly did: string;
  /** When the server took it in, in microseconds since 1970; on the v1 wire, and from Slipstream on both, the coordinate of cursors. */
  readonly time_us: number;
  /** On the v2 wire alone: the server's number for it, to resume with, plus one. */
  readonly seq?: number;
}

/** An account wrote. */
export interface CommitEvent<Records extends object = RecordsByCollection> extends EventBase {
  readonly kind: 'commit';
  readonly commit: Commit<Records>;
}

/** The handle or the keys of an account may have changed. Passes every filter of collections. */
export interface IdentityEvent extends EventBase {
  readonly kind: 'identity';
  readonly identity: {
    readonly did: string;
    /** Absent when the relay does not tell: look it up. */
    readonly handle?: string;
    /** Sequence of the server's relay. */
    readonly seq: number;
    readonly time: string;
  };
}

/** An account was taken down, deactivated or brought back. Passes every filter of collections. */
export interface AccountEvent extends EventBase {
  readonly kind: 'account';
  readonly account: {
    readonly active: boolean;
    readonly did: string;
    readonly seq: number;
    /** Why it is not active: `takendown`, `suspended`, `deleted`, `deactivated` or a later word. */
    readonly status?: string;
    readonly time: string;
  };
}

/** An account's repository has a new state, and the commits to it did not come: fetch it anew. On the v2 wire alone. */
export interface SyncEvent extends EventBase {
  readonly kind: 'sync';
  readonly sync: {
    readonly did: string;
    /** Sequence of the server's relay. */
    readonly seq: number;
    /** Revision of the repository. */
    readonly rev: string;
    readonly time: string;
    /** The new commit as a CAR, in base64. */
    readonly blocks: { readonly $bytes: string };
  };
}

/** An event. Narrow by `kind`. */
export type StreamEvent<Records extends object = RecordsByCollection> =
  | CommitEvent<Records>
  | IdentityEvent
  | AccountEvent
  | SyncEvent;

/** How far a subscription has come, as a Slipstream server reports it. Times are microseconds since 1970. */
export interface Progress {
  /** Everything that matches up to here has been sent. */
  readonly timeUs: number;
  /** What to subscribe with so that nothing is missed or comes twice. */
  readonly cursor: number;
  /** Microseconds from `timeUs` to the server's newest event. */
  readonly lagUs: number;
  /** False while older events are being replayed. */
  readonly live: boolean;
}

/**
 * At this place of the stream events may be missing, or come a second time: a Slipstream server knows that it was blind, or has deleted
 * what comes next. Times are microseconds since 1970.
 */
export interface Gap {
  /** Its place: events before have a smaller `time_us`, those after it a greater one. */
  readonly timeUs: number;
  /**
   * `relay_gap`, `new_numbering`, `relay_changed`, `started_over`, `set_back`, `frame_skipped`, `log_cut`, `log_damaged`, `clock_step`, `expired`
   * (the stream was away, or behind, for longer than the server keeps events), or a later word.
   */
  readonly reason: string;
  /** The server's relay; undefined when it has nothing to do with one. */
  readonly relay: string | undefined;
  /** `time_us` of the last event before; 0 when there was none. */
  readonly fromUs: number;
  readonly toUs: number;
  /** Whether events may be missing for ever, and whether events from before may come again. */
  readonly missing: boolean;
  readonly repeated: boolean;
}

/** What a server says in words, on the v2 wire; of foreign origin. */
export interface Told {
  /** Such as `OutdatedCursor`. */
  readonly name: string;
  /** May be empty. */
  readonly message: string;
}

/** Why a message was left out: a closed list, for counting. */
export const malformedReasons = [
  'not_json',
  'not_an_event',
  /** An event, but of a kind that this client does not know. */
  'unknown_kind',
  'bad_frame',
  'too_large',
] as const;
export type MalformedReason = (typeof malformedReasons)[number];

/** What a message turned out to be. */
export type Message =
  | { readonly event: StreamEvent }
  | { readonly progress: Progress }
  | { readonly gap: Gap }
  | { readonly info: Told }
  /** The server ends the connection, and why. */
  | { readonly failure: Told }
  | { readonly malformed: MalformedReason };

export const notAnEvent: Message = { malformed: 'not_an_event' };

/** Reads the text of a message. Never throws. */
export function readMessage(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { malformed: 'not_json' };
  }
  if (!isObject(value) || !isTime(value.time_us) || typeof value.kind !== 'string') return notAnEvent;
  if (value.kind === 'progress') return readProgress(value.time_us, value.progress);
  if (value.kind === 'gap') return readGap(value.time_us, value.gap);
  if (typeof value.did !== 'string') return notAnEvent;
  const isKnown = Object.hasOwn(bodyChecks, value.kind);
  if (!isKnown) return { malformed: 'unknown_kind' };
  const kind = value.kind as StreamEvent['kind'];
  const body = value[kind];
  return isObject(body) && bodyChecks[kind](body) ? { event: value as unknown as StreamEvent } : notAnEvent;
}

/** Whether what an event of a kind is about has what a consumer's types promise; what v1 leaves out is put in. */
export const bodyChecks: Record<StreamEvent['kind'], (body: JsonObject) => boolean> = {
  commit(body) {
    // v1 servers leave out empty strings.
    body.rev ??= '';
    body.collection ??= '';
    body.rkey ??= '';
    if (![body.rev, body.collection, body.rkey].every(isString)) return false;
    if (body.operation === 'delete') return true;
    return (
      (body.operation === 'create' || body.operation === 'update') &&
      isString(body.cid) &&
      isObject(body.record)
    );
  },
  identity: ({ did, seq, time, handle }) =>
    isString(did) && isNumber(seq) && isString(time) && (handle === undefined || isString(handle)),
  account: ({ did, seq, time, active, status }) =>
    isString(did) &&
    isNumber(seq) &&
    isString(time) &&
    typeof active === 'boolean' &&
    (status === undefined || isString(status)),
  sync: ({ did, seq, rev, time, blocks }) =>
    isString(did) &&
    isNumber(seq) &&
    isString(rev) &&
    isString(time) &&
    isObject(blocks) &&
    isString(blocks.$bytes),
};

function readProgress(timeUs: number, body: unknown): Message {
  if (!isObject(body) || !isTime(body.cursor) || !isNumber(body.lag_us) || typeof body.live !== 'boolean')
    return notAnEvent;
  return { progress: { timeUs, cursor: body.cursor, lagUs: body.lag_us, live: body.live } };
}

function readGap(timeUs: number, body: unknown): Message {
  if (!isObject(body) || !isTime(body.from_us) || !isTime(body.to_us) || !isString(body.reason))
    return notAnEvent;
  const { reason, relay, from_us: fromUs, to_us: toUs } = body;
  const [missing, repeated] = [body.missing === true, body.repeated === true];
  return {
    gap: { timeUs, reason, relay: isString(relay) ? relay : undefined, fromUs, toUs, missing, repeated },
  };
}

/** Tells an event from every other, on this server and on another: `time_us` differs between servers. */
export function keyOf(event: StreamEvent): string {
  switch (event.kind) {
    case 'commit': {
      const { operation, rev, collection, rkey } = event.commit;
      return `${event.did} ${rev} ${operation} ${collection}/${rkey}`;
    }
    case 'identity':
      return `${event.did} identity ${event.identity.seq}`;
    case 'account':
      return `${event.did} account ${event.account.seq}`;
    case 'sync':
      return `${event.did} sync ${event.sync.seq}`;
  }
}

type JsonObject = { [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

/** A time, or a number of the server's, that there is one after: to go on with. */
export function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && value !== Number.MAX_SAFE_INTEGER;
}
