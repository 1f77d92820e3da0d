// What was taken lately, by what it says: commits by account and revision, whatever relay they came from and under which number
// (a relay that sends the same commit under several has each of them known by its number), other frames by account and content. It
// is what "once" means when numbers do not help: after a reconnect to an earlier place, a new numbering, another relay. A fixed
// piece of memory; it decides nothing. Asked by relay-position.ts.

import { type Frame, frameTypes } from '../decode/frame.ts';
import { DidHasher } from '../event/did-hash.ts';

/**
 * Frames that a half of the memory has room for; there are two, and the older one is forgotten as a whole. So between this many
 * and twice as many are known: three minutes of the network at 500 frames/s, 47 seconds at its peak of 2,100.
 */
export const takenFramesMin = 98_304;
/** A third more, so that searches stay short. */
const slots = 131_072;
const slotMask = slots - 1;

const noNumbering = 0;
/** Numbering of what a process before this one took. */
export const earlierNumbering = 1;
/** In place of one: a commit that came under several numbers of one numbering, so that only its number says which it is. */
const severalNumbers = 2;
const numberingsMax = 0xffff;

/** Half of the memory: an open-addressed table that is only added to. 14 bytes a slot, 1.8 MiB. */
class Half {
  readonly low = new Uint32Array(slots);
  readonly high = new Uint32Array(slots);
  readonly seq = new Uint32Array(slots);
  readonly numbering = new Uint16Array(slots);
  sinceUs: number;
  used = 0;

  /** @param sinceUs time of frames from which on it has everything. */
  constructor(sinceUs: number) {
    this.sinceUs = sinceUs;
  }

  /** The slot of this key, or the one where it would be. */
  slotOf(low: number, high: number): number {
    let slot = low & slotMask;
    while (this.numbering[slot] !== noNumbering && (this.low[slot] !== low || this.high[slot] !== high))
      slot = (slot + 1) & slotMask;
    return slot;
  }
}

/** What of a frame says which one it is. */
export type KeyedFrame = Pick<
  Frame,
  | 'type'
  | 'seq'
  | 'bytes'
  | 'didStart'
  | 'didEnd'
  | 'timeStart'
  | 'timeEnd'
  | 'revStart'
  | 'revEnd'
  | 'handleOrStatusStart'
  | 'handleOrStatusEnd'
>;

/** See the file comment. */
export class TakenFrames {
  /** Of the frame that {@link find} found: the numbering that it came in, and the lower 32 bits of its sequence. */
  numbering = noNumbering;
  seq = 0;
  readonly #hasher: DidHasher;
  #young: Half;
  #old: Half | undefined;
  #lastNumbering = severalNumbers;
  #low = 0;
  #high = 0;

  /** @param key secret: accounts and revisions are chosen by strangers. */
  constructor(key: Uint8Array) {
    this.#hasher = new DidHasher(key);
    this.#young = new Half(Number.NEGATIVE_INFINITY);
  }

