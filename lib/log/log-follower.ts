// What the writer of a log tells those who read it from other threads, and what they start from. level-log.ts tells;
// lib/service carries it to log-replica.ts. New blocks are not among it: their way is the same as to local readers.

import type { Block } from './block.ts';

/** Folder of the block store within the data directory: readers open it too. */
export const storeFolder = 'blocks';

/** A log as a reader in another thread has to know it. */
export interface ReplicaStart {
  readonly didHashKey: Uint8Array;
  /** Blocks that end here or before are deleted. */
  readonly trimmedToUs: number;
  /** Blocks that only memory and the journal have, oldest first. */
  readonly uncompacted: readonly Block[];
}

/** Calls come in the order of the changes, and between the appends that they lie between. */
export interface LogFollower {
  /** The `count` oldest blocks of the journal are stored, as the one block `compacted`. */
  compacted(compacted: Block, count: number): void;
  /** Blocks that end at `throughUs` or before are about to be deleted. */
  trimming(throughUs: number): void;
  /** The databases are about to be closed and opened again: resolves when no other thread has them open. */
  suspend(): Promise<void>;
  /** They are open again: resolves when every reader has started anew, from `LevelLog.replicaStart`. */
  resume(): Promise<void>;
}
