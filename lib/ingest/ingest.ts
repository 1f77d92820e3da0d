// From the relay to the log: frames become events in the open block; blocks are sealed, stored and then published, in that
// order and one at a time. It owns the open block and the window that ends it; back-pressure on the relay comes from the
// bytes that wait to be stored.

import { Frame, type FrameType, frameTypes } from '../decode/frame.ts';
import { CodedError } from '../errors.ts';
import type { Clock } from '../event/clock.ts';
import { DidHasher } from '../event/did-hash.ts';
import { EventWriter } from '../event/event-writer.ts';
import { type Block, blockBytesOf } from '../log/block.ts';
import { BlockBuilder, type EventCompressor } from '../log/block-builder.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { IngestTotals } from './ingest-totals.ts';
import { heldMsMax, type RelayOutcome, RelayPosition } from './relay-position.ts';
import { printOf } from './taken-frames.ts';

/**
 * Shortest time from one block to the next, and so the longest wait of an event for company. An event that comes after
 * a pause does not wait at all; while the log writes, the next block simply gathers.
 */
const windowMs = 4;
/** How long a newer upstream position without events may stay unstored; as v1's cursor interval. */
const positionWindowMs = 5_000;
/** Sealed and unstored bytes at which reading from the relay stops, and at which it goes on. */
const pendingBytesMax = 16 * 1024 * 1024;
const pendingBytesLow = 4 * 1024 * 1024;

export interface IngestOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly compressor: EventCompressor;
  readonly totals: IngestTotals;
  /** Called with each stored block, in order. A promise is waited for before the next is stored. */
  readonly publish: (block: Block) => Promise<void> | undefined;
  readonly link: IngestLink;
  /** Told how long the log took to store a block. */
  readonly written: (seconds: number) => void;
  /** The log waits for room on the disk: told why, and `undefined` once it goes on. */
  readonly stalled: (why: CodedError | undefined) => void;
  /** The log refused a block: nothing more can be taken. Called once. */
  readonly failed: (error: unknown) => void;
}

/** The way to the relay, as ingest sees it. */
export interface IngestLink {
  /** Relay `#info` and error frames, for the log file and for {@link Ingest.forget}. */
  notice(relay: Relay, type: FrameType, name: string, message: string): void;
  /** Something happened to the relay's numbering; for the log file. */
  outcome(relay: Relay, outcome: RelayOutcome): void;
  /** Stops and restarts reading from the relay. */
  setPaused(paused: boolean): void;
}

/** See the file comment. */
export class Ingest {
  readonly #options: IngestOptions;
  /** The newest frame that was taken, and the one to read the next into. */
  #newest = new Frame();
  #spare = new Frame();
  readonly #positions = new Map<string, RelayPosition>();
  /** The relay of the last frame, and its position. */
  #relay: Relay | undefined;
  #position: RelayPosition | undefined;
  #doubtTimer: NodeJS.Timeout | undefined;
  readonly #builder: BlockBuilder;
  readonly #writer: EventWriter;
  #queue: Block[] = [];
  #pendingBytes = 0;
  #storing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether `#timer` ends a window with events, and not just one with a position. */
  #timerIsWindow = false;
  #sealedAtMs = -Infinity;
  #newEventsAtMs = -Infinity;
  #writingSinceMs: number | undefined;
  #newestFrameTimeUs: number | undefined;
  #windowOver = false;
  #paused = false;
  #stopped = false;
  /** Why the log waits for room on the disk, while it does. */
  #stalledBy: CodedError | undefined;

  constructor(options: IngestOptions) {
    this.#options = options;
    const { clock, log, totals } = options;
    this.#builder = new BlockBuilder(clock, new DidHasher(log.didHashKey), log.positions);
    this.#writer = new EventWriter(this.#builder, (reason) => totals.drop(reason));
  }

  /** Code of the error for which nothing is stored at the moment; undefined while all is well. */
  get stalledBy(): string | undefined {
    return this.#stalledBy?.code;
  }

