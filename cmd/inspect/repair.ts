// `inspect repair`: writes a log again from what is whole in a damaged one, with a row of the coverage ledger where blocks are missing, and
// sets the damaged one aside as it is. Finds values by salvage.ts, and nothing by LevelDB, which the damage may end.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { firstAfter } from '../../lib/binary-search.ts';
import { CodedError } from '../../lib/errors.ts';
import type { CoverageRow } from '../../lib/event/coverage.ts';
import { DidHasher, didHashKeyBytes } from '../../lib/event/did-hash.ts';
import { openDatabase, refuseLocked } from '../../lib/level/database.ts';
import { forgetTables } from '../../lib/level/table-stamps.ts';
import type { Block } from '../../lib/log/block.ts';
import {
  blockKey,
  checkPayload,
  descriptionKey,
  formatVersion,
  type Part,
  parts,
  readBlockKey,
  readHead,
  readSubjectsOf,
  segmentParts,
  unpackBlock,
} from '../../lib/log/block-format.ts';
import { BlockStore } from '../../lib/log/block-store.ts';
import { coverageKey, coverageWrites, readCoverage, readCoverageKey } from '../../lib/log/coverage-format.ts';
import { packedOf } from '../../lib/log/journal-value.ts';
import { asideName, journalFolder, repairedFolder, storeFolder } from '../../lib/log/log-files.ts';
import { Salvage } from './salvage.ts';

/** Where a log is written while it is not whole, in the data directory. */
const unfinishedFolder = 'repair-unfinished';
/** In the finished folder, the name of the one for the damaged log. */
const asideNote = 'aside';
const writeBufferBytes = 16 * 1024 * 1024;
/** What blocks are compressed with is not changed. */
const noCompressor = { dictionaryId: 0, compress: () => {} };

/** What a repair did. */
export interface RepairResult {
  readonly blocks: number;
  readonly events: number;
  /** Blocks of which something was found, and not all. */
  readonly lostBlocks: number;
  readonly rows: readonly CoverageRow[];
  /** Where the damaged log is now. */
  readonly asideIn: string;
}

/** A block that is whole, and the end of the one before it. */
interface WholeBlock {
  readonly block: Block;
  readonly previousUs: number;
  readonly isJournalled: boolean;
}

/**
 * Repairs the log of a data directory; one that was cut off while it put the new log in its place is only ended.
 * @throws CodedError `LOG_LOCKED`, `LOG_MISSING`, `LOG_NEWER_FORMAT`, `LOG_WRITE_FAILED`.
 */
export async function repairLog(dataDir: string): Promise<RepairResult | { readonly asideIn: string }> {
  const locations = [storeFolder, journalFolder].map((folder) => join(dataDir, folder));
  const finished = join(dataDir, repairedFolder);
  if (existsSync(finished)) {
    for (const location of locations) await refuseLocked(location);
    return { asideIn: await replaceLog(dataDir) };
  }
  if (!existsSync(locations[0]))
    throw new CodedError('LOG_MISSING', `there is no log in ${locations[0]}: check --data-dir`);
  for (const location of locations) await refuseLocked(location);
  const unfinished = join(dataDir, unfinishedFolder);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished);
  const [store, journal] = [await Salvage.read(locations[0]), await Salvage.read(locations[1])];
  try {
    const repair = new Repair(store, journal);
    const written = await repair.write(join(unfinished, storeFolder));
    // From here on the new log is whole, and a run that is cut off is ended by the next one.
    await rename(unfinished, finished);
    return { ...written, asideIn: await replaceLog(dataDir) };
  } finally {
    store.close();
    journal.close();
  }
}

/** Sets the damaged log aside, as far as it is not yet, and puts the new one in its place. Returns where the damaged one is. */
async function replaceLog(dataDir: string): Promise<string> {
  const finished = join(dataDir, repairedFolder);
  const note = join(finished, asideNote);
  // The same folder in every run, so that both parts of the damaged log are in one.
  if (!existsSync(note)) await writeFile(note, asideName(), { flush: true });
  const asideIn = join(dataDir, (await readFile(note, 'utf8')) || 'damaged');
  await mkdir(asideIn, { recursive: true });
  // Until it has moved, what is in its place is the damaged one.
  if (existsSync(join(finished, storeFolder))) {
    for (const folder of [journalFolder, storeFolder]) {
      const from = join(dataDir, folder);
      if (existsSync(from)) await rename(from, join(asideIn, folder));
      await forgetTables(from);
    }
    await rename(join(finished, storeFolder), join(dataDir, storeFolder));
  }
  await rm(finished, { recursive: true });
  return asideIn;
}

