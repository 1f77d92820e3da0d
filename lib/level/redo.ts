// What LevelDB's write-ahead logs hold is written again by us when a database is opened, instead of by LevelDB, which would go on with
// less when it cannot read them (write-ahead-log.ts). The logs are first put where LevelDB does not see them, in the folder `redo`, all
// or none; they go when all they hold is durable in the database. Until then nothing else is written, so a start that is cut off is
// simply done again. What a RedoLog has left in that folder is taken in the same way.

import { link, mkdir, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFailure } from './database-errors.ts';
import { syncFolder, writeDurably } from './file-bytes.ts';
import { isLogName, readWriteAhead, redoFolder, type WriteAhead } from './write-ahead-log.ts';
import type { Change } from './write-batch.ts';

/** Names beside the folder: not all logs are in it yet, and nothing needs them any more. */
const unfinishedFolder = 'redo-unfinished';
const doneFolder = 'redo-done';

/** What a file system says that has no second names. */
const linklessCodes: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** Bytes that are written at a time, durably. */
const batchBytes = 2 ** 20;

/** Before all others: no key is empty. */
const firstKey = new Uint8Array(0);

/** What it needs of a database. */
export interface RedoTarget {
  batch(changes: Change[], options: { sync: boolean }): Promise<void>;
}

/** See the file comment. Create it with {@link Redo.take}, before the database is opened. */
export class Redo {
  readonly #location: string;
  readonly #writeAhead: WriteAhead;

  private constructor(location: string, writeAhead: WriteAhead) {
    this.#location = location;
    this.#writeAhead = writeAhead;
  }

  /**
   * Reads the logs of the database in `location`, whose lock the caller has, and takes them away from LevelDB. Undefined when there
   * are none.
   * @param found told before anything is changed; waited for.
   * @throws CodedError `LOG_READ_FAILED`, `LOG_FILES_EXHAUSTED`, `LOG_WRITE_FAILED`, `LOG_DISK_FULL`: all are still there.
   */
  static async take(
    location: string,
    found: (writeAhead: WriteAhead) => Promise<void> = async () => {},
  ): Promise<Redo | undefined> {
    const writeAhead = await readWriteAhead(location);
    const { paths, batches, damages, isLossy } = writeAhead;
    const isBegun = paths.length > 0 && dirname(paths[0]) !== location;
    const isEmpty = batches.length === 0 && damages.length === 0 && !isLossy;
    if (isEmpty && !isBegun) return undefined;
    await found(writeAhead);
    try {
      for (const folder of [unfinishedFolder, doneFolder])
        await rm(join(location, folder), { recursive: true, force: true });
      if (!isBegun) await moveOut(location, paths);
      for (const name of await readdir(location)) if (isLogName(name)) await unlink(join(location, name));
    } catch (cause) {
      throw writeFailure(`cannot set aside what is to be written again in ${location}`, cause);
    }
    return new Redo(location, writeAhead);
  }

  /** What a {@link RedoLog} has for a database that is open. Rejects as {@link take} of reading. */
  static async ofOpen(location: string): Promise<Redo> {
    const redo = new Redo(location, await readWriteAhead(location));
    await rm(join(location, doneFolder), { recursive: true, force: true });
    return redo;
  }

  get damages(): WriteAhead['damages'] {
    return this.#writeAhead.damages;
  }

  /**
   * Writes all again, in the same order. @param afterKey what has a key up to there is left out.
   * @throws CodedError `LOG_DISK_FULL`, `LOG_WRITE_FAILED`: nothing is lost.
   */
  async writeTo(db: RedoTarget, afterKey: Uint8Array = firstKey): Promise<void> {
    const location = this.#location;
    try {
      for (const changes of joined(this.#writeAhead.batches, afterKey))
        await db.batch(changes, { sync: true });
      await rename(join(location, redoFolder), join(location, doneFolder));
      // From here on it is not written again: what comes next would be undone.
      await syncFolder(location);
    } catch (cause) {
      throw writeFailure(`cannot write again what was stored last in ${location}`, cause);
    }
    // What cannot be removed now is the next one's.
    await rm(join(location, doneFolder), { recursive: true, force: true }).catch(() => {});
  }
}

/** Their changes in order, in batches of {@link batchBytes}. */
function* joined(batches: readonly (readonly Change[])[], afterKey: Uint8Array): Generator<Change[]> {
  let changes: Change[] = [];
  let bytes = 0;
  for (const batch of batches) {
    for (const change of batch) {
      if (Buffer.compare(change.key, afterKey) <= 0) continue;
      changes.push(change);
      bytes += change.key.length + (change.type === 'put' ? change.value.length : 0);
    }
    if (bytes < batchBytes) continue;
    yield changes;
    changes = [];
    bytes = 0;
  }
  if (changes.length > 0) yield changes;
}

/** Both names of each file, until all of them are in their folder for certain. */
async function moveOut(location: string, paths: readonly string[]): Promise<void> {
  const unfinished = join(location, unfinishedFolder);
  await mkdir(unfinished);
  for (const path of paths) await linkTo(path, join(unfinished, basename(path)));
  await syncFolder(unfinished);
  await rename(unfinished, join(location, redoFolder));
  await syncFolder(location);
}

/** A second name for a file, or a copy where a file system has no such thing. */
async function linkTo(path: string, to: string): Promise<void> {
  try {
    await link(path, to);
  } catch (error) {
    if (!linklessCodes.includes((error as NodeJS.ErrnoException).code)) throw error;
    await writeDurably(to, await readFile(path));
  }
}
