// Looks at how the connections of a search for our place begin: holds their first frames, briefly, until their times say whether
// this is the place. Owns that wait; where to look next is place-search.ts's, and connecting the upstream's.

import { Frame, frameTypes } from '../decode/frame.ts';
import { medianOf, timeUsOf } from './frame-times.ts';
import type { PlaceSearch } from './place-search.ts';

/** Frames by whose times a place is judged: of so many a server that lies does not matter. */
export const probeFrames = 5;
/** How long they are waited for once the first has come, and how long that one is. */
const restMs = 500;
const quietMsMax = 5_000;

/** What a search leads to. Called from a frame or a timer, at most once for each connection. */
export interface SearchSink {
  /** Whether the relay is not read at the moment, so that silence says nothing. */
  isPaused(): boolean;
  /** This is the place: the frames held, in order, are the first. */
  found(frames: readonly Uint8Array[]): void;
  /** It is not: the next connection is to ask for the search's cursor. */
  again(): void;
}

/** See the file comment. One for each connection. */
export class RelaySearch {
  readonly search: PlaceSearch;
  readonly #sink: SearchSink;
  readonly #quietMs: number;
  readonly #frame = new Frame();
  #held: Uint8Array[] = [];
  #times: number[] = [];
  #firstSeq: number | undefined;
  #timer: NodeJS.Timeout;

  constructor(search: PlaceSearch, sink: SearchSink, quietMs = quietMsMax) {
    this.search = search;
    this.#sink = sink;
    this.#quietMs = quietMs;
    this.#timer = setTimeout(this.#onQuiet, quietMs);
  }

  /** The next frame of the connection. */
  take(bytes: Uint8Array): void {
    this.#held.push(bytes);
    const reason = this.#frame.read(bytes);
    if (this.#frame.type === frameTypes.error && this.#frame.name === 'FutureCursor') {
      this.stop();
      this.search.refused();
      this.#sink.again();
      return;
    }
    if (reason !== 'bad_frame' && this.#frame.seq >= 0) {
      if (this.#firstSeq === undefined) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#decide(), restMs);
      }
      this.#firstSeq ??= this.#frame.seq;
      const timeUs = timeUsOf(this.#frame);
      if (!Number.isNaN(timeUs)) this.#times.push(timeUs);
    }
    if (this.#held.length >= probeFrames) this.#decide();
  }

  /** The connection is over. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #onQuiet = (): void => {
    if (this.#sink.isPaused()) this.#timer = setTimeout(this.#onQuiet, this.#quietMs);
    else this.#decide();
  };

  #decide(): void {
    this.stop();
    const seq = this.#firstSeq;
    const isPlace =
      seq === undefined ? this.search.sawNothing() : this.search.saw({ seq, timeUs: medianOf(this.#times) });
    if (isPlace) this.#sink.found(this.#held);
    else this.#sink.again();
  }
}