class Repair {
  readonly #store: Salvage;
  readonly #journal: Salvage;
  /** Of each block of which there is something, in order. */
  readonly #times: readonly number[];
  readonly #storeTimes: readonly number[];
  readonly #known: CoverageRow[] = [];
  /** The secret of the hashes in columns, and whether it is a new one, so that they have to be made again. */
  #hasher: DidHasher | undefined;
  readonly #rows: CoverageRow[] = [];
  #lostBlocks = 0;
  #events = 0;
  #blocks = 0;

  constructor(store: Salvage, journal: Salvage) {
    this.#store = store;
    this.#journal = journal;
    const times = new Set<number>();
    const stored = new Set<number>();
    for (const text of [...store.keys(), ...journal.keys()]) {
      const key = Buffer.from(text, 'latin1');
      const read = readBlockKey(key);
      // What is stored of a segment may be left when its last block has been deleted.
      if (read !== undefined && !segmentParts.includes(read.part as Part)) {
        times.add(read.lastTimeUs);
        if (store.get(key) !== undefined) stored.add(read.lastTimeUs);
      }
      const toUs = readCoverageKey(key);
      if (toUs !== undefined) this.#takeRow(toUs);
    }
    this.#storeTimes = [...stored].sort((one, other) => one - other);
    this.#times = [...times].sort((one, other) => one - other);
  }

