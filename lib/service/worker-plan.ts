// How many worker threads serve subscribers, and from when on.

import { availableParallelism } from 'node:os';
import { hasTightMemory } from '../memory.ts';

/** One core is for ingest, and more than these have not been needed. */
const workersMax = 4;
/** Systems that spread the connections of one port over several listeners; elsewhere one worker is all there can be. */
const portSharers: readonly NodeJS.Platform[] = ['linux', 'freebsd', 'sunos', 'aix'];

/** Threads beside the main one. */
export interface WorkerPlan {
  readonly workers: number;
  /** Whether they start only once there are subscribers for them: before, the main thread serves. */
  readonly grows: boolean;
}

/** @param wanted what is set; undefined: as the machine and the subscribers have it. */
export function workerPlan(
  wanted: number | undefined,
  platform: NodeJS.Platform = process.platform,
  cores = availableParallelism(),
  isTight = hasTightMemory(),
): WorkerPlan {
  if (wanted !== undefined) return { workers: wanted, grows: false };
  // Each takes 30 to 40 MB, whatever it serves, and its heap may be as large as the main thread's.
  if (isTight) return { workers: 0, grows: false };
  const canShare = portSharers.includes(platform);
  const workers = Math.min(canShare ? workersMax : 1, cores - 1);
  return { workers, grows: canShare && workers > 0 };
}
