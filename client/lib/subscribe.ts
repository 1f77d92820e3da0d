// The package's entry: one function that subscribes to a Jetstream server, v1 or v2, and the types around it. For Node from 22
// on, browsers and workers; no module of Node is imported. The work is done by `EventStream`.

import type { CursorStore } from './cursor-saver.ts';
import type { RecordsByCollection, StreamEvent } from './event.ts';
import { defaultQueueLimits, type QueueLimits } from './event-queue.ts';
import { checkFilter, isV2Url, readUrl, type StreamFilter } from './filter.ts';
import type { StreamNotice } from './notice.ts';
import { globalPlatform, type Platform } from './platform.ts';
import { EventStream } from './stream.ts';
import { type ClientTiming, defaultClientTiming } from './timing.ts';
import { warnings } from './warnings.ts';
import type { WireName } from './wire.ts';

export type { EndReason } from './connection.ts';
export type { CursorStore } from './cursor-saver.ts';
export type {
  AccountEvent,
  Commit,
  CommitEvent,
  DeletedCommit,
  Gap,
  IdentityEvent,
  MalformedReason,
  Progress,
  StreamEvent,
  SyncEvent,
  Told,
  WrittenCommit,
} from './event.ts';
export type { QueueLimits } from './event-queue.ts';
export type { StreamFilter } from './filter.ts';
export type { Disconnected, StreamNotice, StreamState, StreamStatus } from './notice.ts';
export type { Platform } from './platform.ts';
export { proofOf } from './proof.ts';
export type { EventStream } from './stream.ts';
export type { ClientTiming } from './timing.ts';
export type { WireName } from './wire.ts';

/** What to subscribe to, and how. */
export interface SubscribeOptions extends StreamFilter {
  /** `ws://host:port`, with or without `/subscribe` and parameters; `wss`, `http` and `https` are fine too. */
  readonly url: string;
  /**
   * What to speak where the server has it: `v2` is `network.bsky.jetstream.subscribeEvents`, and falls back to `v1` on a server that does not
   * know it. Without it: `v1`, but `v2` for an address of that method.
   */
  readonly wire?: WireName | undefined;
  /** Where to start, in microseconds since 1970 or by a `seq` of the v2 wire; 0 is the oldest event that the server has. Without it: live. */
  readonly cursor?: number | undefined;
  /** The stream ends before the first event that is not older, in microseconds since 1970. */
  readonly untilUs?: number | undefined;
  /** Where the cursor outlives the process. What it holds is used in place of `cursor`. */
  readonly cursorStore?: CursorStore | undefined;
  /** Half the bytes on the network for 10 µs of work an event. */
  readonly compress?: boolean | undefined;
  /** The server's zstd dictionary; without it a Slipstream server is asked for its own. v1 servers have no such answer. */
  readonly dictionary?: Uint8Array | undefined;
  /**
   * In pages whose bundler does not serve the zstd decoder's file: the address of `zstd.wasm` of @bokuweb/zstd-wasm, or its bytes.
   * One for the whole page, by the first compressed stream.
   */
  readonly zstdWasm?: string | URL | Uint8Array<ArrayBuffer> | undefined;
  /** Ends the stream, and with it the loop, without an error. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Hears of connections, progress, gaps and malformed messages. What it throws ends the stream. Without it, a stream that has had no
   * connection for 10 s, or cannot save its cursor, says so by `console.warn`.
   */
  readonly onNotice?: ((notice: StreamNotice) => void) | undefined;
  /** Bounds of what may wait for the consumer. */
  readonly queue?: Partial<QueueLimits> | undefined;
  readonly timing?: Partial<ClientTiming> | undefined;
  /** A WebSocket or clock of the caller's. */
  readonly platform?: Partial<Platform> | undefined;
}

/**
 * Subscribes, for values of the caller's in place of events: `transform` makes them of an event and its text as it was
 * sent. What it throws ends the stream.
 */
export function subscribe<Value>(
  options: SubscribeOptions & { readonly transform: (event: StreamEvent, text: string) => Value },
): EventStream<Value>;
/**
 * Subscribes. The stream connects with its first `next()`, reconnects by itself, and ends by `break`, `close()`, the
 * signal, `untilUs`, or an error that no new attempt could mend. `Records` says what records look like, by collection.
 * @throws CodedError `CLIENT_BAD_URL`, `CLIENT_BAD_FILTER`.
 */
export function subscribe<Records extends object = RecordsByCollection>(
  options: SubscribeOptions,
): EventStream<StreamEvent<Records>>;
export function subscribe(
  options: SubscribeOptions & { readonly transform?: (event: StreamEvent, text: string) => unknown },
): EventStream<unknown> {
  const { url, filter, cursor } = readUrl(options.url, options);
  checkFilter(options);
  const platform = { ...globalPlatform(), ...options.platform };
  return new EventStream({
    url,
    wire: options.wire ?? (isV2Url(url) ? 'v2' : 'v1'),
    filter,
    cursor: options.cursor ?? cursor,
    untilUs: options.untilUs ?? Number.POSITIVE_INFINITY,
    compress: options.compress ?? false,
    dictionary: options.dictionary,
    zstdWasm: options.zstdWasm,
    store: options.cursorStore,
    signal: options.signal,
    onNotice: options.onNotice ?? warnings(options.url, platform),
    transform: options.transform ?? ((event) => event),
    limits: { ...defaultQueueLimits, ...options.queue },
    timing: { ...defaultClientTiming, ...options.timing },
    platform,
  });
}