  #takeRow(toUs: number): void {
    try {
      this.#known.push(readCoverage(toUs, this.#store.get(coverageKey(toUs)) ?? new Uint8Array()));
    } catch {
      // The ledger's own damage says nothing of events.
    }
  }

  async write(location: string): Promise<Omit<RepairResult, 'asideIn'>> {
    const db = await openDatabase(location, { writeBufferBytes });
    await db.put(descriptionKey, this.#description(), { sync: true });
    await db.batch(coverageWrites(this.#known), { sync: true });
    await db.close();
    const store = await BlockStore.open(location, noCompressor);
    try {
      await this.#writeBlocks(store);
    } finally {
      await store.close();
    }
    const end = this.#rowAtEnd(store.lastTimeUs);
    const again = await openDatabase(location, { writeBufferBytes });
    // Durable, before the damaged log is set aside.
    await again.batch(coverageWrites(end), { sync: true });
    await again.close();
    return { blocks: this.#blocks, events: this.#events, lostBlocks: this.#lostBlocks, rows: this.#rows };
  }

  async #writeBlocks(store: BlockStore): Promise<void> {
    let endUs = 0;
    let lost = 0;
    for (const timeUs of this.#times) {
      const found = this.#blockAt(timeUs);
      if (found?.isJournalled && this.#isStored(found.block)) continue;
      if (found === undefined || found.block.index.firstTimeUs <= endUs) {
        if (found === undefined) lost++;
        continue;
      }
      const { block, previousUs } = found;
      // Retention has taken what was before the first block, unless something of it is left.
      const isGap = endUs === 0 ? lost > 0 : previousUs > endUs;
      const rows = isGap ? [this.#damage(endUs, Math.max(previousUs, endUs + 1), lost)] : [];
      await store.append({ ...block, coverage: [...rows, ...(block.coverage ?? [])] }, false);
      endUs = block.index.lastTimeUs;
      this.#lostBlocks += lost;
      lost = 0;
      this.#blocks++;
      this.#events += block.index.count;
    }
    this.#lostBlocks += lost;
  }

  /** The row behind the last block, if something is lost there. */
  #rowAtEnd(endUs: number): CoverageRow[] {
    const keys = [...this.#store.lastKeys, ...this.#journal.lastKeys];
    const times = keys.map((key) => readBlockKey(key)?.lastTimeUs ?? 0);
    const lastUs = Math.max(this.#times.at(-1) ?? 0, ...times);
    return lastUs > endUs ? [this.#damage(endUs, lastUs + 1, 1)] : [];
  }

  #damage(fromUs: number, toUs: number, count: number): CoverageRow {
    const row: CoverageRow = { reason: 'log_damaged', relay: '', fromUs, toUs, count: Math.max(1, count) };
    this.#rows.push(row);
    return row;
  }

  #description(): Uint8Array {
    const value = this.#store.get(descriptionKey);
    if (value !== undefined) {
      const { format } = JSON.parse(Buffer.from(value).toString());
      if (format > formatVersion)
        throw new CodedError(
          'LOG_NEWER_FORMAT',
          `the log has format ${format}, this version reads those up to ${formatVersion}: use the version that wrote it`,
        );
      return value;
    }
    const key = randomBytes(didHashKeyBytes);
    this.#hasher = new DidHasher(key);
    return Buffer.from(JSON.stringify({ format: formatVersion, didHashKey: key.toString('hex') }));
  }

  /** The block that ends at `timeUs`, of the store or the journal; undefined when neither has all of it. */
  #blockAt(timeUs: number): WholeBlock | undefined {
    for (const read of [readStored, readJournalled]) {
      try {
        const found = read(read === readStored ? this.#store : this.#journal, timeUs);
        if (found !== undefined) return { ...found, block: this.#rehashed(found.block) };
      } catch {
        // Counted as lost when the other has not got it either.
      }
    }
    return undefined;
  }

  /** Whether the block that a journal's has been compacted into is whole. */
  #isStored({ index }: Block): boolean {
    const next =
      this.#storeTimes[firstAfter(this.#storeTimes, this.#storeTimes.length, index.lastTimeUs - 1)];
    if (next === undefined) return false;
    try {
      return (readStored(this.#store, next)?.block.index.firstTimeUs ?? Infinity) <= index.firstTimeUs;
    } catch {
      return false;
    }
  }

  #rehashed(block: Block): Block {
    const hasher = this.#hasher;
    if (hasher === undefined) return block;
    const { index, json } = block;
    const didHash = new Uint32Array(index.count * 2);
    for (let event = 0; event < index.count; event++) {
      const start = event === 0 ? 0 : index.jsonEnd[event - 1];
      const text = Buffer.from(json.subarray(start + headerBytesOf(json[start + 1]), index.jsonEnd[event]));
      const did = Buffer.from(String(JSON.parse(text.toString()).did));
      hasher.hash(did, 0, did.length);
      didHash[event * 2] = hasher.low;
      didHash[event * 2 + 1] = hasher.high;
    }
    // Subjects are hashed with the same secret, those of deletions of what is not in the event: as blocks of format 1, without.
    return { ...block, index: { ...index, didHash, subjects: undefined } };
  }
}

/** Bytes of a WebSocket header without a mask, by its second byte. */
function headerBytesOf(length: number): number {
  if (length < 126) return 2;
  return length === 126 ? 4 : 10;
}

function readStored(store: Salvage, timeUs: number): WholeBlock | undefined {
  const [headValue, json, zstd, subjects] = [parts.head, parts.json, parts.zstd, parts.subjects].map((part) =>
    store.get(blockKey(timeUs, part)),
  );
  if (headValue === undefined) return undefined;
  const head = readHead(headValue);
  const { index, dictionaryId, positions, previousUs } = head;
  const block = {
    index: { ...index, subjects: readSubjectsOf(head, subjects) },
    json: zstdDecompressSync(checkPayload(head, parts.json, json)),
    zstd: checkPayload(head, parts.zstd, zstd),
    dictionaryId,
    positions,
  };
  return { block, previousUs, isJournalled: false };
}

function readJournalled(journal: Salvage, timeUs: number): WholeBlock | undefined {
  const value = journal.get(blockKey(timeUs, parts.head));
  if (value === undefined) return undefined;
  const { head, json, zstd } = unpackBlock(packedOf(value));
  const { index, dictionaryId, positions, previousUs, coverage } = head;
  const block = { index, json, zstd, dictionaryId, positions, coverage };
  return { block, previousUs, isJournalled: true };
}
