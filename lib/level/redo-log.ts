// What a database gets at its next opening, or when it is closed: values in files like LevelDB's logs, in the folder `redo`, where
// redo.ts looks for them and LevelDB does not. They are written at once, by the thread that calls: at the network's rate a hop to
// LevelDB's thread and back, and its tables, took 8 % of the daemon's processor time. What is no longer wanted goes file by file.

import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteWriter } from '../byte-writer.ts';
import { syncFolder } from './file-bytes.ts';
import { RecordWriter } from './record-writer.ts';
import { redoFolder } from './write-ahead-log.ts';
import { writePut } from './write-batch.ts';

const scratchBytes = 64 * 1024;
const digits = 6;

/** A file that takes nothing more. */
interface FullFile {
  readonly path: string;
  readonly bytes: number;
  /** Of the last of its values. */
  readonly lastKey: Uint8Array;
}

/** See the file comment. Keys have to rise. */
export class RedoLog {
  readonly #folder: string;
  readonly #location: string;
  readonly #fileBytes: number;
  readonly #batch = new ByteWriter(scratchBytes);
  /** The oldest first. */
  readonly #full: FullFile[] = [];
  #fullBytes = 0;
  #writer: RecordWriter | undefined;
  #isFolderSynced = false;
  /** Never rejects. */
  #syncing: Promise<void> | undefined;
  #lastKey: Uint8Array | undefined;
  #files = 0;
  #puts = 0;

  /**
   * @param location of the database, which is open and whose own logs hold nothing that is wanted: whoever opens it next goes by
   * these alone. @param fileBytes after which the next file begins.
   */
  constructor(location: string, fileBytes: number) {
    this.#location = location;
    this.#folder = join(location, redoFolder);
    this.#fileBytes = fileBytes;
  }

  /** Of its files. */
  get bytes(): number {
    return this.#fullBytes + (this.#writer?.bytes ?? 0);
  }

  /** Takes both as they are now. @param sync whether the disk has it when it resolves. Rejects with what the system says. */
  async put(key: Uint8Array, value: Uint8Array, sync: boolean): Promise<void> {
    if (this.#writer !== undefined && this.#writer.bytes >= this.#fileBytes) this.#end(this.#writer);
    this.#writer ??= this.#begin();
    const writer = this.#writer;
    this.#batch.shrink(scratchBytes);
    writePut(this.#batch, ++this.#puts, key, value);
    writer.append(this.#batch.buffer.subarray(0, this.#batch.length));
    this.#lastKey = key;
    if (!sync) return;
    const syncing = this.#sync(writer);
    this.#syncing = syncing.catch(() => undefined);
    await syncing;
  }

  async #sync(writer: RecordWriter): Promise<void> {
    await writer.sync();
    if (this.#isFolderSynced) return;
    await syncFolder(this.#folder);
    await syncFolder(this.#location);
    this.#isFolderSynced = true;
  }

  /** Values up to `key` are not wanted any more: files that hold nothing else go. Rejects with what the system says. */
  async removeTo(key: Uint8Array): Promise<void> {
    const isDone = this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) <= 0;
    if (isDone && this.#writer !== undefined && this.#writer.bytes >= this.#fileBytes)
      this.#end(this.#writer);
    while (this.#full.length > 0 && Buffer.compare(this.#full[0].lastKey, key) <= 0) {
      const [{ path, bytes }] = this.#full;
      await rm(path, { force: true });
      this.#full.shift();
      this.#fullBytes -= bytes;
    }
  }

  /** The files stay. Waits for what the disk has not said yet. */
  async close(): Promise<void> {
    await this.#syncing;
    if (this.#writer !== undefined) this.#end(this.#writer);
  }

  #begin(): RecordWriter {
    mkdirSync(this.#folder, { recursive: true });
    this.#isFolderSynced = false;
    return new RecordWriter(join(this.#folder, `${String(++this.#files).padStart(digits, '0')}.log`));
  }

  #end(writer: RecordWriter): void {
    const { path, bytes } = writer;
    this.#writer = undefined;
    writer.close();
    this.#full.push({ path, bytes, lastKey: this.#lastKey as Uint8Array });
    this.#fullBytes += bytes;
  }
}
