// Keys of accounts on disk, so that a restart asks nobody again: a LevelDB database of its own, a row of some 70 bytes an account. It is
// a cache (log/cache-database.ts), and one that is full takes no more. When a row is too old is key-resolver.ts.

import { join } from 'node:path';
import { CacheDatabase } from '../log/cache-database.ts';
import { type Curve, VerifyingKey } from '../verify/verifying-key.ts';

const folder = 'keys';
const writeBufferBytes = 4 * 1024 * 1024;
/** Some fifteen million accounts. */
const storeBytesMax = 1024 * 1024 * 1024;
/** Rows between two looks at the size. */
const measuredEvery = 10_000;
/** Version and curve, time, point. */
const rowBytes = 1 + 8 + 33;
const curves: readonly Curve[] = ['p256', 'secp256k1'];

/** What is known of an account. */
export interface StoredKey {
  readonly key: VerifyingKey;
  /** When its document was read, in milliseconds since 1970. */
  readonly readMs: number;
}

/** See the file comment. */
export class KeyStore {
  readonly #db: CacheDatabase;
  #writes = 0;
  #isFull = false;

  private constructor(db: CacheDatabase) {
    this.#db = db;
  }

  /** Opens `<dataDir>/keys`, or makes it. @throws CodedError `LOG_` codes: in use, no access, a disk that fails. */
  static async open(dataDir: string): Promise<KeyStore> {
    return new KeyStore(await CacheDatabase.open(join(dataDir, folder), writeBufferBytes));
  }

  /** Undefined also when it cannot be read. */
  async get(did: string): Promise<StoredKey | undefined> {
    const row = await this.#db.get(Buffer.from(did)).catch(() => undefined);
    if (row?.length !== rowBytes) return undefined;
    const key = VerifyingKey.ofPoint(curves[row[0]], row.subarray(9));
    const readMs = new DataView(row.buffer, row.byteOffset).getFloat64(1);
    return key === undefined ? undefined : { key, readMs };
  }

  /** Never rejects for want of room: then it is forgotten. */
  async put(did: string, { key, readMs }: StoredKey): Promise<void> {
    if (this.#isFull) return;
    const row = new Uint8Array(rowBytes);
    row[0] = curves.indexOf(key.curve);
    new DataView(row.buffer).setFloat64(1, readMs);
    row.set(key.point, 9);
    try {
      await this.#db.batch([{ type: 'put', key: Buffer.from(did), value: row }]);
    } catch {
      // A disk that is full, or worse: nothing depends on it, and the log beside it says so.
      this.#isFull = true;
    }
    if (++this.#writes % measuredEvery !== 0) return;
    const bytes = await this.#db.approximateSize(Buffer.from([0]), Buffer.from([0xff]));
    this.#isFull ||= bytes > storeBytesMax;
  }

  /** Never rejects: what cannot be deleted is too old after a day. */
  async delete(did: string): Promise<void> {
    await this.#db.batch([{ type: 'del', key: Buffer.from(did) }]).catch(() => {});
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}
