// The tables of both databases of a log, as its writer looks after them: those that changed are checked before LevelDB opens them, all
// of them in turns meanwhile, and a damaged one is mended between a closing and an opening, since LevelDB's own compactions
// would meet it else. Who reads is stopped by table-guard.ts; level-log.ts says when to open again.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkClosed, takeRedo } from '../level/database.ts';
import { writeFailure } from '../level/database-errors.ts';
import { readReadable, writeDurably } from '../level/file-bytes.ts';
import { type DatabaseDamage, tableName } from '../level/table-check.ts';
import { checkedMsMax, damageError, TableGuard } from '../level/table-guard.ts';
import { type LostKeys, mendTable } from '../level/table-mend.ts';
import {
  forgetLost,
  markOpening,
  readLost,
  readStamps,
  unmarkOpening,
  writeLost,
  writeStamps,
} from '../level/table-stamps.ts';
import type { WriteAhead } from '../level/write-ahead-log.ts';
import { blockKey, descriptionKey, parts } from './block-format.ts';
import { asideName, checkDataDir, journalFolder, refuseUnfinishedRepair, storeFolder } from './log-files.ts';
import { lossOf } from './write-ahead-loss.ts';

/** Every so often files are looked at, 4 µs each, and a table is checked: of so many bytes a second, a millisecond for each MiB. */
const roundMs = 1000;
const looksPerRound = 100;
const bytesPerSecond = 2 * 2 ** 20;
/** A check is renewed before readers would have to. */
const renewedMs = checkedMsMax / 2;
/** Rounds after which what is known is written down. */
const roundsPerWriting = 300;
/** Rounds after which an opening has not ended the process. */
const roundsProven = 10;
/** How often a start writes down what it has checked: it may be killed for taking long. */
const stampedMs = 3000;
/** A start that has more to check says so before: seconds, on a fast disk. */
const muchBytes = 2 ** 30;

/** Told of each damage once. */
export type DamageListener = (damage: DatabaseDamage) => void;

/** See the file comment. */
export class TableWatch {
  readonly store: TableGuard;
  readonly journal: TableGuard;
  /** What has been lost of the store by mending its tables, and is not in the coverage ledger yet. */
  lost: LostKeys[] = [];
  /** Damages since start. */
  damages = 0;
  readonly #dataDir: string;
  readonly #told: DamageListener;
  readonly #timer: NodeJS.Timeout;
  /** Of each guard, where its next round begins. */
  readonly #next = new Map<TableGuard, number>();
  #rounds = 0;
  /** By `performance.now()`: no table is checked before. */
  #restsUntilMs = 0;
  #round: Promise<void> | undefined;
  #isOpen = false;
  #wasOpen = false;

