// Starts the daemon's process over with what can only be set before it begins: how many arenas malloc has, how many threads V8, and how
// much memory the youngest objects. Half of what a daemon with a few subscribers took was kept by those. It is the same process to all
// others, with the same number, and 60 ms later. It changes nothing that was set by hand.

import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import { hasLittleMemory, hasTightMemory, memoryLimit } from '../lib/memory.ts';

/** malloc's name of it: what is freed in one arena is of no use to the threads of another. Where it is set, this is done. */
const arenasName = 'MALLOC_ARENA_MAX';
/**
 * What is this large gets pages of its own, which go back to the system at once. malloc raises its own limit to 32 MiB at the first such
 * buffer, and what is freed below that stays: after an hour's quarter of attacks 585 of 820 MB of its heap were free. At the network's rate
 * compacted blocks are as large as this, and their memory is used again: 4 to 10 MB less than with 1 MiB, for no more processor time. 128 KiB
 * took 8 ms of it a second.
 */
const mappedBytesMin = 192 * 1024;
/**
 * Below half a GB: what is read from a socket, 64 KiB at first, goes back too. After floods of bodies and heads malloc kept 83 MB
 * with the limit above, and 30 with this.
 */
const tightMappedBytesMin = 64 * 1024;
/** What is free at the end of the heap and stays there: 128 KiB, where the limit above is set, come and go with every answer. */
const keptBytesMax = 8 * 2 ** 20;
/** Of 16 by default; a third of what is kept for them, since they are three such parts. 13 MB less than with 8, for 3 % more processor time. */
const semiSpaceMiB = 4;
/** Where memory is short: collections take 6 ms a second more, and the three of them 18 MiB less. */
const littleSemiSpaceMiB = 2;

/**
 * Below half a GB V8 would take 256 MiB for its heap, whatever there is. It bounds garbage, too: Buffers that were read and forgotten are
 * there until they come to half of that. A client that sends as fast as it can made 120 MiB of them, and with this 26 where there are 128.
 */
const tightHeapShare = 3 / 8;

/**
 * Of the growth that V8 allows from one full collection to the next, 13 MB with what the youngest objects have, what is used when the next
 * begins, in percent: soft and hard. By itself it begins when less is left than the youngest objects may take, which is half of it, and
 * what is read and sent alone comes to a third of it. With 90 a collection came every 50 s, with 50 every 9, for 4 ms of processor time a
 * second; what waits for one as garbage is never given back by malloc, and was 10 MB less with 50.
 */
const [markingSoftPercent, markingHardPercent] = [70, 85];

/** Returns where the process stays as it is. */
export function leanProcess(): void {
  const { env, execPath, execArgv, argv } = process;
  // Not where it has a channel to its parent, which would not be found again.
  if (process.platform !== 'linux' || env[arenasName] !== undefined || process.connected === true) return;
  const threads = String(Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2))));
  const isTight = hasTightMemory();
  const heapMiB = Math.floor((memoryLimit().limitBytes / 2 ** 20) * tightHeapShare);
  const flags = [
    `--max-semi-space-size=${hasLittleMemory() ? littleSemiSpaceMiB : semiSpaceMiB}`,
    `--v8-pool-size=${threads}`,
    `--incremental-marking-soft-trigger=${markingSoftPercent}`,
    `--incremental-marking-hard-trigger=${markingHardPercent}`,
    ...(isTight ? [`--max-old-space-size=${heapMiB}`] : []),
  ].filter(isUnset);
  try {
    // Some versions of Node abort the process when the program file cannot be started.
    accessSync(execPath, constants.X_OK);
    // Behind ours: the last one counts.
    process.execve?.(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], {
      MALLOC_MMAP_THRESHOLD_: String(isTight ? tightMappedBytesMin : mappedBytesMin),
      MALLOC_TRIM_THRESHOLD_: String(keptBytesMax),
      ...(env as Record<string, string>),
      [arenasName]: threads,
    });
  } catch {
    // As by a sandbox: then with more memory.
  }
}

/** Whether NODE_OPTIONS says nothing of it: a flag of the command would count in its place. */
function isUnset(flag: string): boolean {
  const { NODE_OPTIONS: options = '' } = process.env;
  return !options.replaceAll('_', '-').includes(flag.slice(0, flag.indexOf('=')));
}
