// What a power failure does to a data directory: LevelDB syncs its tables and their list, and of its log files only what
// it was asked to. The rest was in the memory of the machine: any part of it may have reached the disk.

import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../../lib/seeded-random.ts';

const pageBytes = 4096;

/** How the disk looks after the part that was synced. */
export type LossKind =
  /** The file ends early, in the middle of a record as like as not. */
  | 'cut'
  /** The file has its length, and zeros at its end. */
  | 'zeros'
  /** Pages are missing, and later ones are there. */
  | 'holes';
const lossKinds: readonly LossKind[] = ['cut', 'zeros', 'holes'];

/** Bytes of each log file that are safe, as sync-preload.ts noted them; 0 for files that are not in it. */
export type SafeBytes = ReadonlyMap<string, number>;

/** Reads what sync-preload.ts wrote. */
export function readSafeBytes(syncFile: string): Map<string, number> {
  const safe = new Map<string, number>();
  for (const line of readFileSync(syncFile, 'latin1').split('\n')) {
    const space = line.lastIndexOf(' ');
    if (space > 0) safe.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return safe;
}

/** The log files of a database that count, the oldest first: LevelDB's, or of the journal its own. */
export function logFilesOf(dataDir: string, database: 'journal' | 'blocks'): string[] {
  for (const folder of [join(dataDir, database, 'redo'), join(dataDir, database)]) {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.log')) : [];
    if (names.length > 0) return names.sort().map((name) => join(folder, name));
  }
  return [];
}

/**
 * Takes a random part of what was not synced from each log file. Returns what was done, in words.
 * @param isSpared files that keep everything, such as the newest.
 */
export function losePower(
  dataDir: string,
  safe: SafeBytes,
  random: SeededRandom,
  isSpared: (path: string, at: number) => boolean = () => false,
): string {
  const losses: string[] = [];
  for (const database of ['journal', 'blocks'] as const) {
    for (const [at, path] of logFilesOf(dataDir, database).entries()) {
      const { size } = statSync(path);
      const safeBytes = Math.min(safe.get(path) ?? 0, size);
      if (isSpared(path, at) || safeBytes === size) continue;
      const kind = random.pick(lossKinds);
      // Everything, or what is left of it.
      const keptBytes = random.chance(0.25) ? safeBytes : random.between(safeBytes, size);
      lose(path, kind, kind === 'holes' ? safeBytes : keptBytes, size, random);
      losses.push(`${database}: ${kind}, ${size} bytes, ${safeBytes} safe, ${keptBytes} kept`);
    }
  }
  return losses.join('; ');
}

function lose(path: string, kind: LossKind, fromBytes: number, size: number, random: SeededRandom): void {
  if (kind === 'cut') {
    truncateSync(path, fromBytes);
    return;
  }
  const bytes = readFileSync(path);
  if (kind === 'zeros') bytes.fill(0, fromBytes);
  else {
    const share = random.pick([0.02, 0.2, 0.6]);
    for (let page = Math.ceil(fromBytes / pageBytes) * pageBytes; page < size; page += pageBytes) {
      if (random.chance(share)) bytes.fill(0, page, Math.min(page + pageBytes, size));
    }
  }
  writeFileSync(path, bytes);
}