  private constructor(dataDir: string, guards: readonly TableGuard[], told: DamageListener) {
    this.#dataDir = dataDir;
    this.#told = told;
    [this.store, this.journal] = guards;
    this.#timer = setInterval(() => {
      // What cannot be looked at now is in the next round; whoever reads it is told why.
      if (this.#isOpen)
        this.#round ??= this.#goRound()
          .catch(() => undefined)
          .finally(() => (this.#round = undefined));
    }, roundMs);
    this.#timer.unref();
  }

  /**
   * Checks what is not known of the tables in `dataDir`, before they are opened, and mends what is damaged.
   * @param checking told of bytes to check when they are `muchBytesMin` or more.
   * @throws CodedError `LOG_CORRUPT`, `LOG_LOCKED`: what another process is writing looks damaged; `LOG_OPEN_FAILED`.
   */
  static async begin(
    dataDir: string,
    told: DamageListener = () => {},
    checking: (bytes: number) => void = () => {},
    muchBytesMin = muchBytes,
  ): Promise<TableWatch> {
    await checkDataDir(dataDir);
    refuseUnfinishedRepair(dataDir);
    const guards: TableGuard[] = [];
    for (const folder of [storeFolder, journalFolder]) {
      const location = join(dataDir, folder);
      const guard = new TableGuard(location, await readStamps(location), (damage) => {
        watch.damages++;
        told(damage);
      });
      guards.push(guard);
    }
    const watch = new TableWatch(dataDir, guards, told);
    try {
      for (const guard of guards) {
        const bytes = guard.unknownBytes;
        if (bytes >= muchBytesMin) checking(bytes);
      }
      await watch.#begin();
      return watch;
    } catch (error) {
      clearInterval(watch.#timer);
      for (const guard of guards) guard.closed();
      throw error;
    }
  }

  get #guards(): readonly TableGuard[] {
    return [this.store, this.journal];
  }

  /** Whether LevelDB must not go on with what it has open. */
  get isMendingDue(): boolean {
    return this.#isOpen && this.#guards.some(({ damages }) => damages.size > 0);
  }

  /** Another thread has found a table of the store damaged: it is looked at here, too. */
  distrust(number: number): void {
    this.store.distrust(number);
    try {
      for (const table of this.store.tables()) if (table.number === number) void this.store.check(table);
    } catch {
      // It is not known any more: a round comes to it.
    }
  }

  /** Whether not all of the journal can be read. */
  get isJournalDamaged(): boolean {
    const { damages, redo } = this.journal;
    return damages.size > 0 || (redo !== undefined && redo.damages.length > 0);
  }

  /** The databases are open, and the coverage ledger has what is lost. */
  async opened(): Promise<void> {
    if (this.lost.length > 0) await forgetLost(this.store.location);
    this.lost = [];
    for (const guard of this.#guards) guard.closed();
    this.#isOpen = true;
    this.#wasOpen = true;
  }

  /** They are closed, to be opened again: mends what is damaged of the store, and says what is lost. Of the journal memory has all. */
  async mend(): Promise<readonly LostKeys[]> {
    this.#isOpen = false;
    await this.#round;
    for (const guard of this.#guards) {
      guard.closed();
      await guard.checkUnknown();
      guard.prune();
      await guard.checkDamaged();
      await this.#takeLogs(guard);
    }
    await this.#mendAll(this.store);
    return this.lost;
  }

  /** The databases are closed for good, and LevelDB has ended nothing. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    this.#isOpen = false;
    await this.#round;
    for (const guard of this.#guards) {
      await writeStamps(guard.location, guard.stamps);
      guard.closed();
      await unmarkOpening(guard.location);
    }
  }

  async #begin(): Promise<void> {
    const marked: string[] = [];
    try {
      for (const guard of this.#guards) {
        const { location } = guard;
        if (!existsSync(location)) continue;
        await this.#checkAll(guard);
        await guard.checkDamaged();
        await writeStamps(location, guard.stamps);
        if (await markOpening(location)) marked.push(location);
      }
      this.lost = await readLost(this.store.location);
      for (const guard of this.#guards) await this.#takeLogs(guard);
      await this.#mendAll(this.store);
      // What is behind a gap in the journal is cut off, and comes again.
      await this.#mendAll(this.journal);
    } catch (error) {
      for (const location of marked) await unmarkOpening(location);
      throw error;
    }
  }

  async #checkAll(guard: TableGuard): Promise<void> {
    let writtenMs = performance.now();
    await checkClosed(guard, async () => {
      if (performance.now() - writtenMs < stampedMs) return;
      await writeStamps(guard.location, guard.stamps);
      writtenMs = performance.now();
    });
  }

  /** What LevelDB's logs hold is ours to write again; a damaged one is kept. Behind a gap in the journal all is cut off, and comes again. */
  async #takeLogs(guard: TableGuard): Promise<void> {
    guard.redo = await takeRedo(guard.location, async (writeAhead) => {
      const { damages } = writeAhead;
      const { lost, lostEnd } = lossOf(writeAhead);
      if (damages.length === 0 && lostEnd === undefined) return;
      try {
        if (damages.length > 0) await this.#keepLogs(guard, writeAhead);
        if (guard === this.store) this.lost.push(...lost);
        // A log that this process has had open is in memory, as far as it is not in the store.
        if (lostEnd !== undefined && !this.#wasOpen) {
          const key = blockKey(lostEnd.timeUs, parts.head);
          const database = guard === this.store ? 'store' : 'journal';
          this.lost.push({ fromKey: key, toKey: key, endOf: lostEnd.isDamage ? database : 'all' });
        }
        await writeLost(this.store.location, this.lost);
      } catch (cause) {
        throw writeFailure(`cannot keep the damaged logs of ${guard.location}`, cause);
      }
    });
    for (const damage of guard.redo?.damages ?? []) {
      this.damages++;
      this.#told(damage);
    }
  }

  async #keepLogs({ location }: TableGuard, { damages }: WriteAhead): Promise<void> {
    const aside = join(this.#aside(), basename(location));
    await mkdir(aside, { recursive: true });
    for (const path of new Set(damages.map((damage) => damage.path)))
      await copyFile(path, join(aside, basename(path)));
  }

  async #mendAll(guard: TableGuard): Promise<void> {
    const aside = this.#aside();
    for (const table of guard.tables()) {
      const damage = guard.damages.get(table.number);
      if (damage === undefined) continue;
      const mended = mendTable(await readReadable(damage.path, table.bytes), table);
      // The log's description is known only to who had it open. And a disk that does it again is not to be written to for ever.
      const isDescription = !mended.hasFirst && Buffer.compare(table.fromKey, descriptionKey) === 0;
      if (guard.isMended(table) || (isDescription && !this.#wasOpen)) throw damageError(damage);
      try {
        if (guard === this.store) {
          this.lost.push(...mended.lost);
          await writeLost(guard.location, this.lost);
        }
        await replaceFile(damage.path, mended.bytes, join(aside, basename(guard.location)));
        guard.mended(table.number);
      } catch (cause) {
        throw writeFailure(`cannot mend ${join(guard.location, tableName(table.number))}`, cause);
      }
    }
  }

  #aside(): string {
    return join(this.#dataDir, asideName());
  }

  /** The store has all that the journal had, and the journal is damaged and closed. */
  async setJournalAside(): Promise<void> {
    const aside = this.#aside();
    try {
      await mkdir(aside, { recursive: true });
      await rename(this.journal.location, join(aside, journalFolder));
    } catch (cause) {
      throw writeFailure(`cannot set ${this.journal.location} aside`, cause);
    }
    this.journal.closed();
    this.journal.prune();
    this.journal.redo = undefined;
  }

  async #goRound(): Promise<void> {
    this.#rounds++;
    for (const guard of this.#guards) {
      const tables = guard.tables();
      const first = this.#next.get(guard) ?? 0;
      const end = first + Math.min(looksPerRound, tables.length);
      this.#next.set(guard, end);
      for (let at = first; at < end; at++) {
        const table = tables[at % tables.length];
        if (guard.isKnown(table, renewedMs) || performance.now() < this.#restsUntilMs) continue;
        await guard.check(table);
        this.#restsUntilMs = performance.now() + (table.bytes / bytesPerSecond) * 1000;
      }
      if (this.#rounds === roundsProven) await unmarkOpening(guard.location);
      if (this.#rounds % roundsPerWriting === 0) await writeStamps(guard.location, guard.stamps);
    }
  }
}

/** Keeps a damaged file in the folder `aside`, and puts what is left of it in its place. */
async function replaceFile(path: string, mended: Buffer, aside: string): Promise<void> {
  await mkdir(aside, { recursive: true });
  await copyFile(path, join(aside, basename(path))).catch(async () =>
    writeDurably(join(aside, basename(path)), await readReadable(path, mended.length)),
  );
  const unfinished = `${path}.mended`;
  try {
    await writeDurably(unfinished, mended);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}
