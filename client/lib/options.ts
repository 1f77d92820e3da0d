// What `subscribe` can be told, and whether it was: every option has a name that there is and a value of its kind, so that none is
// ignored without a word. What the values mean is for those who use them; the parts of a filter are checked by filter.ts.

import { UsageError } from '../../lib/errors.ts';
import { momentForms, parseMomentCursor } from '../../lib/event/moment.ts';
import { nearName } from '../../lib/near-name.ts';
import type { CursorStore } from './cursor-saver.ts';
import type { WasmSource } from './decompressor.ts';
import { defaultQueueLimits, type QueueLimits } from './event-queue.ts';
import { checkFilter, type StreamFilter } from './filter.ts';
import { shownValue, unknownName } from './misuse.ts';
import type { StreamNotice } from './notice.ts';
import type { Platform } from './platform.ts';
import { type ClientTiming, defaultClientTiming } from './timing.ts';
import type { WireName } from './wire.ts';

/** What to subscribe to, and how. */
export interface SubscribeOptions extends StreamFilter {
  /** `ws://host:port`, with or without `/subscribe` and parameters; `wss`, `http` and `https` are fine too. */
  readonly url: string | URL;
  /**
   * What to speak where the server has it: `v2` is `network.bsky.jetstream.subscribeEvents`, and falls back to `v1` on a server that does not
   * know it. Without it: `v1`, but `v2` for an address of that method.
   */
  readonly wire?: WireName | undefined;
  /**
   * Where to start: microseconds since 1970, or a `seq` of the v2 wire; 0 is the oldest event that the server has. As a text also `1h`,
   * `yesterday 14:00` (UTC) or RFC 3339. Without it: live.
   */
  readonly cursor?: number | string | undefined;
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
  readonly zstdWasm?: WasmSource | undefined;
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

/** What a value has to be, and that in words. */
interface Form {
  readonly is: (value: unknown) => boolean;
  readonly right: string;
}

type Values = Readonly<Record<string, unknown>>;

const isFunction = (value: unknown): boolean => typeof value === 'function';
const isObject = (value: unknown): value is Values => typeof value === 'object' && value !== null;
const isBytes = (value: unknown): boolean => value instanceof Uint8Array;
const isAddress = (value: unknown): boolean => typeof value === 'string' || value instanceof URL;
const has = (value: unknown, ...methods: readonly string[]): boolean =>
  isObject(value) && methods.every((name) => isFunction(value[name]));

/** Of each part of an object its form; parts that are not here there are not. */
type Parts = Readonly<Record<string, Form>>;
const eachOf = (names: object, form: Form): Parts =>
  Object.fromEntries(Object.keys(names).map((name) => [name, form]));
const functionForm: Form = { is: isFunction, right: 'a function' };

const partsOf: Readonly<Record<string, Parts>> = {
  queue: eachOf(defaultQueueLimits, {
    is: (value) => typeof value === 'number' && value >= 1,
    right: 'a number from 1',
  }),
  timing: eachOf(defaultClientTiming, {
    is: (value) => typeof value === 'number' && value >= 0,
    right: 'milliseconds',
  }),
  platform: {
    // By name: Node loads its HTTP client, 2 MB, when its WebSocket is looked at.
    WebSocket: functionForm,
    fetch: functionForm,
    setTimeout: functionForm,
    clearTimeout: functionForm,
    nowMs: functionForm,
    random: functionForm,
    warn: functionForm,
  } satisfies Record<keyof Platform, Form>,
};

const forms: Readonly<Record<Exclude<keyof SubscribeOptions, keyof StreamFilter> | 'transform', Form>> = {
  url: { is: isAddress, right: 'an address, such as "ws://localhost:6008"' },
  wire: { is: (value) => value === 'v1' || value === 'v2', right: '"v1" or "v2"' },
  cursor: {
    is: (value) =>
      typeof value === 'string' ? cursorOf(value, Date.now) !== undefined : Number.isSafeInteger(value),
    right: `a whole number, or a text: ${momentForms}`,
  },
  untilUs: {
    is: (value) => typeof value === 'number' && !Number.isNaN(value),
    right: 'microseconds since 1970, as a number',
  },
  cursorStore: { is: (value) => has(value, 'load', 'save'), right: 'an object with load() and save(cursor)' },
  compress: { is: (value) => typeof value === 'boolean', right: 'true or false' },
  dictionary: { is: isBytes, right: 'the bytes of a zstd dictionary, as a Uint8Array' },
  zstdWasm: {
    is: (value) => isAddress(value) || isBytes(value),
    right: 'the address of zstd.wasm, or its bytes',
  },
  signal: { is: (value) => has(value, 'addEventListener'), right: 'the signal of an AbortController' },
  onNotice: functionForm,
  transform: functionForm,
  queue: { is: isObject, right: `an object of ${Object.keys(partsOf.queue).join(', ')}` },
  timing: { is: isObject, right: 'an object of intervals, in milliseconds' },
  platform: { is: isObject, right: `an object of ${Object.keys(partsOf.platform).join(', ')}` },
};

/** @throws UsageError `CLIENT_BAD_OPTION`, and `CLIENT_BAD_FILTER` for what is, or is meant as, a part of a filter. */
export function checkOptions(options: SubscribeOptions): void {
  if (!isObject(options)) {
    const given = isAddress(options) ? String(options) : 'ws://localhost:6008';
    throw misuse(`subscribe takes one object: write subscribe({ url: ${JSON.stringify(given)} })`);
  }
  checkFilter(options, Object.keys(forms));
  for (const [name, form] of Object.entries(forms)) check(name, options[name], form);
  if (options.url === undefined) throw misuse(`url is missing: give ${forms.url.right}`);
  for (const [name, parts] of Object.entries(partsOf)) {
    checkParts(name, parts, (options[name] as Values | undefined) ?? {});
  }
}

function checkParts(name: string, parts: Parts, given: Values): void {
  for (const [part, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (Object.hasOwn(parts, part)) check(`${name}.${part}`, value, parts[part]);
    else if (name !== 'platform' || isMeant(part, parts, given))
      throw misuse(unknownName(part, value, `a part of ${name}`, Object.keys(parts)));
  }
}

/** A platform may be an object with a life of its own: of its names only one that stands in the place of a known one is meant for it. */
function isMeant(part: string, parts: Parts, given: Values): boolean {
  const near = nearName(part, Object.keys(parts));
  return near !== undefined && given[near] === undefined;
}

/** The cursor that a text names; undefined when it names none. @param nowMs the clock that spans count back from. */
export function cursorOf(text: string, nowMs: () => number): number | undefined {
  return parseMomentCursor(text.trim(), () => nowMs() * 1000);
}

/** What a store has given, which its types may only promise. @throws UsageError `CLIENT_BAD_OPTION`. */
export function checkStored(cursor: unknown): void {
  if (cursor === undefined || Number.isSafeInteger(cursor)) return;
  throw misuse(
    `cursorStore.load() gave ${shownValue(cursor)}: it has to give the number that save() got, or undefined when there is none`,
  );
}

function check(name: string, value: unknown, { is, right }: Form): void {
  if (value === undefined || is(value)) return;
  throw misuse(`${name} is ${shownValue(value)}: it has to be ${right}`);
}

function misuse(text: string): UsageError {
  return new UsageError('CLIENT_BAD_OPTION', text);
}
