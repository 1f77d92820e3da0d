// LevelDB's MANIFEST: it notes every table made or deleted, at the end of a file that begins anew only when the database is
// opened (google/leveldb, issue 299). It owns when that is due; level-log.ts does it. Where the databases are is
// database.ts's.

import { join } from 'node:path';
import { bytesOf } from '../level/database.ts';
import { journalFolder, storeFolder } from './log-files.ts';

/**
 * Bytes that a MANIFEST may grow by, since it was begun with a list of all tables. At the network's rate it is 1.6 MB a day
 * for the store and half a megabyte for the journal; an opening reads as much in some tens of milliseconds.
 */
const growthBytesMax = 4 * 1024 * 1024;

/** Watches the MANIFESTs of a log. */
export class ManifestWatch {
  readonly #locations: readonly string[];
  readonly #growthBytesMax: number;
  /** Of each database when it was first looked at since it was opened. */
  #begunBytes: readonly number[] | undefined;

  constructor(dataDir: string, bytesMax = growthBytesMax) {
    this.#locations = [storeFolder, journalFolder].map((folder) => join(dataDir, folder));
    this.#growthBytesMax = bytesMax;
  }

  /** Whether the databases are to be opened again. */
  async isOpeningDue(): Promise<boolean> {
    const bytes = await Promise.all(this.#locations.map(manifestBytesOf));
    this.#begunBytes ??= bytes;
    const begunBytes = this.#begunBytes;
    return bytes.some((now, at) => now - begunBytes[at] > this.#growthBytesMax);
  }

  /** They have been opened. */
  opened(): void {
    this.#begunBytes = undefined;
  }
}

/** Bytes of a database's MANIFEST, and of one that LevelDB is about to delete. */
export function manifestBytesOf(location: string): Promise<number> {
  return bytesOf(location, /^MANIFEST-/);
}
