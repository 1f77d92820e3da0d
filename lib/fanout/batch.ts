// Chosen events of a block as bytes to be written: runs of consecutive events, and the copying that makes one piece of
// them. Works on ends and bytes; which events are chosen is decided by selection.ts and group-index.ts.

import { grow } from '../grow.ts';
import { startOf } from '../log/block.ts';
import type { Messages } from './encodings.ts';

/** Events ready to be written: whole messages, shared with every subscriber that gets them. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly events: number;
}

export const emptyBatch: Batch = { bytes: new Uint8Array(0), events: 0 };

/** Stands for no run. */
export const noRun = -1;
/** Ints of a run: its first event, the one after its last, and the next run. */
const runInts = 3;
/** Ints that are kept from one block to the next: 350,000 runs. */
const keptIntsMax = 1024 * 1024;
const keptIntsMin = 3 * 1024;

/** Chains of runs, many at a time, in memory that is used again for every block. */
export class Runs {
  #ints = new Int32Array(keptIntsMin);
  #end = 0;

  /** Forgets all chains. */
  clear(): void {
    this.#end = 0;
    if (this.#ints.length > keptIntsMax) this.#ints = new Int32Array(keptIntsMin);
  }

  /**
   * Adds an event, which comes after those that are there, to the chain whose last run is `last`, or starts a chain after
   * {@link noRun}. Returns the run that it is in, which is the last one now.
   */
  add(last: number, event: number): number {
    if (last !== noRun && this.#ints[last + 1] === event) {
      this.#ints[last + 1]++;
      return last;
    }
    const run = this.#end;
    this.#end += runInts;
    if (this.#end > this.#ints.length) this.#ints = grow(this.#ints);
    this.#ints[run] = event;
    this.#ints[run + 1] = event + 1;
    this.#ints[run + 2] = noRun;
    if (last !== noRun) this.#ints[last + 2] = run;
    return run;
  }

  startOf(run: number): number {
    return this.#ints[run];
  }

  endOf(run: number): number {
    return this.#ints[run + 1];
  }

  nextOf(run: number): number {
    return this.#ints[run + 2];
  }
}

/** The events of the chain that begins with `first`. A single run is not copied. */
export function gather(messages: Messages, runs: Runs, first: number): Batch {
  if (first === noRun) return emptyBatch;
  if (runs.nextOf(first) === noRun) return sliceOf(messages, runs.startOf(first), runs.endOf(first));
  const { ends } = messages;
  let byteCount = 0;
  let events = 0;
  for (let run = first; run !== noRun; run = runs.nextOf(run)) {
    byteCount += ends[runs.endOf(run) - 1] - startOf(ends, runs.startOf(run));
    events += runs.endOf(run) - runs.startOf(run);
  }
  const gathered = Buffer.allocUnsafe(byteCount);
  let at = 0;
  for (let run = first; run !== noRun; run = runs.nextOf(run)) {
    const part = messages.bytes.subarray(startOf(ends, runs.startOf(run)), ends[runs.endOf(run) - 1]);
    gathered.set(part, at);
    at += part.length;
  }
  return { bytes: gathered, events };
}

/** The events from index `from` to `to` (exclusive); shares their memory. */
export function sliceOf({ bytes, ends }: Messages, from: number, to: number): Batch {
  if (from >= to) return emptyBatch;
  const isWhole = from === 0 && to === ends.length;
  const slice = isWhole ? bytes : bytes.subarray(startOf(ends, from), ends[to - 1]);
  return { bytes: slice, events: to - from };
}

/** Several batches as one, copied. */
export function mergeBatches(batches: readonly Batch[]): Batch {
  let events = 0;
  for (const batch of batches) events += batch.events;
  return { bytes: Buffer.concat(batches.map((batch) => batch.bytes)), events };
}

/**
 * A batch that may wait in a slow socket, which would keep all of a block whose memory it shares: so it is copied if it is of a part of
 * the block, or is little of it.
 */
export function apartFrom({ bytes: all }: Messages, batch: Batch, isOfPart: boolean): Batch {
  const { bytes, events } = batch;
  if (bytes.buffer !== all.buffer || !(isOfPart || bytes.length * 2 < all.length)) return batch;
  // Not of Node's pool, for the same reason.
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return { bytes: copy, events };
}