  /** From this time on what was taken is known, about: times of frames differ. In the time of frames, µs. */
  get sinceUs(): number {
    return (this.#old ?? this.#young).sinceUs;
  }

  /** What was taken before this time is not all noted. */
  beginAt(sinceUs: number): void {
    this.#young.sinceUs = sinceUs;
    if (this.#old !== undefined) this.#old.sinceUs = sinceUs;
  }

  /** A number for a numbering that nothing has come in yet. */
  newNumbering(): number {
    this.#lastNumbering =
      this.#lastNumbering === numberingsMax ? severalNumbers + 1 : this.#lastNumbering + 1;
    return this.#lastNumbering;
  }

  /** Whether this frame was taken: then `numbering` and `seq` say under which number. */
  find(frame: KeyedFrame): boolean {
    this.#keyOf(frame);
    if (!this.#found()) return false;
    if (this.numbering !== severalNumbers) return true;
    this.#addNumber(frame.seq);
    return this.#found();
  }

  /** Whether one that is no commit was taken that says the same, of the same time: for numberings that it has not come in. */
  findSame(frame: KeyedFrame): boolean {
    this.#datedKeyOf(frame);
    return this.#found();
  }

  /** Notes a frame. @param nowUs time of frames around it, µs; NaN when it is not known. */
  note(frame: KeyedFrame, numbering: number, nowUs: number): void {
    this.#keyOf(frame);
    if (frame.type === frameTypes.commit) {
      this.#noteCommit(frame, numbering, nowUs);
      return;
    }
    this.#put(numbering, frame.seq >>> 0, nowUs);
    this.#datedKeyOf(frame);
    this.#put(numbering, frame.seq >>> 0, nowUs);
  }

  /** What comes under several numbers of one numbering is noted under each of them. */
  #noteCommit(frame: KeyedFrame, numbering: number, nowUs: number): void {
    const seq = frame.seq >>> 0;
    if (this.#found()) {
      const isSecond = numbering !== earlierNumbering && this.numbering === numbering && this.seq !== seq;
      const firstSeq = this.seq;
      if (isSecond || this.numbering === severalNumbers) {
        this.#put(severalNumbers, 0, nowUs);
        this.#addNumber(seq);
      }
      if (isSecond) {
        this.#put(numbering, seq, nowUs);
        this.#keyOf(frame);
        this.#addNumber(firstSeq);
        this.#put(numbering, firstSeq, nowUs);
        return;
      }
    }
    this.#put(numbering, seq, nowUs);
  }

  #found(): boolean {
    let half: Half | undefined = this.#young;
    while (half !== undefined) {
      const slot = half.slotOf(this.#low, this.#high);
      if (half.numbering[slot] !== noNumbering) {
        this.numbering = half.numbering[slot];
        this.seq = half.seq[slot];
        return true;
      }
      half = half === this.#young ? this.#old : undefined;
    }
    return false;
  }

  #put(numbering: number, seq: number, nowUs: number): void {
    const half = this.#young;
    const slot = half.slotOf(this.#low, this.#high);
    if (half.numbering[slot] === noNumbering) {
      half.low[slot] = this.#low;
      half.high[slot] = this.#high;
      half.used++;
    }
    half.numbering[slot] = numbering;
    half.seq[slot] = seq;
    if (half.used < takenFramesMin) return;
    this.#old = half;
    this.#young = new Half(Number.isNaN(nowUs) ? half.sinceUs : nowUs);
  }

  /** A commit is its account and revision. Others are what they say and their number: a relay may date them anew. */
  #keyOf(frame: KeyedFrame): void {
    const { bytes, type } = frame;
    this.#start(type, bytes, frame.didStart, frame.didEnd);
    if (type === frameTypes.commit) {
      this.#add(bytes, frame.revStart, frame.revEnd);
      return;
    }
    this.#add(bytes, frame.handleOrStatusStart, frame.handleOrStatusEnd);
    if (type === frameTypes.sync) this.#add(bytes, frame.revStart, frame.revEnd);
    this.#mixNumber(frame.seq);
  }

  /** Makes the key of a commit that of a commit under this number. */
  #addNumber(seq: number): void {
    this.#mixNumber(seq);
    this.#high = ~this.#high >>> 0;
  }

  /** Of its lower 32 bits, which are all that `Math.imul` takes. */
  #mixNumber(seq: number): void {
    this.#low = (this.#low ^ Math.imul(seq, 0x9e37_79b1)) >>> 0;
  }

  #datedKeyOf(frame: KeyedFrame): void {
    const { bytes } = frame;
    this.#start(frame.type + 16, bytes, frame.didStart, frame.didEnd);
    this.#add(bytes, frame.handleOrStatusStart, frame.handleOrStatusEnd);
    if (frame.type === frameTypes.sync) this.#add(bytes, frame.revStart, frame.revEnd);
    this.#add(bytes, frame.timeStart, frame.timeEnd);
  }

  #start(what: number, bytes: Uint8Array, start: number, end: number): void {
    this.#hasher.hash(bytes, start, end);
    this.#low = (this.#hasher.low ^ what) >>> 0;
    this.#high = this.#hasher.high;
  }

  /** Each part is mixed with the place that it comes at, so that parts cannot be exchanged. */
  #add(bytes: Uint8Array, start: number, end: number): void {
    this.#hasher.hash(bytes, start, end);
    this.#low = (Math.imul(this.#low, 0x85eb_ca6b) ^ this.#hasher.low) >>> 0;
    this.#high = (Math.imul(this.#high, 0xc2b2_ae35) ^ this.#hasher.high) >>> 0;
  }
}
