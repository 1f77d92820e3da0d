// What the system lets this process have open, and who gets how much of it: the log first, then connections that are no
// subscribers, and subscribers what is left. Pure but for reading the limit. Without it a crowd of clients takes the descriptors
// that LevelDB needs for its next file, and the log cannot be written.

import { existsSync, readFileSync } from 'node:fs';
import { UsageError } from './errors.ts';

/** How descriptors are shared out. */
export interface OpenFiles {
  /** Tables that LevelDB keeps open, for each of the two databases. */
  readonly tablesMax: number;
  /** Connections of a listener that are no subscribers (yet). */
  readonly plainSocketsMax: number;
  readonly subscribersMax: number;
}

/**
 * LevelDB maps a table into memory for as long as it is open, and what was read of it counts as resident. 64 of 2 MiB, the least that
 * LevelDB takes beside its other files, are more than a daemon reads at a time; opening one again costs what reading a fiftieth of it does.
 */
export const tablesMost = 74;
const tablesLeast = 40;
const plainSocketsMost = 1_024;
const plainSocketsLeast = 16;
/** Pipes, standard streams, log files, the metrics listener and its scrapers, the relay. */
const othersMax = 128;

const limitsFile = '/proc/self/limits';

/** The limit of this process; Infinity where the system does not say. Node has raised it to the hard one at its start. */
export function openFilesMax(): number {
  if (!existsSync(limitsFile)) return Number.POSITIVE_INFINITY;
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(limitsFile, 'latin1'))?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/**
 * Shares out `limit` descriptors. @param listeners threads that listen. @param wanted subscribers at a time, if there is room.
 * @throws UsageError `CONFIG_OPEN_FILES` when not even one subscriber would have one.
 */
export function shareOpenFiles(limit: number, listeners: number, wanted: number): OpenFiles {
  const part = (divisor: number, least: number, most: number): number =>
    Math.min(most, Math.max(least, Math.floor(limit / divisor)));
  const tablesMax = part(10, tablesLeast, tablesMost);
  const plainSocketsMax = part(16 * listeners, plainSocketsLeast, plainSocketsMost);
  const left = limit - 2 * tablesMax - listeners * plainSocketsMax - othersMax;
  if (left < 1) {
    const least = 2 * tablesLeast + listeners * plainSocketsLeast + othersMax + 1;
    throw new UsageError(
      'CONFIG_OPEN_FILES',
      `${limit} open files are too few: raise ulimit -n to ${least} at least, by one for each subscriber`,
    );
  }
  return { tablesMax, plainSocketsMax, subscribersMax: Math.min(wanted, left) };
}
