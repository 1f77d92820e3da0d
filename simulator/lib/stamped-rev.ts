// Revisions that say which frame they belong to: a TID whose microseconds are an epoch and the frame's sequence. They
// are unique and rise with the sequence, and across a restart of sequences too, so that a test can tell from the JSON
// of an event alone which frame it came from. Written by the frame pool, read by the delivery ledger.

import { tidCharacters, tidTimeUs, writeTid } from '../../lib/event/tid.ts';

/** 2020-01-01: far enough back that 20 epochs stay in the past, where verifiers want revisions to be. */
const originUs = 1_577_836_800_000_000;
/** Sequences that fit one epoch: 102 days of microseconds. */
const epochSpan = 2 ** 43;
/** Clock id of every stamped revision. */
const stampClockId = 21;

/** Writes the revision of a frame at `offset`. @param epoch how often the relay restarted its sequences. */
export function writeStampedRev(seq: number, epoch: number, out: Uint8Array, offset: number): void {
  writeTid(originUs + epoch * epochSpan + seq, stampClockId, out, offset);
}

/** The revision that the frame of a sequence carries. */
export function stampedRev(seq: number, epoch: number): string {
  const out = Buffer.alloc(tidCharacters);
  writeStampedRev(seq, epoch, out, 0);
  return out.toString('latin1');
}

/** The sequence in a stamped revision; NaN when it is none. */
export function seqOfStampedRev(rev: string): number {
  return (timeUsOf(rev) - originUs) % epochSpan;
}

/** The epoch in a stamped revision; NaN when it is none. */
export function epochOfStampedRev(rev: string): number {
  return Math.floor((timeUsOf(rev) - originUs) / epochSpan);
}

function timeUsOf(rev: string): number {
  const bytes = Buffer.from(rev);
  return tidTimeUs(bytes, 0, bytes.length);
}
