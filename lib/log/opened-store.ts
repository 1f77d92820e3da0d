// A block store as it is found when it is opened: its description, where it begins and ends, without what lies behind a gap, and with
// rows for what has been lost of it. block-store.ts goes on from there.

import { randomBytes } from 'node:crypto';
import { CodedError } from '../errors.ts';
import { didHashKeyBytes } from '../event/did-hash.ts';
import type { Database } from '../level/database.ts';
import { damaged } from '../level/database-errors.ts';
import type { LostKeys } from '../level/table-mend.ts';
import type { Block } from './block.ts';
import type { EventCompressor } from './block-builder.ts';
import { type BlockHead, descriptionKey, formatVersion, parseDescription } from './block-format.ts';
import { deleteBehindGap } from './log-cut.ts';
import { noteDamage } from './log-damage.ts';
import { StoredBlocks } from './stored-blocks.ts';
import { newestHead, oldestHead } from './stored-heads.ts';

/** What is known of a store from before it was closed. */
export interface EarlierOpening {
  /** When this process has had it open, or others share it. */
  readonly didHashKey?: Uint8Array | undefined;
  /** Where damaged tables have been mended since. */
  readonly lost: readonly LostKeys[];
  /** When this process has had the log open. */
  readonly memory?: EarlierMemory | undefined;
}

/** What memory has of a log that is opened again. */
export interface EarlierMemory {
  /** End of the store, and of the log. */
  readonly storedUs: number;
  readonly lastTimeUs: number;
  /** What lies between them. */
  readonly uncompacted: readonly Block[];
}

/** What {@link readOpened} finds. */
export interface OpenedStore {
  readonly didHashKey: Uint8Array;
  readonly first: BlockHead | undefined;
  readonly last: BlockHead | undefined;
  readonly stored: StoredBlocks;
  readonly lostBlocks: number;
}

/** @param before of a store that this process has had open. @throws CodedError `LOG_CORRUPT`, `LOG_NEWER_FORMAT`. */
export async function readOpened(
  db: Database,
  location: string,
  compressor: EventCompressor,
  before?: EarlierOpening,
): Promise<OpenedStore> {
  const description = (await db.get(descriptionKey)) ?? (await describeAgain(db, before));
  for (const lost of before?.lost ?? []) await noteDamage(db, lost);
  const first = await oldestHead(db);
  if (description === undefined && first !== undefined)
    throw damaged(`${location} has blocks and no description`);
  const didHashKey = await readDescription(db, description, location);
  const lostBlocks = await deleteBehindGap(db, await newestHead(db));
  const last = await newestHead(db);
  const stored = await StoredBlocks.load(db, location, last, compressor);
  return { lostBlocks, didHashKey, last, first, stored };
}

/** What is known of the store, when its description was in what is lost. */
async function describeAgain(db: Database, before: EarlierOpening | undefined): Promise<Buffer | undefined> {
  if (before?.didHashKey === undefined) return undefined;
  const didHashKey = Buffer.from(before.didHashKey).toString('hex');
  const description = Buffer.from(JSON.stringify({ format: formatVersion, didHashKey }));
  await db.put(descriptionKey, description, { sync: true });
  return description;
}

/** The store's key for hashing DIDs; describes a store that is new, or of an earlier version. */
async function readDescription(
  db: Database,
  value: Uint8Array | undefined,
  location: string,
): Promise<Uint8Array> {
  const { format, didHashKey } =
    value === undefined
      ? { format: 0, didHashKey: randomBytes(didHashKeyBytes).toString('hex') }
      : parseDescription(value);
  if (!(format <= formatVersion)) {
    throw new CodedError(
      'LOG_NEWER_FORMAT',
      `the log in ${location} has format ${format}, this version reads those up to ${formatVersion}: ` +
        'run the version that wrote it, or use another --data-dir',
    );
  }
  if (format < formatVersion) {
    const description = JSON.stringify({ format: formatVersion, didHashKey });
    await db.put(descriptionKey, Buffer.from(description), { sync: true });
  }
  return Buffer.from(didHashKey, 'hex');
}
