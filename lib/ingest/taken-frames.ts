// The frames that were taken from a relay lately, by sequence and print: what tells a frame that comes again from another
// one of the same number. A fixed piece of memory for each relay; it decides nothing. Asked by relay-position.ts.

import type { Frame } from '../decode/frame.ts';

/** Sequences that are told apart: half a minute of the network at its peak of 2,100 frames/s, two minutes usually. 768 KiB. */
export const takenFramesMax = 65_536;
const slotMask = takenFramesMax - 1;

/** How much of the end of each field goes into a print: where DIDs and revs of one relay differ. */
const printBytes = 12;
const noSeq = -1;

/** See the file comment. */
export class TakenFrames {
  readonly #seqs = new Float64Array(takenFramesMax).fill(noSeq);
  readonly #prints = new Int32Array(takenFramesMax);

  #noted = 0;

  /** Whether any have been forgotten. */
  get isFull(): boolean {
    return this.#noted > takenFramesMax;
  }

  note(seq: number, print: number): void {
    this.#noted++;
    // Bit operations take the lowest 32 bits, whatever the size.
    const slot = seq & slotMask;
    this.#seqs[slot] = seq;
    this.#prints[slot] = print;
  }

  has(seq: number, print: number): boolean {
    const slot = seq & slotMask;
    return this.#seqs[slot] === seq && this.#prints[slot] === print;
  }
}

/**
 * Tells frames of the same sequence apart: of the account, the revision, and a handle or status. Not of the time: a relay
 * that makes a frame anew to send it again may date it anew.
 */
export function printOf(frame: Frame): number {
  const { bytes } = frame;
  let print = mix(bytes, frame.didStart, frame.didEnd, frame.type);
  print = mix(bytes, frame.revStart, frame.revEnd, print);
  return mix(bytes, frame.handleOrStatusStart, frame.handleOrStatusEnd, print);
}

/** FNV-1a. */
function mix(bytes: Uint8Array, start: number, end: number, print: number): number {
  for (let at = Math.max(start, end - printBytes); at < end; at++)
    print = Math.imul(print ^ bytes[at], 0x01000193);
  return print;
}
