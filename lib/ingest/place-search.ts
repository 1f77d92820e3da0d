// Where to go on at a relay whose numbers say nothing to us, because other ones were followed last: the place whose frames carry
// the time that the log has come to. Asks for one place after the other, a connection each, and reckons from the times of what
// comes. Pure; relay-search.ts makes the connections.

/** How far before the newest time known to go on, in microseconds: relays have the same commit seconds apart. */
export const searchMarginUs = 15_000_000;
/** How much earlier than that is near enough: half a minute of frames that come again is less than is remembered of them. */
const nearUs = 15_000_000;
/** Connections that a search may take; each narrows it down, so that four are many. */
export const probesMax = 10;
/** Frames a second, before the relay has shown how many; more than the network's usual rate, so that one step back does. */
const framesPerSecond = 1_000;
const stepMin = 1_000;
/** How often nothing may come by itself before a relay is a quiet one: once can be a slow one, with days of frames to send. */
const quietsMax = 2;

/** A frame's number and time. */
interface Place {
  readonly seq: number;
  readonly timeUs: number;
}

/** See the file comment. */
export class PlaceSearch {
  readonly #targetUs: number;
  readonly #known: number | undefined;
  /** The nearest known places on both sides. */
  #before: Place | undefined;
  #after: Place | undefined;
  #probes = 0;
  #step = 0;
  #cursor: number | undefined;
  #first: number | undefined;
  #isJoined = false;
  /** How often nothing came by itself. */
  #quiets = 0;

  /**
   * @param newestUs time of the newest frame taken. @param known sequence to go on after at this relay, if it was followed
   * before.
   */
  constructor(newestUs: number, known: number | undefined) {
    this.#targetUs = newestUs - searchMarginUs;
    this.#known = known;
    this.#cursor = known;
  }

  /** What the next connection asks for; undefined is live. */
  get cursor(): number | undefined {
    return this.#cursor;
  }

  /** Number of the first frame at {@link cursor}; undefined when none has come. */
  get first(): number | undefined {
    return this.#first;
  }

  /** Once it is over: whether nothing lies between what was taken and the place found. */
  get isJoined(): boolean {
    return this.#isJoined;
  }

  /** The relay says that it does not know the place asked for, and can be followed from where it is at most. */
  refused(): void {
    this.#cursor = undefined;
    // It has said so of the place that was known, or of one that was reckoned: then it takes no cursor at all.
    if (this.#probes++ > 0) this.#probes = probesMax;
  }

  /** What the connection began with. Whether to go on from there; else connect again, with {@link cursor}. */
  saw(place: Place): boolean {
    this.#probes++;
    this.#first = place.seq;
    if (Number.isNaN(place.timeUs)) return true;
    return place.timeUs > this.#targetUs ? this.#tooLate(place) : this.#earlyEnough(place);
  }

  /** Nothing came, for seconds. Whether to stay; else connect again. */
  sawNothing(): boolean {
    this.#probes++;
    this.#first = undefined;
    if (this.#cursor !== undefined) {
      // A quiet relay that has nothing after the place asked for.
      this.#isJoined = true;
      return true;
    }
    // There is nothing to reckon with: all of it, or all that came after the place that is known to be early enough.
    this.#quiets++;
    this.#cursor = Math.max(0, (this.#before?.seq ?? 0) - 1);
    return this.#probes >= probesMax;
  }

  #tooLate(place: Place): boolean {
    const cursor = this.#cursor;
    this.#after = place;
    const isOldest = cursor !== undefined && (cursor === 0 || place.seq > cursor + stepMin);
    // All that the relay sent before its known place was taken from it.
    const isKnown = cursor !== undefined && cursor === this.#known && !isOldest;
    if (isOldest || isKnown || this.#probes >= probesMax) {
      this.#isJoined = isKnown || place.timeUs <= this.#targetUs + searchMarginUs;
      return true;
    }
    this.#cursor = this.#before === undefined ? this.#earlier(place) : this.#between();
    return false;
  }

  #earlyEnough(place: Place): boolean {
    this.#before = place;
    const isNear = this.#targetUs - place.timeUs <= nearUs;
    // Live, and still early: the relay is behind.
    const isQuiet = this.#quiets >= quietsMax;
    // Without a place to reckon with, live.
    const next = this.#after === undefined ? undefined : this.#between();
    const isNearest = this.#cursor === undefined || next === this.#cursor;
    if (isNear || isQuiet || isNearest || this.#probes >= probesMax) {
      this.#isJoined = true;
      return true;
    }
    this.#cursor = next;
    return false;
  }

  #earlier({ seq, timeUs }: Place): number {
    const wanted = ((timeUs - this.#targetUs) / 1e6) * framesPerSecond;
    this.#step = Math.max(stepMin, Math.ceil(wanted), this.#step * 4);
    return Math.max(0, seq - this.#step);
  }

  /** The number at the target, if as many frames come at all times; a little before it, and never where we were. */
  #between(): number {
    const before = this.#before as Place;
    const after = this.#after as Place;
    const share = (this.#targetUs - nearUs / 2 - before.timeUs) / (after.timeUs - before.timeUs);
    const seq = before.seq + Math.floor((after.seq - before.seq) * Math.max(0, share));
    return Math.max(before.seq, Math.min(seq, after.seq - 1));
  }
}
