// A subscription that lasts, behind one iterator. It owns what the consumer has and has finished, and the counts. What
// was delivered is Position's to know, what waits EventQueue's, connections are Link's. Made by `subscribe`.

import { CursorSaver, type CursorStore } from './cursor-saver.ts';
import {
  type Gap,
  type MalformedReason,
  malformedReasons,
  type Progress,
  type StreamEvent,
} from './event.ts';
import { EventQueue, type QueueLimits } from './event-queue.ts';
import { checkFilter, type Request, type StreamFilter, wantedBy } from './filter.ts';
import { Link, type LinkHost } from './link.ts';
import type { StreamNotice, StreamStatus } from './notice.ts';
import { checkStored } from './options.ts';
import { Position } from './position.ts';
import { failureText } from './refusal.ts';
import { Wire, type WireSetup } from './wire.ts';

/** How close to the clock an event has to be, in microseconds, for a server without progress to count as live. */
const liveWithinUs = 2_000_000;
/** A server that is live this long after a moment, in microseconds, has nothing more from before it. */
const untilGraceUs = 1_000_000;
/** Longest time that a timer waits for it. */
const untilTimerMsMax = 60_000;
/** Characters of a malformed message that are shown. */
const shownCharsMax = 200;

/** What a stream is made from; everything is decided. */
export interface StreamSetup<Value> extends WireSetup {
  readonly filter: StreamFilter;
  readonly cursor: number | undefined;
  readonly untilUs: number;
  readonly store: CursorStore | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onNotice: (notice: StreamNotice) => void;
  readonly transform: (event: StreamEvent, text: string) => Value;
  readonly limits: QueueLimits;
}

interface Entry<Value> {
  readonly value: Value;
  /** Characters of its JSON text, nearly all of them a byte. */
  readonly bytes: number;
  /** Safe once the consumer has finished it. */
  cursor: number | undefined;
}

/** See the file comment. Nothing happens before the first `next()`. */
export class EventStream<Value> implements AsyncIterableIterator<Value> {
  readonly #setup: StreamSetup<Value>;
  readonly #queue: EventQueue<Entry<Value>>;
  readonly #saver: CursorSaver | undefined;
  readonly #wire: Wire;
  readonly #link: Link;
  #filter: StreamFilter;
  #isWanted: (event: StreamEvent) => boolean;
  /** What the newest connection was asked for. */
  #requested: StreamFilter;
  #position: Position;
  /** The store was asked. */
  #loaded = false;
  #live = false;
  /** The entry that the consumer has, until it asks for the next. */
  #inHand: Entry<Value> | undefined;
  /** The newest entry that the consumer has not finished. */
  #newest: Entry<Value> | undefined;
  #cursor: number | undefined;
  #untilTimer: unknown;
  #delivered = 0;
  #repeated = 0;
  readonly #malformed = Object.fromEntries(malformedReasons.map((reason) => [reason, 0])) as Record<
    MalformedReason,
    number
  >;

