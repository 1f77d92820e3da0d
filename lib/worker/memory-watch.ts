// Keeps this thread's memory within its limits by ending subscribers before the system ends the process: it compares the heap and
// the container with what they may be, and says when which subscribers have to go. What is used is read by lib/memory.ts,
// who goes is chosen by the delivery loop and the sessions.

import type { Use } from '../memory.ts';

/** How things are: from `short` on no new replays, and those that run go; at `critical` nobody new, and live subscribers go. */
export const memoryStates = { enough: 0, short: 1, critical: 2 } as const;
export type MemoryState = keyof typeof memoryStates;

/** Shares of the limit: where a state begins, and where it is over. */
const begins = { short: 0.8, critical: 0.88 };
const over = { short: 0.7, critical: 0.8 };
/** V8 ends a thread when the heap's pages fill its limit, which they do with so much of them in use. */
const heapInUseMax = 0.9;
/** And this is for what comes at once: tables that double, what a burst of clients leaves as garbage. */
const heapReserveBytes = 8 * 1024 * 1024;
/** What a collection may need to move objects together, and a burst of clients, before anything can be done. */
const containerReserveBytes = 32 * 1024 * 1024;

/**
 * Time between two looks, in milliseconds: at 100 MB/s a heap of 600 MB gets from `short` to its end in more than one second. Somewhat
 * less than the 250 after which it is asked, where nothing happens.
 */
const lookMs = 200;
/** A collection may take a third of the time: the next look that needs one waits for twice as long as it took. */
const restsPerCollection = 2;

/** A figure without garbage is good until so much more is used; while memory is short until less, or for so long. */
const garbageMax = 0.04;
const growthMin = 0.01;
const staleMs = 2_000;

/**
 * What was let go is not always given back to the system. A figure that does not rise for so long is one to live with: subscribers are
 * let in again, and only what comes on top of it counts, up to a share from which on nothing is let in.
 */
const calmMs = 10_000;
const onTop = 0.03;
const calmMax = 0.93;
/** Rounds in a row in which some went and the figure did not fall: then others go only if it rises. */
const futileMax = 4;
/** What is a rise, or a fall. */
const changeMin = 0.002;

/** Of those that may go, how many go at a look: a part, and at least some. */
const replaysPart = 1 / 8;
const livePart = 1 / 16;
/** The same from `calmMax` on. */
const livePartInNeed = 1 / 8;
const goesMin = 8;
/**
 * Subscribers that are left in any case, and let in up to `calmMax`, behind or not: so few do not fill a memory, and without them the
 * daemon would be of no use. A machine of 128 MB that catches up comes close to its limit by that alone.
 */
export const subscribersKept = 16;

/** Below it one look is good for so many that are let in: it takes 20 to 40 us, and they a fiftieth of the least that there is. */
const plentyMax = 0.6;
const takesPerLook = 16;

/** What is looked at. */
export interface MemorySources {
  readonly heap: () => Use;
  readonly container: () => Use | undefined;
  /** Takes garbage out of the heap, and, with `givesBack`, of the container: until then it counts. */
  readonly collect: (givesBack: boolean) => void;
  readonly nowMs: () => number;
}

/** Who can go. Each returns how many went. */
export interface Sheddable {
  /** Subscribers that catch up, and those that receive at all; those on their way out are neither, or too many would go. */
  readonly behind: number;
  readonly sessions: number;
  /** Ends those that are farthest behind. */
  shedBehind(count: number): number;
  /** Ends the newest of those addresses that have most. */
  shedNewest(count: number): number;
}

/** Writes a warning. */
export type Warn = (fields: Readonly<Record<string, unknown>>, message: string) => void;

/** The fuller of two. */
interface Fullest extends Use {
  readonly what: 'heap' | 'container';
  readonly share: number;
}

/** See the file comment. To be asked in short intervals while there are subscribers, and before one is let in. */
export class MemoryWatch {
  #state: MemoryState = 'enough';
  readonly #sources: MemorySources;
  readonly #sheddable: Sheddable;
  readonly #warn: Warn;
  #nextLookMs = -Infinity;
  #collectedMs = -Infinity;
  #nextCollectionMs = -Infinity;
  /** The share at the last look, and after the last collection. */
  #seen = 0;
  #known = 0;
  /** Let in since it was looked last. */
  #takenUnseen = 0;
  /** Some went at the last look, or it falls. */
  #isShedding = false;
  #futile = 0;
  /** A share that did not rise, since when, and what has been got used to. */
  #calmShare = 0;
  #calmSinceMs = 0;
  #settled = 0;
  #ended = 0;

  constructor(sources: MemorySources, sheddable: Sheddable, warn: Warn) {
    this.#sources = sources;
    this.#sheddable = sheddable;
    this.#warn = warn;
  }

  get state(): MemoryState {
    return this.#state;
  }

  /**
   * Whether there is memory for one more. What may be garbage counts here until the next collection: who is refused comes again.
   * @param replays whether it begins behind.
   */
  takes(replays: boolean): boolean {
    this.look();
    // Also between looks: a crowd that waited while the thread was busy comes at once.
    if (++this.#takenUnseen >= (this.#seen < plentyMax ? takesPerLook : 1)) {
      this.#seen = this.#fullest().share;
      this.#takenUnseen = 0;
    }
    const state = this.#isInDoubt(this.#seen) ? this.#stateAt(this.#seen) : this.#state;
    if (state === 'enough' || (state === 'short' && !replays)) return true;
    // Last, because all are gone through for it.
    return this.#seen < calmMax && this.#sheddable.sessions < subscribersKept;
  }

