// The package's entry: one function that subscribes to a Jetstream server, v1 or v2, and the types around it. For Node.js from 22
// on, Bun, Deno, browsers and workers; no module of Node is imported. What it is told is checked by options.ts; the work is done by
// `EventStream`.

import { readAddress } from './address.ts';
import type { RecordsByCollection, StreamEvent } from './event.ts';
import { defaultQueueLimits } from './event-queue.ts';
import { checkOptions, type SubscribeOptions } from './options.ts';
import { checkPlatform, globalPlatform } from './platform.ts';
import { EventStream } from './stream.ts';
import { defaultClientTiming } from './timing.ts';
import { warnings } from './warnings.ts';

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
export type { SubscribeOptions } from './options.ts';
export type { Platform } from './platform.ts';
export { proofOf } from './proof.ts';
export type { EventStream } from './stream.ts';
export type { ClientTiming } from './timing.ts';
export type { WireName } from './wire.ts';

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
 * @throws CodedError `CLIENT_BAD_OPTION`, `CLIENT_BAD_URL`, `CLIENT_BAD_FILTER`, `CLIENT_NO_WEBSOCKET`.
 */
export function subscribe<Records extends object = RecordsByCollection>(
  options: SubscribeOptions,
): EventStream<StreamEvent<Records>>;
export function subscribe(
  options: SubscribeOptions & { readonly transform?: (event: StreamEvent, text: string) => unknown },
): EventStream<unknown> {
  checkOptions(options);
  const platform = { ...globalPlatform(), ...definedOf(options.platform) };
  checkPlatform(platform);
  const asked = readAddress(options, platform.nowMs);
  return new EventStream({
    ...asked,
    untilUs: options.untilUs ?? Number.POSITIVE_INFINITY,
    dictionary: options.dictionary,
    zstdWasm: options.zstdWasm,
    store: options.cursorStore,
    signal: options.signal,
    onNotice: options.onNotice ?? warnings(String(options.url), platform),
    transform: options.transform ?? ((event) => event),
    limits: { ...defaultQueueLimits, ...definedOf(options.queue) },
    timing: { ...defaultClientTiming, ...definedOf(options.timing) },
    platform,
  });
}

/** Without what is given as undefined, which would be in the place of what is usual. */
function definedOf<T extends object>(given: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(given ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