  constructor(setup: StreamSetup<Value>) {
    this.#setup = setup;
    this.#filter = setup.filter;
    this.#isWanted = wantedBy(setup.filter);
    this.#requested = setup.filter;
    this.#position = new Position(setup.cursor);
    this.#queue = new EventQueue(setup.limits);
    this.#wire = new Wire(setup);
    if (setup.store !== undefined) {
      this.#saver = new CursorSaver(setup.store, setup.platform, setup.timing, (error) =>
        this.#notice({ kind: 'save_failed', error }),
      );
    }
    const host: LinkHost = {
      prepare: () => this.#prepare(),
      opened: (request) => this.#opened(request),
      message: (data) => this.#message(data),
      lost: (end) => {
        this.#live = false;
        return this.#wire.lost(end);
      },
      room: () => {
        this.#notice({ kind: 'paused' });
        return this.#queue.room();
      },
      forgetDictionary: () => this.#wire.forgetDictionary(),
      fallBack: () => this.#wire.fallBack(),
      disconnected: (notice) => this.#notice(notice),
    };
    this.#link = new Link(host, setup.platform, setup.timing);
  }

  /** A snapshot of where it is. */
  get status(): StreamStatus {
    const { newestUs } = this.#position;
    const behindUs = newestUs === undefined ? undefined : Math.max(0, this.#nowUs() - newestUs);
    return {
      state: this.#link.state,
      wire: this.#wire.name,
      cursor: this.#cursor,
      newestUs,
      live: this.#live,
      lagUs: this.#live ? 0 : behindUs,
      queuedEvents: this.#queue.events,
      queuedBytes: this.#queue.bytes,
      delivered: this.#delivered,
      repeated: this.#repeated,
      malformed: { ...this.#malformed },
      connections: this.#link.connections,
      pauses: this.#link.pauses,
    };
  }

  /**
   * Replaces the whole filter: what is left out is no condition any more. Events that are on their way were chosen by the
   * old one. @throws CodedError `CLIENT_BAD_FILTER`.
   */
  update(filter: StreamFilter): void {
    checkFilter(filter);
    this.#filter = filter;
    this.#isWanted = wantedBy(filter);
    // What the server has stored under that name was the old one.
    this.#setup.url.searchParams.delete('filter');
    this.#position.filterChanged();
    if (this.#link.state !== 'open') return;
    const message = this.#wire.update(filter);
    // A new connection goes on where this one was.
    if (message === undefined) {
      this.#link.end('filter_changed');
      return;
    }
    this.#requested = filter;
    this.#link.send(message);
  }

  /** Ends the stream; what waits is not delivered. Fulfilled when the cursor is saved, or its store has hung for 5 s. Idempotent. */
  async close(): Promise<void> {
    this.#setup.signal?.removeEventListener('abort', this.#onAbort);
    this.#queue.clear();
    this.#finish();
    await this.#saver?.close();
  }

  /**
   * The next event; the one before counts as finished from now on. Rejects with what ends the stream: `CLIENT_REFUSED`
   * (the server refuses the subscription, or has none at this path), `CLIENT_NOT_UPGRADED`, `CLIENT_NO_DICTIONARY`, `CLIENT_WRONG_DICTIONARY`, `CLIENT_BAD_DICTIONARY`,
   * `CLIENT_CONCURRENT_NEXT`, `CLIENT_NO_DECODER`, an error of the cursor store's `load`, of `transform` or `onNotice`.
   */
  async next(): Promise<IteratorResult<Value, undefined>> {
    const finished = this.#inHand;
    this.#inHand = undefined;
    if (finished !== undefined) this.#finished(finished);
    if (this.#link.state === 'idle') void this.#run();
    try {
      const entry = await this.#queue.take();
      if (entry === undefined) return this.return();
      this.#inHand = entry;
      this.#delivered++;
      return { value: entry.value, done: false };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What a loop calls that is left early. The event at hand does not count as finished: it comes again. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  readonly #onAbort = (): void => void this.close();

  async #run(): Promise<void> {
    const { signal } = this.#setup;
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.#finish();
    try {
      await this.#link.run();
      this.#finish();
    } catch (error) {
      this.#finish(error);
    }
  }

  /** No more connections; the queue ends, with `error` if there is one, once it is empty. */
  #finish(error?: unknown): void {
    this.#setup.platform.clearTimeout(this.#untilTimer);
    this.#queue.end(error);
    this.#link.stop();
    this.#wire.close();
  }

  async #prepare(): Promise<Request> {
    const { store } = this.#setup;
    if (!this.#loaded) {
      const stored = await store?.load();
      checkStored(stored);
      if (stored !== undefined) this.#position = new Position(stored);
      this.#loaded = true;
      this.#cursor = this.#position.nextCursor;
    }
    this.#requested = this.#filter;
    return this.#wire.request(this.#requested, this.#position.nextCursor);
  }

  #opened(request: Request): void {
    this.#wire.opened(request);
    this.#position.opened();
    if (request.hello !== undefined) this.#link.send(request.hello);
    // The filter was replaced while the connection was being made.
    if (this.#filter !== this.#requested) this.update(this.#filter);
    this.#notice({ kind: 'connected' });
  }

  /** Never throws: what is wrong with a message is counted, what is wrong here ends the stream. */
  #message(data: unknown): void {
    try {
      const message = this.#wire.read(data);
      if (message === undefined) this.#link.end('dictionary_changed');
      else if ('info' in message) this.#notice({ kind: 'info', ...message.info });
      else if ('failure' in message) this.#link.end('failed', failureText(message.failure));
      else if ('event' in message) this.#event(message.event, message.text);
      else if ('progress' in message) this.#progress(message.progress);
      else if ('gap' in message) this.#gap(message.gap);
      else this.#leaveOut(message.malformed, message.text);
    } catch (error) {
      this.#finish(error);
    }
  }

  #event(event: StreamEvent, text: string): void {
    if (event.time_us >= this.#setup.untilUs) {
      this.#finish();
      return;
    }
    const renumbering = this.#position.renumbering(event);
    if (renumbering !== undefined) this.#notice({ kind: 'gap', ...renumbering });
    if (!this.#position.take(event)) {
      this.#repeated++;
      return;
    }
    if (this.#isWanted(event)) {
      const value = this.#setup.transform(event, text);
      this.#newest = { value, bytes: text.length, cursor: this.#position.safeCursor };
      this.#queue.add(this.#newest);
      if (this.#queue.isFull) this.#link.end('paused');
    } else {
      this.#passed();
    }
    if (!this.#position.isReported) this.#setLive(this.#nowUs() - event.time_us < liveWithinUs);
  }

  #gap(gap: Gap): void {
    const { untilUs } = this.#setup;
    // One that reaches beyond the end is told for what lies before it.
    if (gap.fromUs + 1 < untilUs && this.#position.takeGap(gap.timeUs)) {
      this.#passed();
      this.#notice({ kind: 'gap', ...gap });
    }
    if (gap.timeUs >= untilUs) this.#finish();
  }

  #progress(progress: Progress): void {
    this.#link.watch();
    this.#position.advance(progress);
    this.#passed();
    this.#setLive(progress.live);
    this.#notice({ kind: 'progress', ...progress });
    if (progress.cursor >= this.#setup.untilUs) this.#finish();
    else if (progress.live) this.#awaitUntil();
  }

  /** Ends a live stream some time after `untilUs`: with nothing going on, no event and no progress comes to end it. */
  #awaitUntil(): void {
    const { untilUs, platform } = this.#setup;
    const leftMs = (untilUs + untilGraceUs - this.#nowUs()) / 1000;
    // Progress is told again and again: a moment that is far is looked at later.
    if (this.#untilTimer !== undefined || leftMs > untilTimerMsMax) return;
    this.#untilTimer = platform.setTimeout(
      () => {
        this.#untilTimer = undefined;
        if (this.#live) this.#finish();
      },
      Math.max(0, leftMs),
    );
  }

  #leaveOut(reason: MalformedReason, text: string): void {
    this.#malformed[reason]++;
    this.#notice({ kind: 'malformed', reason, text: text.slice(0, shownCharsMax) });
  }

  /** The position has moved on without an event for the consumer. */
  #passed(): void {
    const cursor = this.#position.safeCursor;
    if (this.#newest === undefined) this.#reached(cursor);
    else this.#newest.cursor = cursor;
  }

  #finished(entry: Entry<Value>): void {
    if (this.#newest === entry) this.#newest = undefined;
    this.#reached(entry.cursor);
  }

  #reached(cursor: number | undefined): void {
    if (cursor === undefined) return;
    this.#cursor = cursor;
    this.#saver?.note(cursor);
  }

  #setLive(live: boolean): void {
    const isNew = live && !this.#live;
    this.#live = live;
    if (isNew) this.#notice({ kind: 'caught_up' });
  }

  #notice(notice: StreamNotice): void {
    try {
      this.#setup.onNotice(notice);
    } catch (error) {
      this.#finish(error);
    }
  }

  #nowUs(): number {
    return this.#setup.platform.nowMs() * 1000;
  }
}
