// How far a subscription has come, and what was delivered already: where the next connection has to start so that
// nothing is missed, and which of its events have to be dropped so that nothing comes twice. Pure; `EventStream` asks.

import { type Gap, keyOf, type Progress, type StreamEvent } from './event.ts';

/**
 * How far a new connection to a server without progress reports goes back, in microseconds. Such a server can send
 * events of the last second of a replay out of order, and two events may share a `time_us`.
 */
const rewindUs = 2_000_000;

/**
 * Newest events that are remembered, with some 200 bytes each. More than those of that span: a v1 server that crashes takes
 * its last five seconds in anew, with new times. When the span has more, a new connection goes back less far.
 */
const rememberedMax = 32_768;
/** Characters of what tells them apart, some hundred each: a server may have names of megabytes. */
const rememberedCharsMax = 16 * 1024 * 1024;

/**
 * See the file comment. A server that reports progress, or numbers its events by `seq`, counts as exact: `time_us`, or the
 * number, always rises, and nothing is lost. For others, the newest events are remembered, and a new connection starts before the last of them.
 */
export class Position {
  /** Asked for by the caller, and the answer until something has arrived. */
  readonly #start: number | undefined;
  #exact = false;
  #reported = false;
  /** Greatest coordinate that has been reached: `seq` where there is one, else `time_us`. */
  #newest: number | undefined;
  /** Nothing has come over this connection yet. */
  #isFresh = false;
  /** Greatest `time_us` that has been reached. */
  #newestUs: number | undefined;
  /** `time_us` by key. */
  readonly #remembered = new Map<string, number>();
  #rememberedChars = 0;
  /** Every delivered event that the filter wanted from here on is remembered. */
  #floorUs: number;

  /** @param start the first cursor, in microseconds; undefined is live. */
  constructor(start: number | undefined) {
    this.#start = start;
    this.#floorUs = start ?? 0;
  }

  /** Whether the server is known to tell how far it has come. */
  get isReported(): boolean {
    return this.#reported;
  }

  /** Greatest `time_us` that has been reached; undefined before the first message. */
  get newestUs(): number | undefined {
    return this.#newestUs;
  }

  /** Where the next connection starts; undefined is live. */
  get nextCursor(): number | undefined {
    if (this.#newest === undefined) return this.#start;
    return this.#exact ? this.#newest + 1 : Math.max(this.#floorUs, this.#newest - rewindUs);
  }

  /**
   * Where a consumer starts anew that remembers nothing but has handled all that has arrived. An inexact server gets
   * its last `time_us` once more: another event may share it, and some replay everything when nothing is left to send.
   */
  get safeCursor(): number | undefined {
    return this.#newest !== undefined && !this.#exact ? this.#newest : this.nextCursor;
  }

  /** A connection is open that was asked for `nextCursor`. */
  opened(): void {
    this.#isFresh = true;
  }

  /**
   * The gap in front of an event that is the first of its connection and has a number below what was asked for: the server has
   * begun to count anew, from where is not known. Undefined for every other. The event is new from then on.
   */
  renumbering({ seq, time_us: toUs }: StreamEvent): Gap | undefined {
    const isFirst = this.#isFresh;
    this.#isFresh = false;
    if (!isFirst || seq === undefined || seq > (this.#newest ?? -1)) return undefined;
    this.#newest = undefined;
    const fromUs = this.#newestUs ?? 0;
    const meaning = { reason: 'new_numbering', relay: undefined, missing: true, repeated: true };
    return { timeUs: toUs, fromUs, toUs, ...meaning };
  }

  /** Whether the event is new; it then counts as delivered. */
  take(event: StreamEvent): boolean {
    const { time_us, seq } = event;
    const newest = this.#newest ?? -1;
    const at = seq ?? time_us;
    if (seq !== undefined) this.#exact = true;
    if (this.#exact) {
      if (at <= newest) return false;
    } else {
      const key = keyOf(event);
      if (this.#remembered.has(key)) return false;
      this.#remembered.set(key, time_us);
      this.#rememberedChars += key.length;
      while (this.#remembered.size > rememberedMax || this.#rememberedChars > rememberedCharsMax)
        this.#forgetOldest();
    }
    this.#newest = Math.max(newest, at);
    this.#newestUs = Math.max(this.#newestUs ?? 0, time_us);
    return true;
  }

  /** Takes a report of progress. */
  advance({ cursor }: Pick<Progress, 'cursor'>): void {
    this.#exact = true;
    this.#reported = true;
    this.#remembered.clear();
    this.#rememberedChars = 0;
    // A server that reports progress numbers its events by their time.
    this.#newest = Math.max(this.#newest ?? 0, cursor - 1);
    this.#newestUs = Math.max(this.#newestUs ?? 0, cursor - 1);
  }

  /** Whether a gap is new; it then counts as told. Only servers that report progress tell of gaps. */
  takeGap(timeUs: number): boolean {
    if (this.#exact && timeUs <= (this.#newest ?? -1)) return false;
    this.advance({ cursor: timeUs + 1 });
    return true;
  }

  /** The filter is another: what it lets through from before now is not wanted. */
  filterChanged(): void {
    this.#floorUs = Math.max(this.#floorUs, this.#newestUs ?? 0);
  }

  #forgetOldest(): void {
    for (const [key, timeUs] of this.#remembered) {
      this.#remembered.delete(key);
      this.#rememberedChars -= key.length;
      this.#floorUs = Math.max(this.#floorUs, timeUs + 1);
      return;
    }
  }
}