  /**
   * The time that the newest frame carries that was taken, in microseconds since 1970. While that carries none it is what
   * was answered before; undefined before the first.
   */
  get newestFrameTimeUs(): number | undefined {
    const timeUs = timeUsOf(this.#newest);
    if (!Number.isNaN(timeUs)) this.#newestFrameTimeUs = timeUs;
    return this.#newestFrameTimeUs;
  }

  /** Bytes that are sealed and wait to be stored. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether the relay has to wait for the log. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** Milliseconds since something from a relay became an event; Infinity before there was anything. */
  get idleMs(): number {
    return performance.now() - this.#newEventsAtMs;
  }

  /** Milliseconds that the write under way has taken; 0 while there is none. */
  get writingMs(): number {
    return this.#writingSinceMs === undefined ? 0 : performance.now() - this.#writingSinceMs;
  }

  /** The sequence to resume after at that relay. */
  positionOf(relay: Relay): number | undefined {
    return this.#positionAt(relay).confirmed;
  }

  /** Continues after `seq` at that relay instead of what the log says. */
  overridePosition(relay: Relay, seq: number): void {
    this.#positionAt(relay).resumeAfter(seq);
    this.#builder.advance(relay.id, seq);
  }

  /** The relay says that it does not know our sequence. Whether it has said so for `msMin`, and is to be believed. */
  isRefusedForLong(relay: Relay, msMin?: number): boolean {
    return this.#positionAt(relay).refused(performance.now(), msMin);
  }

  /** The relay does not know our sequence: the next connection starts live. */
  forget(relay: Relay): void {
    this.#positionAt(relay).forget();
    this.#builder.forget(relay.id);
  }

  /** The connection is over: what would decide about frames in doubt may never come. */
  disconnected(relay: Relay): void {
    this.#expire(this.#positionAt(relay));
  }

  /** Takes one message from the relay. Never throws on what the message holds. */
  take(bytes: Uint8Array, relay: Relay): void {
    if (this.#stopped) return;
    const { totals } = this.#options;
    const frame = this.#spare;
    totals.frameBytes += bytes.length;
    // What cannot be read confirms nothing, and is in nobody's way: the frame after it goes on.
    if (frame.read(bytes) === 'bad_frame') totals.drop('bad_frame');
    else if (frame.seq < 0) this.#takeFrame(frame, relay);
    else this.#takeNumbered(frame, relay);
  }

  #takeNumbered(frame: Frame, relay: Relay): void {
    if (relay !== this.#relay) {
      this.#relay = relay;
      this.#position = this.#positionAt(relay);
    }
    const position = this.#position as RelayPosition;
    const { seq } = frame;
    const print = printOf(frame);
    if (position.isNext(seq, print)) {
      this.#takeRead(frame, relay);
      position.advance(seq, print);
      this.#builder.advance(relay.id, seq);
    } else {
      const before = position.confirmed;
      position.offer({ seq, print, timeUs: timeUsOf(frame), bytes: frame.bytes }, performance.now());
      const { confirmed } = position;
      if (confirmed !== undefined && confirmed !== before) this.#builder.advance(relay.id, confirmed);
      if (position.isHolding) this.#doubtTimer ??= setTimeout(() => this.#expire(position), heldMsMax);
    }
    this.#sealOrArm();
  }

  #takeRead(frame: Frame, relay: Relay): void {
    this.#spare = this.#newest;
    this.#newest = frame;
    if (frame.reason !== undefined) this.#options.totals.drop(frame.reason);
    else this.#takeFrame(frame, relay);
  }

