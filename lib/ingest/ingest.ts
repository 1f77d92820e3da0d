// From the relay to the log: frames become events in the open block; blocks are sealed, stored and then published, in that
// order and one at a time. It owns the open block and the window that ends it; back-pressure on the relay comes from the
// bytes that wait to be stored.

import { type DropReason, dropReasons } from '../decode/drop-reason.ts';
import { Frame, type FrameType, frameTypes } from '../decode/frame.ts';
import { CodedError } from '../errors.ts';
import type { Clock } from '../event/clock.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import { DidHasher } from '../event/did-hash.ts';
import { EventWriter } from '../event/event-writer.ts';
import { type Block, blockBytesOf } from '../log/block.ts';
import { BlockBuilder, type EventCompressor } from '../log/block-builder.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Relay } from '../upstream/relay-url.ts';

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

/** Drops that are decided after decoding, beside those of lib/decode. */
const ingestDropReasons = [
  /** The relay sent a sequence again that the log already has. */
  'stale_sequence',
  /** A message that is not a binary frame. */
  'not_a_frame',
] as const;

/** The closed list of reasons for which something from the relay is not in the log. */
type IngestDropReason = DropReason | (typeof ingestDropReasons)[number];

/** Sums since start, of plain numbers: cheap to count per event, read when metrics are asked for. */
export class IngestTotals {
  events = 0;
  frameBytes = 0;
  /** Frames that were understood, by type. */
  readonly frames: number[] = Object.values(frameTypes).map(() => 0);
  readonly drops = new Map<IngestDropReason, number>(
    [...dropReasons, ...ingestDropReasons].map((reason) => [reason, 0]),
  );

  drop(reason: IngestDropReason): void {
    this.drops.set(reason, (this.drops.get(reason) as number) + 1);
  }
}

export interface IngestOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly compressor: EventCompressor;
  readonly totals: IngestTotals;
  /** Called with each stored block, in order. A promise is waited for before the next is stored. */
  readonly publish: (block: Block) => Promise<void> | undefined;
  /** Relay `#info` and error frames, for the log file and for {@link Ingest.forget}. */
  readonly notice: (relay: Relay, type: FrameType, name: string, message: string) => void;
  /** Stops and restarts reading from the relay. */
  readonly setPaused: (paused: boolean) => void;
  /** Told how long the log took to store a block. */
  readonly written: (seconds: number) => void;
  /** The log waits for room on the disk: told why, and `undefined` once it goes on. */
  readonly stalled: (why: CodedError | undefined) => void;
  /** The log refused a block: nothing more can be taken. Called once. */
  readonly failed: (error: unknown) => void;
}

/** See the file comment. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #frame = new Frame();
  readonly #builder: BlockBuilder;
  readonly #writer: EventWriter;
  #queue: Block[] = [];
  #pendingBytes = 0;
  #storing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Whether `#timer` ends a window with events, and not just one with a position. */
  #timerIsWindow = false;
  #sealedAtMs = -Infinity;
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
   * The time that the newest frame carries, in microseconds since 1970. While that carries none it is what was answered
   * before; undefined before the first.
   */
  get newestFrameTimeUs(): number | undefined {
    const { bytes, timeStart, timeEnd } = this.#frame;
    const timeMs = Date.parse(Buffer.prototype.latin1Slice.call(bytes, timeStart, timeEnd));
    if (!Number.isNaN(timeMs)) this.#newestFrameTimeUs = timeMs * 1000;
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

  /** Milliseconds since something new came from a relay, to a few seconds; Infinity before there was anything. */
  get idleMs(): number {
    return performance.now() - this.#sealedAtMs;
  }

  /** Milliseconds that the write under way has taken; 0 while there is none. */
  get writingMs(): number {
    return this.#writingSinceMs === undefined ? 0 : performance.now() - this.#writingSinceMs;
  }

  /** The last sequence taken from that relay. */
  positionOf(relay: Relay): number | undefined {
    return this.#builder.positionOf(relay.id);
  }

  /** Continues after `seq` at that relay instead of what the log says. */
  overridePosition(relay: Relay, seq: number): void {
    this.#builder.advance(relay.id, seq);
  }

  /** The relay does not know our sequence: the next connection starts live. */
  forget(relay: Relay): void {
    this.#builder.forget(relay.id);
  }

  /** Notes a row of the coverage ledger, where the stream is now. */
  cover(finding: CoverageFinding): void {
    if (this.#stopped) return;
    this.#builder.cover(finding);
    this.#arm();
  }

  /** Takes one message from the relay. Never throws on what the message holds. */
  take(bytes: Uint8Array, relay: Relay): void {
    if (this.#stopped) return;
    const { totals } = this.#options;
    const frame = this.#frame;
    totals.frameBytes += bytes.length;
    const dropped = frame.read(bytes);
    const { seq } = frame;
    const last = seq >= 0 ? this.#builder.positionOf(relay.id) : undefined;
    if (last !== undefined && seq <= last) {
      totals.drop('stale_sequence');
      return;
    }
    if (dropped !== undefined) totals.drop(dropped);
    else this.#takeFrame(frame, relay);
    if (seq >= 0) this.#builder.advance(relay.id, seq);
    if (this.#builder.isFull) this.#seal();
    else this.#arm();
  }

  #takeFrame(frame: Frame, relay: Relay): void {
    const { totals, notice } = this.#options;
    totals.frames[frame.type]++;
    if (frame.type <= frameTypes.account) totals.events += this.#writer.write(frame);
    else if (frame.name !== '') notice(relay, frame.type, frame.name, frame.message);
  }

  /**
   * Seals and stores what is gathered; resolves when all is stored. Takes nothing more. While the disk is full there is
   * no waiting: what is not stored comes again from the relay.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#stalledBy !== undefined) return;
    if (!this.#builder.isEmpty) this.#seal();
    await this.#storing;
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
    const block = this.#builder.seal(this.#options.compressor, this.newestFrameTimeUs);
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
    this.#options.setPaused(paused);
  }
}

/** The log was closed while it waited for room: the daemon stops. */
function isClosed(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'LOG_CLOSED';
}
