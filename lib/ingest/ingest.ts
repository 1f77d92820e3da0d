// From the relay to the log: frames become events in the open block, which is sealed and goes to block-queue.ts. It owns the open
// block, and when it ends; block-window.ts has the time for that. Which frames are taken is said by relay-position.ts.

import type { DropReason } from '../decode/drop-reason.ts';
import { Frame, type FrameType, frameTypes } from '../decode/frame.ts';
import type { Clock } from '../event/clock.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import { DidHasher } from '../event/did-hash.ts';
import { EventWriter } from '../event/event-writer.ts';
import type { StreamTimes } from '../log/block.ts';
import { BlockBuilder, type CoveragePlace, type EventCompressor } from '../log/block-builder.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { BlockQueue, type BlockQueueOptions } from './block-queue.ts';
import { BlockWindow } from './block-window.ts';
import type { CommitKeeper } from './commit-keeper.ts';
import type { EarlierFrames } from './earlier-frames.ts';
import { FrameGate } from './frame-gate.ts';
import { timeUsOf } from './frame-times.ts';
import type { IngestDropReason, IngestTotals } from './ingest-totals.ts';
import type { PlaceSearch } from './place-search.ts';
import type { RelayOutcome } from './relay-outcome.ts';
import type { RelayPosition } from './relay-position.ts';
import { RelayPositions } from './relay-positions.ts';
import type { FrameChecks, Verification } from './verification.ts';

/** Frames of which the time of one is read, beside the last of each block. */
const datedEvery = 8;

export interface IngestOptions extends BlockQueueOptions {
  readonly log: EventLog;
  /** What the end of the log holds, by earlier-frames.ts. */
  readonly earlier: EarlierFrames;
  readonly clock: Clock;
  readonly compressor: EventCompressor;
  readonly totals: IngestTotals;
  readonly link: IngestLink;
  /**
   * Shortest time from one block to the next, and so the longest wait of an event for company. An event that comes after
   * a pause does not wait at all; while the log writes, the next block simply gathers.
   */
  readonly windowMs: number;
  /** Who keeps commits as they came, if anybody does. */
  readonly keeper?: CommitKeeper | undefined;
  /** Who checks commits, if anybody does: beside the stream, or before it. */
  readonly verification?: Verification | undefined;
  readonly checks?: FrameChecks | undefined;
}

/** How storing goes. */
export type QueueState = Omit<BlockQueue, 'push' | 'stop'>;

/** The way to the relay, as ingest sees it. */
export interface IngestLink {
  /** Relay `#info` and error frames. */
  notice(relay: Relay, type: FrameType, name: string, message: string): void;
  /** Something happened to the relay's numbering; for the log file. */
  outcome(relay: Relay, outcome: RelayOutcome): void;
  /** Stops and restarts reading from the relay. */
  setPaused(paused: boolean): void;
}

/** See the file comment. */
export class Ingest {
  readonly #options: IngestOptions;
  readonly #queue: BlockQueue;
  readonly #positions: RelayPositions;
  /** The newest frame that was taken, and the one to read the next into. */
  #newest = new Frame();
  #spare = new Frame();
  /** The relay of the last frame, and our position there. */
  #relay: Relay | undefined;
  #position: RelayPosition | undefined;
  /** Where a row of the ledger would be, of what is in doubt. */
  #place: CoveragePlace | undefined;
  readonly #builder: BlockBuilder;
  readonly #writer: EventWriter;
  /** Where frames wait for checks, and what one of them is read into again. */
  readonly #gate: FrameGate | undefined;
  readonly #checked = new Frame();
  /** Who wants the relay to wait. */
  readonly #pausing = new Set<'queue' | 'gate'>();
  /** The frame that becomes events, and whose it is. */
  #written = this.#checked;
  #writtenOf: Relay | undefined;
  readonly #window: BlockWindow;
  /** The time that it carries; while it carries none, that of the one before. */
  #newestFrameTimeUs: number | undefined;
  /** Frames taken. */
  #frames = 0;
  /** It has ended, and the log still writes the block before. */
  #windowOver = false;
  /** What is being taken is followed by {@link turnOver}: a timer for each sip of the relay would wake this process once more, for nothing. */
  #isTold = false;
  #stopped = false;