  #takeFrame(frame: Frame, relay: Relay): void {
    const { totals, link } = this.#options;
    totals.frames[frame.type]++;
    if (frame.type <= frameTypes.account) totals.events += this.#writer.write(frame);
    else if (frame.name !== '') link.notice(relay, frame.type, frame.name, frame.message);
  }

  #positionAt(relay: Relay): RelayPosition {
    let position = this.#positions.get(relay.id);
    if (position === undefined) {
      position = this.#newPosition(relay);
      this.#positions.set(relay.id, position);
    }
    return position;
  }

  #newPosition(relay: Relay): RelayPosition {
    const { totals, log, link } = this.#options;
    return new RelayPosition(this.#builder.positionOf(relay.id), log.lastTimeUs, {
      take: (bytes) => {
        this.#spare.read(bytes);
        this.#takeRead(this.#spare, relay);
      },
      stale: (frames) => totals.drop('stale_sequence', frames),
      outcome(what) {
        totals.outcome(what.name);
        link.outcome(relay, what);
      },
    });
  }

  #expire(position: RelayPosition, isLast = false): void {
    clearTimeout(this.#doubtTimer);
    this.#doubtTimer = undefined;
    if (this.#stopped) return;
    position.expire(performance.now(), isLast);
    if (!isLast) this.#sealOrArm();
  }

  /**
   * Seals and stores what is gathered; resolves when all is stored. Takes nothing more. While the disk is full there is
   * no waiting: what is not stored comes again from the relay.
   */
  async stop(): Promise<void> {
    for (const position of this.#positions.values()) this.#expire(position, true);
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#stalledBy !== undefined) return;
    if (!this.#builder.isEmpty) this.#seal();
    await this.#storing;
  }

  #sealOrArm(): void {
    if (this.#builder.isFull) this.#seal();
    else this.#arm();
  }

  #arm(): void {
    const hasEvents = this.#builder.count > 0;
    if (this.#windowOver || (this.#timer !== undefined && (this.#timerIsWindow || !hasEvents))) return;
    if (this.#builder.isEmpty) return;
    clearTimeout(this.#timer);
    this.#timerIsWindow = hasEvents;
    // A millisecond is the shortest timer of Node, and what the rest of a burst takes to arrive.
    const ms = hasEvents ? Math.max(1, this.#sealedAtMs + windowMs - performance.now()) : positionWindowMs;
    this.#timer = setTimeout(this.#onWindow, ms);
  }

  readonly #onWindow = (): void => {
    this.#timer = undefined;
    if (this.#storing === undefined) this.#seal();
    else this.#windowOver = true;
  };

  #seal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#windowOver = false;
    this.#sealedAtMs = performance.now();
    if (this.#builder.count > 0) this.#newEventsAtMs = this.#sealedAtMs;
    const frameTimeUs = this.newestFrameTimeUs;
    if (frameTimeUs !== undefined) this.#position?.dated(frameTimeUs);
    const block = this.#builder.seal(this.#options.compressor, frameTimeUs);
    this.#queue.push(block);
    this.#pendingBytes += blockBytesOf(block);
    if (!this.#paused && this.#pendingBytes > pendingBytesMax) this.#setPaused(true);
    this.#storing ??= this.#store();
  }

  async #store(): Promise<void> {
    const { publish } = this.#options;
    try {
      for (let sealed = this.#queue.shift(); sealed !== undefined; sealed = this.#queue.shift()) {
        const resolved = this.#options.log.resolve(sealed);
        const block = resolved instanceof Promise ? await resolved : resolved;
        await this.#append(block);
        this.#pendingBytes -= blockBytesOf(block);
        if (this.#paused && this.#pendingBytes < pendingBytesLow) this.#setPaused(false);
        const wait = publish(block);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      this.#stopped = true;
      this.#queue = [];
      clearTimeout(this.#timer);
      if (!isClosed(error)) this.#options.failed(error);
    }
    this.#storing = undefined;
    if (this.#windowOver && !this.#stopped) this.#seal();
  }

  /** Stores a block, however long the disk is full. Meanwhile the queue grows to its bound and the relay waits. */
  async #append(block: Block): Promise<void> {
    const { log, written, stalled } = this.#options;
    for (;;) {
      try {
        const startedAtMs = performance.now();
        this.#writingSinceMs = startedAtMs;
        await log.append(block);
        this.#writingSinceMs = undefined;
        written((performance.now() - startedAtMs) / 1000);
        return;
      } catch (error) {
        this.#writingSinceMs = undefined;
        if (!(error instanceof CodedError) || !error.retryable) throw error;
        this.#stalledBy = error;
        stalled(error);
        await log.recover();
        this.#stalledBy = undefined;
        if (!this.#stopped) stalled(undefined);
        if (log.lastTimeUs >= block.index.lastTimeUs) return;
      }
    }
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#options.link.setPaused(paused);
  }
}

/** The log was closed while it waited for room: the daemon stops. */
function isClosed(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'LOG_CLOSED';
}

/** The time that a frame carries, in microseconds since 1970; NaN when it has none. */
function timeUsOf({ bytes, timeStart, timeEnd }: Frame): number {
  return Date.parse(Buffer.prototype.latin1Slice.call(bytes, timeStart, timeEnd)) * 1000;
}
