// Where we are at each relay, and which of them is followed: a position for each numbering, with one memory of what was taken.
// Says how to find our place at a relay that is not the one followed last. Positions decide about frames; nothing here does.

import type { UpstreamPositions } from '../log/block.ts';
import type { Relay } from '../upstream/relay-url.ts';
import type { EarlierFrames } from './earlier-frames.ts';
import type { FrameTimes } from './frame-times.ts';
import { PlaceSearch } from './place-search.ts';
import type { RelayOutcome } from './relay-outcome.ts';
import { RelayPosition } from './relay-position.ts';
import type { TakenFrames } from './taken-frames.ts';

/** What happens at relays. */
export interface PositionsSink {
  /** Frames from here on may follow a hole; called before the first of them is taken. */
  mark(): void;
  outcome(relay: Relay, outcome: RelayOutcome): void;
}

/** See the file comment. */
export class RelayPositions {
  readonly times: FrameTimes;
  readonly #stored: UpstreamPositions;
  readonly #taken: TakenFrames;
  readonly #sink: PositionsSink;
  readonly #positions = new Map<string, RelayPosition>();
  /** Whose numbers were followed last. */
  #followed: string | undefined;
  /** Whose numbers mean something else than before, until its place is found; and the last of the old ones. */
  #forgotten: { readonly numbering: string; readonly seq: number | undefined } | undefined;

  /** @param stored what the log says; the last of it is the relay followed last. */
  constructor(stored: UpstreamPositions, { taken, times }: EarlierFrames, sink: PositionsSink) {
    this.times = times;
    this.#stored = stored;
    this.#taken = taken;
    this.#sink = sink;
    this.#followed = [...stored.keys()].at(-1);
  }

  /** The position at that relay, which is its siblings' too. */
  at(relay: Relay): RelayPosition {
    const { numbering } = relay;
    let position = this.#positions.get(numbering);
    if (position === undefined) {
      position = new RelayPosition(this.#stored.get(numbering), this.#taken, this.times, {
        mark: () => this.#sink.mark(),
        outcome: (outcome) => this.#sink.outcome(relay, outcome),
      });
      this.#positions.set(numbering, position);
    }
    return position;
  }

  /** Continues after `seq` at that relay instead of what the log says. */
  override(relay: Relay, seq: number): void {
    this.at(relay).startAfter(seq);
    this.follow(relay);
  }

  /** Frames of that relay are taken. */
  follow(relay: Relay): void {
    this.#followed = relay.numbering;
  }

  /** The relay does not know our sequence: its numbers say nothing any more. */
  forget(relay: Relay): void {
    const position = this.at(relay);
    this.#forgotten = { numbering: relay.numbering, seq: position.confirmed };
    position.forget();
  }

  /** How to find our place at that relay; undefined when its own numbers say it, or nothing was ever taken. */
  searchAt(relay: Relay): PlaceSearch | undefined {
    const { newestUs } = this.times;
    const isKnown = this.#followed === relay.numbering && relay.numbering !== this.#forgotten?.numbering;
    if (this.#followed === undefined || isKnown || !Number.isFinite(newestUs)) return undefined;
    return new PlaceSearch(newestUs, this.at(relay).cursor);
  }

  /** The search is over: what comes next is taken from there. */
  join(relay: Relay, { cursor, first, isJoined }: PlaceSearch): void {
    const position = this.at(relay);
    const isOver = relay.numbering === this.#forgotten?.numbering;
    const from = isOver ? this.#forgotten?.seq : position.confirmed;
    if (cursor !== undefined && cursor === position.cursor) position.overlap();
    else position.restart();
    this.#forgotten = undefined;
    this.follow(relay);
    this.#sink.mark();
    const name = isOver ? 'started_over' : 'relay_changed';
    this.#sink.outcome(relay, { name, from, to: first, isHole: !isJoined });
  }
}