  /** Looks, unless it has just done so. */
  look(): void {
    const { nowMs, collect } = this.#sources;
    const startedMs = nowMs();
    if (startedMs < this.#nextLookMs) return;
    this.#nextLookMs = startedMs + lookMs;
    const seen = this.#fullest();
    this.#seen = seen.share;
    // With garbage it is less than a state begins with, or is over at: so it is without.
    if (this.#stateAt(seen.share) === 'enough') {
      this.#enter('enough', seen);
    } else if (this.#isInDoubt(seen.share) && startedMs >= this.#nextCollectionMs) {
      collect(seen.what === 'container');
      this.#collectedMs = nowMs();
      this.#nextCollectionMs = this.#collectedMs + (this.#collectedMs - startedMs) * restsPerCollection;
      this.#know(this.#fullest());
    } else if (seen.share >= calmMax) {
      // There is no time to wait until it is known what is garbage.
      this.#know(seen);
    }
  }

  /** Acts on a figure without garbage. */
  #know(fullest: Fullest): void {
    const { share } = fullest;
    this.#seen = share;
    this.#enter(this.#stateAt(share), fullest);
    this.#isShedding = this.#state !== 'enough' && this.#goesOn(share);
    this.#calmDown(fullest);
    this.#known = share;
  }

  /** Ends some, unless it falls by itself: those that went last are still on their way. False when there is nothing to be done. */
  #goesOn(share: number): boolean {
    const change = share - this.#known;
    if (Math.abs(change) > changeMin) this.#futile = 0;
    if (change < -changeMin) return true;
    return this.#futile++ < futileMax && this.#shed() > 0;
  }

  /** See `calmMs`. */
  #calmDown(fullest: Fullest): void {
    const { share } = fullest;
    const nowMs = this.#collectedMs;
    if (share < over.short) this.#settled = 0;
    const isCalm = this.#state !== 'enough' && !this.#isShedding && share <= calmMax;
    if (!isCalm || share > this.#calmShare + changeMin) {
      this.#calmShare = share;
      this.#calmSinceMs = nowMs;
    } else if (nowMs - this.#calmSinceMs >= calmMs) {
      this.#settled = share;
      this.#enter('enough', fullest);
    }
  }

  /** The state that follows from a share, with the one now. */
  #stateAt(share: number): MemoryState {
    const from = Math.min(this.#settled + onTop, calmMax);
    const isIn = (state: 'short' | 'critical'): boolean =>
      share >=
      (memoryStates[this.#state] >= memoryStates[state] ? over[state] : Math.max(begins[state], from));
    if (isIn('critical')) return 'critical';
    return isIn('short') ? 'short' : 'enough';
  }

  /** Whether it has to be known what of a share is garbage: what is done may depend on it, and something has happened since. */
  #isInDoubt(share: number): boolean {
    if (this.#stateAt(share) === 'enough') return false;
    if (this.#state === 'enough') return share >= this.#known + garbageMax;
    const isStale = this.#sources.nowMs() >= this.#collectedMs + staleMs;
    return this.#isShedding || share >= this.#known + growthMin || isStale;
  }

  #fullest(): Fullest {
    const { heap, container } = this.#sources;
    const { usedBytes, limitBytes } = heap();
    const inUseMax = limitBytes * heapInUseMax;
    const usableHeap = Math.max(inUseMax - heapReserveBytes, inUseMax / 2);
    const inHeap = fullness('heap', { usedBytes, limitBytes: usableHeap });
    const used = container();
    if (used === undefined) return inHeap;
    const usableBytes = Math.max(used.limitBytes - containerReserveBytes, used.limitBytes / 2);
    const inContainer = fullness('container', { ...used, limitBytes: usableBytes });
    return inContainer.share > inHeap.share ? inContainer : inHeap;
  }

  #enter(state: MemoryState, { what, usedBytes, limitBytes }: Fullest): void {
    if (state === this.#state) return;
    const isWorse = memoryStates[state] > memoryStates[this.#state];
    this.#state = state;
    const fields = { what, usedBytes, usableBytes: Math.round(limitBytes), ended: this.#ended };
    if (state === 'enough') {
      this.#warn(fields, 'there is memory again');
      this.#ended = 0;
    } else if (isWorse) {
      const message =
        state === 'short'
          ? 'memory runs short: new replays are refused, and those farthest behind are ended'
          : 'memory is nearly used up: nobody is let in, and the newest subscribers are ended';
      this.#warn(fields, message);
    }
  }

  #shed(): number {
    const { behind, sessions } = this.#sheddable;
    const may = Math.max(0, sessions - subscribersKept);
    let ended = this.#sheddable.shedBehind(Math.min(may, partOf(behind, replaysPart)));
    if (this.#state === 'critical') {
      const part = this.#seen >= calmMax ? livePartInNeed : livePart;
      ended += this.#sheddable.shedNewest(Math.min(may - ended, partOf(sessions, part)));
    }
    this.#ended += ended;
    return ended;
  }
}

function fullness(what: Fullest['what'], { usedBytes, limitBytes }: Use): Fullest {
  return { what, usedBytes, limitBytes, share: usedBytes / limitBytes };
}

function partOf(all: number, part: number): number {
  return Math.max(goesMin, Math.ceil(all * part));
}
