// Keys of accounts on disk, so that a restart asks nobody again: a LevelDB database of its own, a row of some 70 bytes an account. It is
// a cache (log/cache-database.ts), and one that is full takes no more. When a row is too old is key-resolver.ts.

import { join } from 'node:path';
import { CacheDatabase } from '../log/cache-database.ts';
import type { Change } from '../log/write-batch.ts';
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

/** How far the directory's operations have been heard. */
export interface StreamPlace {
  /** The directory, whose numbers these are. */
  readonly url: string;
  readonly seq: number;
  /** Whatever happened to keys from then on was heard, in milliseconds since 1970. */
  readonly coveredFromMs: number;
}

/** No DID. */
const placeKey = Buffer.from('stream');

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
  async put(did: string, key: StoredKey): Promise<void> {
    if (!this.#isFull) await this.#write([{ type: 'put', key: Buffer.from(did), value: rowOf(key) }]);
  }

  /**
   * What was heard, and how far, all or nothing. A store that is full forgets the accounts.
   * @param place undefined where operations have no numbers. @returns whether it is there.
   */
  async hear(
    heard: ReadonlyMap<string, StoredKey | undefined>,
    place: StreamPlace | undefined,
  ): Promise<boolean> {
    const changes = Array.from(heard, ([did, stored]): Change => {
      const key = Buffer.from(did);
      if (stored === undefined || this.#isFull) return { type: 'del', key };
      return { type: 'put', key, value: rowOf(stored) };
    });
    if (place !== undefined)
      changes.push({ type: 'put', key: placeKey, value: Buffer.from(JSON.stringify(place)) });
    return this.#write(changes);
  }

  /** Undefined also when it cannot be read. */
  async place(): Promise<StreamPlace | undefined> {
    try {
      const value = await this.#db.get(placeKey);
      const { url, seq, coveredFromMs } = JSON.parse(Buffer.from(value ?? []).toString());
      const isPlace = typeof url === 'string' && Number.isSafeInteger(seq) && Number.isFinite(coveredFromMs);
      return isPlace ? { url, seq, coveredFromMs } : undefined;
    } catch {
      return undefined;
    }
  }

  /** The place is none any more. */
  async forgetPlace(): Promise<void> {
    await this.#db.batch([{ type: 'del', key: placeKey }]).catch(() => {});
  }

  async #write(changes: Change[]): Promise<boolean> {
    try {
      await this.#db.batch(changes);
    } catch {
      // A disk that is full, or worse: nothing depends on it, and the log beside it says so.
      this.#isFull = true;
      return false;
    }
    const before = this.#writes;
    this.#writes += changes.length;
    if (Math.floor(before / measuredEvery) < Math.floor(this.#writes / measuredEvery)) await this.#measure();
    return true;
  }

  async #measure(): Promise<void> {
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

function rowOf({ key, readMs }: StoredKey): Uint8Array {
  const row = new Uint8Array(rowBytes);
  row[0] = curves.indexOf(key.curve);
  new DataView(row.buffer).setFloat64(1, readMs);
  row.set(key.point, 9);
  return row;
}