  constructor(options: IngestOptions) {
    this.#options = options;
    const { clock, log, totals, earlier, checks } = options;
    this.#builder = new BlockBuilder(clock, new DidHasher(log.didHashKey), log.positions);
    this.#window = new BlockWindow(options.windowMs, () => this.#onWindow());
    this.#queue = new BlockQueue(options, {
      setPaused: (paused) => this.#pause('queue', paused),
      drained: () => {
        if (this.#windowOver && !this.#stopped) this.#seal();
      },
    });
    this.#positions = new RelayPositions(log.positions, earlier, {
      mark: () => {
        this.#place = this.#builder.mark();
      },
      outcome: (relay, outcome) => this.#outcome(relay, outcome),
    });
    const dropped = (reason: DropReason, isWhole: boolean): void => {
      if (isWhole && this.#writtenOf !== undefined) this.drop(reason, this.#writtenOf, this.#written.seq);
      else totals.drop(reason);
    };
    this.#writer = new EventWriter(this.#builder, dropped, (reason) => totals.showOnV1Only(reason));
    options.verification?.begin((finding) => this.cover({ ...finding, relay: this.#relay?.id ?? '' }));
    if (checks !== undefined) {
      this.#gate = new FrameGate(checks, {
        letGo: (bytes, relay, placed) => this.#letGo(bytes, relay, placed),
        drop: () => totals.drop('refuted'),
        cover: (finding) => this.cover({ ...finding, relay: finding.relay || (this.#relay?.id ?? '') }),
        advance: (numbering, seq) => this.#builder.advance(numbering, seq),
        setPaused: (paused) => this.#pause('gate', paused),
      });
    }
  }

  /** What waits to be stored: for health, metrics and the relay's link. */
  get queue(): QueueState {
    return this.#queue;
  }

  /** The sequence to resume after at that relay. */
  positionOf(relay: Relay): number | undefined {
    return this.#positions.at(relay).cursor;
  }

  /** Continues after `seq` at that relay instead of what the log says; what it says stays until a frame has come. */
  overridePosition(relay: Relay, seq: number): void {
    this.#positions.override(relay, seq);
  }

  /** The relay says that it does not know our sequence. Whether it has said so for `msMin`, and is to be believed. */
  isRefusedForLong(relay: Relay, msMin?: number): boolean {
    return this.#positions.at(relay).refused(performance.now(), msMin);
  }

  /**
   * The relay does not know our sequence: its numbers say nothing any more. What is stored stays until there is another: a process
   * that begins meanwhile is to find out the same, and to tell it.
   */
  forget(relay: Relay): void {
    this.#positions.forget(relay);
  }

  /** A message of the relay ended the connection, and comes again. */
  endedBy(relay: Relay): void {
    this.#positions.at(relay).ended();
  }

  /** How to find our place at that relay; undefined when its own numbers say it, or nothing was ever taken. */
  searchAt(relay: Relay): PlaceSearch | undefined {
    return this.#positions.searchAt(relay);
  }

  /** The search is over: what comes next is taken from there. */
  join(relay: Relay, search: PlaceSearch): void {
    if (this.#stopped) return;
    this.#positions.join(relay, search);
    this.#sealOrArm();
  }

  /** Notes a row of the coverage ledger, where the stream is now. */
  cover(finding: CoverageFinding): void {
    if (this.#stopped) return;
    this.#builder.cover(finding);
    this.#sealOrArm();
  }

  /** Takes one message from the relay. Never throws on what the message holds. @param isTold as of `FrameSink.frame`. */
  take(bytes: Uint8Array, relay: Relay, isTold = false): void {
    if (this.#stopped || this.#queue.isOver) return;
    this.#isTold = isTold;
    const { totals } = this.#options;
    const frame = this.#spare;
    totals.frameBytes += bytes.length;
    // What cannot be read confirms nothing, and is in nobody's way: the frame after it goes on.
    if (frame.read(bytes) === 'bad_frame') this.drop('bad_frame', relay, frame.seq);
    else if (frame.seq < 0) this.#takeFrame(frame, relay, frame.seq);
    else this.#takeNumbered(frame, relay);
    this.#isTold = false;
  }

  /** What was read together has been taken. @param isCaughtUp the relay is not read for a while: there is nothing to wait for. */
  turnOver(isCaughtUp: boolean): void {
    if (isCaughtUp) this.#gate?.send();
    if (this.#stopped) return;
    // Unless the block before was not the last sip's: then a timer ends the window.
    if (isCaughtUp && this.#window.isOver && this.#builder.count > 0) this.#onWindow();
    else this.#sealOrArm();
  }

  /** A message of the relay cannot be used, as a whole. @param seq below 0 when it has none. */
  drop(reason: IngestDropReason, relay: Relay, seq = -1): void {
    if (this.#stopped) return;
    const known = seq < 0 ? undefined : seq;
    this.#options.totals.drop(reason);
    this.cover({ reason: 'frame_dropped', relay: relay.id, detail: reason, fromSeq: known, toSeq: known });
  }

  /** Seals and stores what is gathered; resolves when all is stored. Takes nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gate?.stop();
    this.#window.clear();
    if (!this.#builder.isEmpty && this.#queue.stalledBy === undefined && !this.#queue.isOver) this.#seal();
    await this.#queue.stop();
  }

  #takeNumbered(frame: Frame, relay: Relay): void {
    if (relay !== this.#relay) {
      this.#relay = relay;
      this.#position = this.#positions.at(relay);
      this.#positions.follow(relay);
    }
    const position = this.#position as RelayPosition;
    const before = position.confirmed;
    if (position.offer(frame, performance.now()) === 'take')
      this.#takeRead(frame, relay, before ?? frame.seq - 1);
    else this.#options.totals.drop('stale_sequence');
    const { confirmed } = position;
    if (confirmed !== undefined && confirmed !== before)
      (this.#gate ?? this.#builder).advance(relay.numbering, confirmed);
    this.#sealOrArm();
  }

  /** @param after as of `FrameGate.hold`. */
  #takeRead(frame: Frame, relay: Relay, after: number): void {
    this.#spare = this.#newest;
    this.#newest = frame;
    if (++this.#frames % datedEvery === 0) this.#date();
    if (frame.reason !== undefined) this.drop(frame.reason, relay, frame.seq);
    else this.#takeFrame(frame, relay, after);
  }

  #takeFrame(frame: Frame, relay: Relay, after: number): void {
    const { totals, link, verification } = this.#options;
    totals.frames[frame.type]++;
    if (frame.type > frameTypes.sync) {
      if (frame.name !== '') link.notice(relay, frame.type, frame.name, frame.message);
    } else if (this.#gate !== undefined) this.#gate.hold(frame, relay, after);
    else {
      const from = this.#builder.count;
      this.#write(frame, relay);
      verification?.add(frame, from, this.#builder.count);
    }
  }

  #write(frame: Frame, relay: Relay): void {
    this.#written = frame;
    this.#writtenOf = relay;
    const { totals, keeper } = this.#options;
    const from = this.#builder.count;
    totals.events += this.#writer.write(frame);
    if (frame.type === frameTypes.commit) keeper?.keep(frame, this.#builder.timesFrom(from));
  }

  /** A frame has been checked, and becomes events. */
  #letGo(
    bytes: Uint8Array,
    relay: Relay,
    placed: (from: number, to: number, isSigned: boolean) => void,
  ): void {
    const frame = this.#checked;
    frame.read(bytes);
    const from = this.#builder.count;
    this.#write(frame, relay);
    placed(from, this.#builder.count, frame.type === frameTypes.commit || frame.type === frameTypes.sync);
    this.#sealOrArm();
  }

  #pause(by: 'queue' | 'gate', paused: boolean): void {
    const wasPaused = this.#pausing.size > 0;
    if (paused) this.#pausing.add(by);
    else this.#pausing.delete(by);
    if (this.#pausing.size > 0 !== wasPaused) this.#options.link.setPaused(!wasPaused);
  }

  #outcome(relay: Relay, outcome: RelayOutcome): void {
    const { totals, link } = this.#options;
    const { name, from, to, isHole } = outcome;
    totals.outcome(name);
    link.outcome(relay, outcome);
    if (!isHole || name === 'odd_sequence') return;
    this.#builder.cover({ reason: name, relay: relay.id, fromSeq: from, toSeq: to }, this.#place);
  }

  #date(): void {
    const timeUs = timeUsOf(this.#newest);
    if (Number.isNaN(timeUs)) return;
    this.#newestFrameTimeUs = timeUs;
    // A server's clock that is ahead says nothing of how far the stream has come.
    this.#positions.times.dated(Math.min(timeUs, this.#options.clock.nowUs()));
  }

  #sealOrArm(): void {
    if (this.#builder.isFull) this.#seal();
    else if (!this.#isTold && !this.#windowOver && !this.#builder.isEmpty)
      this.#window.begin(this.#builder.count > 0);
  }

  #onWindow(): void {
    this.#window.clear();
    if (!this.#queue.isStoring) this.#seal();
    else this.#windowOver = true;
  }

  #seal(): void {
    this.#windowOver = false;
    this.#window.sealed();
    this.#date();
    const frameTimeUs = this.#newestFrameTimeUs;
    const { compressor, verification } = this.#options;
    // Checks begin while the messages are compressed.
    const verdicts = verification?.seal(this.#builder.count);
    const block = this.#builder.seal(compressor, frameTimeUs, this.#stream());
    this.#queue.push(block, frameTimeUs, this.#gate?.seal(block.index.count) ?? verdicts);
  }

  /** As it is kept with a block: where frames are held that lie before what is stored, what comes again is to be compared. */
  #stream(): StreamTimes | undefined {
    const { stream, newestUs } = this.#positions.times;
    const untilUs = this.#gate?.overlapUntilUs(newestUs);
    if (stream === undefined || untilUs === undefined) return stream;
    return { ...stream, overlapUntilUs: Math.max(untilUs, stream.overlapUntilUs ?? 0) };
  }
}
