// Where each account's chain of commits is, on disk: a LevelDB database of its own, a row of 70 bytes an account. It is a cache: an
// account that is not there is seen for the first time again. Which rows are written when is account-states.ts.

import { hash } from 'node:crypto';
import { join } from 'node:path';
import { CacheDatabase } from '../level/cache-database.ts';

const folder = 'accounts';
const writeBufferBytes = 4 * 1024 * 1024;
/** Some fifty million accounts, more than the network has; one that is full takes no more. */
const storeBytesMax = 4 * 1024 * 1024 * 1024;
/** Writes between two looks at the size. */
const measuredEvery = 256;
/** The first half of a SHA-256: nobody finds another account's. */
const keyBytes = 16;
/** Flags, time, revision, digest of the tree's root. */
const revBytes = 13;
const dataBytes = 32;
const rowBytes = 1 + 8 + revBytes + dataBytes;
const hasUncheckedFlag = 1;
const revPattern = /^[2-7a-z]{13}$/;

/** What is known of an account. */
export interface StoredState {
  readonly rev: string;
  readonly data: Uint8Array;
  readonly hasUnchecked: boolean;
  /** When the commit was checked, in microseconds since 1970. */
  readonly checkedUs: number;
}

/** See the file comment. */
export class AccountStore {
  readonly #db: CacheDatabase;
  #writes = 0;
  #isFull = false;

  private constructor(db: CacheDatabase) {
    this.#db = db;
  }

  /** Opens `<dataDir>/accounts`, or makes it. @throws CodedError `LOG_` codes: in use, no access, a disk that fails. */
  static async open(dataDir: string): Promise<AccountStore> {
    return new AccountStore(await CacheDatabase.open(join(dataDir, folder), writeBufferBytes));
  }

  /** One for each account, in order; undefined also when it cannot be read. */
  async getMany(dids: readonly string[]): Promise<(StoredState | undefined)[]> {
    const rows = await this.#db.getMany(dids.map(keyOf)).catch(() => []);
    return dids.map((_, at) => readRow(rows[at]));
  }

  /** Never rejects for want of room: then it is forgotten. Whether it was written. */
  async putMany(states: readonly (readonly [did: string, state: StoredState])[]): Promise<boolean> {
    if (this.#isFull || states.length === 0) return false;
    try {
      await this.#db.batch(
        states.map(([did, state]) => ({ type: 'put', key: keyOf(did), value: writeRow(state) })),
      );
      if (++this.#writes % measuredEvery === 0) {
        const bytes = await this.#db.approximateSize(Buffer.from([0]), Buffer.alloc(keyBytes, 0xff));
        this.#isFull = bytes > storeBytesMax;
      }
      return true;
    } catch {
      // A disk that is full, or worse: nothing depends on it, and the log beside it says so.
      this.#isFull = true;
      return false;
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

function keyOf(did: string): Uint8Array {
  return hash('sha256', did, 'buffer').subarray(0, keyBytes);
}

function writeRow({ rev, data, hasUnchecked, checkedUs }: StoredState): Uint8Array {
  const row = Buffer.alloc(rowBytes);
  row[0] = hasUnchecked ? hasUncheckedFlag : 0;
  row.writeDoubleLE(checkedUs, 1);
  row.write(rev, 9, revBytes, 'latin1');
  row.set(data, 9 + revBytes);
  return row;
}

function readRow(value: Uint8Array | undefined): StoredState | undefined {
  if (value?.length !== rowBytes) return undefined;
  const row = Buffer.from(value.buffer, value.byteOffset, rowBytes);
  const rev = row.toString('latin1', 9, 9 + revBytes);
  const checkedUs = row.readDoubleLE(1);
  if (!revPattern.test(rev) || !Number.isFinite(checkedUs)) return undefined;
  const data = Uint8Array.from(row.subarray(9 + revBytes));
  return { rev, data, hasUnchecked: (row[0] & hasUncheckedFlag) !== 0, checkedUs };
}
