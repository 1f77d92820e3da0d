// The embedded event log. Full blocks go to the block store. Small ones, the usual case at the network's rate, go to the
// journal, or of a copy in memory alone; when enough have gathered they are compacted into one, which moves to the store in the
// background. Callers do not see which.

import { CodedError } from '../errors.ts';
import type { CoverageReason } from '../event/coverage.ts';
import { hasSpace, waitForSpace } from '../level/database.ts';
import { passDamage } from '../level/database-errors.ts';
import { type Block, type UpstreamPositions, withoutStoredJson } from './block.ts';
import { isFull } from './block-builder.ts';
import type { BlockStore } from './block-store.ts';
import { compactBlocks, isCompactionDue, oldestForOne, storeSyncMs } from './compaction.ts';
import { type Coverage, CoverageIntake } from './coverage-ledger.ts';
import type {
  DeletionTotals,
  EventLog,
  LogStats,
  ReadResult,
  SliceEncoding,
  TrimResult,
} from './event-log.ts';
import type { Journal } from './journal.ts';
import { type LogLimits, limitsOf } from './log-limits.ts';
import type { ReplicaStart } from './log-replica.ts';
import { LogView } from './log-view.ts';
import { ManifestWatch } from './manifest.ts';
import { type LevelLogOptions, type Opened, openParts, positionsOf } from './opened-log.ts';
import { RecordFinder } from './record-finder.ts';
import type { ReadFilter } from './segment-index.ts';
import { TableWatch } from './table-watch.ts';

/** An {@link EventLog} in LevelDB. Create it with {@link LevelLog.open}. */
export class LevelLog implements EventLog {
  /**
   * Blocks deleted at opening because one before them was missing: a power failure without `fsync` took it. Their
   * events come again from the relay, since the upstream positions are those of the last block that is left.
   */
  readonly lostBlocks: number;
  /** LevelDB's tables, as far as they are known. */
  readonly tables: TableWatch;
  readonly #options: LevelLogOptions;
  readonly #limits: LogLimits;
  readonly #manifests: ManifestWatch;
  readonly #view: LogView;
  readonly #finder: RecordFinder;
  readonly #coverageIntake = new CoverageIntake();
  #journal: Journal;
  #store: BlockStore;
  #positions: UpstreamPositions;
  #compaction: Promise<void> | undefined;
  #syncedAtMs = 0;
  /** A write failed in the background: nothing may be written until {@link recover} has reopened the databases. */
  #broken: unknown;
  #recovering: Promise<void> | undefined;
  #trimming: Promise<TrimResult> | undefined;
  #isReopenDue = false;
  #isClosed = false;

  private constructor(options: LevelLogOptions, watch: TableWatch, opened: Opened) {
    const { journal, store, uncompacted, lostBlocks } = opened;
    this.lostBlocks = lostBlocks;
    this.tables = watch;
    this.#options = options;
    this.#limits = limitsOf(options.retentionBytes);
    this.#manifests = new ManifestWatch(options.dataDir, options.manifestBytesMax);
    this.#journal = journal;
    this.#store = store;
    const { didHashKey, stored } = store;
    this.#view = new LogView(didHashKey, options.tailBytesMax, stored, uncompacted, opened.coverage);
    if (lostBlocks > 0) this.#coverageIntake.count('log_cut');
    const damaged = opened.coverage.rows.filter(({ reason }) => reason === 'log_damaged');
    this.#coverageIntake.count('log_damaged', damaged.length);
    this.#finder = new RecordFinder(this.#view);
    this.#positions = positionsOf(opened) ?? new Map();
  }

  /**
   * Opens or creates the log.
   * @throws CodedError `LOG_LOCKED`, `LOG_NEWER_FORMAT`, `LOG_CORRUPT` or `LOG_OPEN_FAILED`.
   */
  static async open(options: LevelLogOptions): Promise<LevelLog> {
    const watch = await TableWatch.begin(options.dataDir, options.onDamage, options.onLongCheck);
    try {
      return new LevelLog(options, watch, await openParts(options, watch));
    } catch (error) {
      await watch.end();
      throw error;
    }
  }

  get didHashKey(): Uint8Array {
    return this.#view.didHashKey;
  }

  get lastTimeUs(): number {
    return this.#view.lastTimeUs;
  }

  /** What a replica starts from. It is right until the next append or trim. */
  get replicaStart(): ReplicaStart {
    const { uncompacted, coverage } = this.#view;
    return {
      didHashKey: this.didHashKey,
      trimmedToUs: this.#store.stored.trimmedToUs,
      uncompacted,
      coverage: { rows: coverage.newest(Number.POSITIVE_INFINITY), droppedUs: coverage.droppedUs },
      tables: this.tables.store.stamps,
    };
  }

  get positions(): UpstreamPositions {
    return this.#positions;
  }

  get oldestUs(): number {
    return this.#view.oldestUs;
  }

  get coverage(): Coverage {
    return this.#view.coverage;
  }

  get clockUs(): number {
    return Math.max(this.lastTimeUs, this.coverage.lastUs);
  }

  get coverageTotals(): ReadonlyMap<CoverageReason, number> {
    return this.#coverageIntake.totals;
  }

  get tableDamages(): number {
    return this.tables.damages;
  }

  get deletions(): Readonly<DeletionTotals> {
    return this.#finder.totals;
  }

  resolve(block: Block, before?: readonly Block[]): Block | Promise<Block> {
    const { coverage } = block;
    if (coverage === undefined) return this.#finder.resolve(block, before);
    return this.#finder.resolve({ ...block, coverage: this.#coverageIntake.admit(coverage) }, before);
  }

  async append(block: Block): Promise<void> {
    const { firstTimeUs, lastTimeUs } = block.index;
    const previousUs = this.lastTimeUs;
    if (firstTimeUs <= previousUs) {
      throw new CodedError(
        'LOG_ORDER',
        `block ${firstTimeUs} to ${lastTimeUs} does not come after ${previousUs}: a bug, please report it`,
      );
    }
    const { uncompactedBytesMax, trimmedAboveBytes, storedBytesMax } = this.#limits;
    if (this.#view.uncompactedBytes > uncompactedBytesMax) await this.#compaction;
    if (this.#store.spaceBytes > storedBytesMax) await this.#trimming;
    if (this.#isClosed) throw new CodedError('LOG_CLOSED', 'the log is closed');
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#isReopenDue || this.tables.isMendingDue) await this.#startAgain(() => this.#renew());
    if (isFull(block)) {
      await this.#compactAll();
      await this.#store.append(block, this.#options.fsync);
      this.#view.stored(withoutStoredJson(block), 0);
    } else {
      await this.#journal.append(block, previousUs, this.#options.fsync);
      this.#view.journalled(withoutStoredJson(block));
    }
    this.#positions = block.positions;
    if (this.#store.spaceBytes > trimmedAboveBytes && this.#trimming === undefined) void this.#trimByBytes();
    if (isCompactionDue(this.#view)) this.#compaction ??= this.#compact(() => isCompactionDue(this.#view));
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#view.recentAfter(timeUs);
  }

  recover(): Promise<void> {
    return this.#startAgain(() => this.#recover());
  }

  #startAgain(how: () => Promise<void>): Promise<void> {
    this.#recovering ??= how().finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /** Runs `work` while nothing changes. Not to be called while an append is under way, or begins. */
  whileStill(work: () => Promise<void>): Promise<void> {
    return this.#startAgain(() => this.#still().then(work));
  }

  read(timeUs: number, encoding: SliceEncoding, bytesMax: number, filter?: ReadFilter): Promise<ReadResult> {
    return this.#view.read(timeUs, encoding, bytesMax, filter);
  }

  trim(olderThanUs: number): Promise<TrimResult> {
    const before = this.#trimming?.catch(() => undefined);
    const trimming = (async () => {
      await before;
      return this.#trim(olderThanUs);
    })().finally(() => {
      if (this.#trimming === trimming) this.#trimming = undefined;
    });
    this.#trimming = trimming;
    return trimming;
  }

  /** More is stored than may be. Never rejects. */
  async #trimByBytes(): Promise<void> {
    try {
      await this.trim(0);
    } catch (error) {
      this.#broken ??= error;
    }
  }

  async #trim(olderThanUs: number): Promise<TrimResult> {
    // Not waited for: it waits for trims.
    if (this.#recovering !== undefined || this.#broken !== undefined || this.#isClosed)
      return { blocks: 0, events: 0, bytes: 0 };
    try {
      const { follower } = this.#options;
      const trimmed = await this.#store.trim(olderThanUs, this.#limits.keptBytesMax, (throughUs) => {
        this.#view.trimming(throughUs);
        follower?.trimming(throughUs);
      });
      this.#isReopenDue = await this.#manifests.isOpeningDue();
      return trimmed;
    } catch (error) {
      if (error instanceof CodedError && error.retryable) this.#broken = error;
      // What is damaged is mended by the next append, and trims go on after it.
      if (this.tables.isMendingDue) return { blocks: 0, events: 0, bytes: 0 };
      throw error;
    }
  }

  get databaseBytes(): number {
    return this.#store.stored.databaseBytes + this.#journal.databaseBytes;
  }

  stats(): LogStats {
    const { bytes, events } = this.#store.size;
    const { lastTimeUs, uncompacted, uncompactedBytes, uncompactedEvents, memoryBytes } = this.#view;
    return {
      firstTimeUs: this.#store.firstTimeUs || (uncompacted[0]?.index.firstTimeUs ?? 0),
      lastTimeUs,
      storedBytes: bytes + uncompactedBytes,
      storedEvents: events + uncompactedEvents,
      memoryBytes,
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#recovering;
    await this.#compaction;
    // Whoever appends has it again.
    if (this.#journal.isIdle) await this.#compactAll().catch(() => {});
    await this.#journal.close();
    await this.#store.close();
    await this.tables.end();
    // Of a write in the background nobody may have been told.
    if (this.#broken instanceof CodedError && !this.#broken.retryable) throw this.#broken;
  }

  async #recover(): Promise<void> {
    await this.#compaction;
    await waitForSpace(this.#options.dataDir, () => this.#isClosed);
    if (this.#isClosed) return;
    await this.#reopen();
  }

  /** Opens the databases again because of what LevelDB has noted of its tables, if there is room for it. */
  async #renew(): Promise<void> {
    this.#isReopenDue = false;
    // What the journal has goes to the store, as far as that can be: what it follows may be lost. Without damage it is written to
    // tables, or the opening would do it while readers wait.
    if (this.tables.isMendingDue) await this.#compactAll();
    else if (await hasSpace(this.#options.dataDir)) await this.flush();
    else return;
    await this.#reopen();
  }

  /** Has LevelDB write what it holds in memory to tables. Changes nothing for readers. */
  async flush(): Promise<void> {
    await Promise.all([this.#store.flush(), this.#journal.flush()]);
  }

  /**
   * Closes the databases and opens them again. Appends and reads wait meanwhile: some tens of milliseconds and, for every
   * GiB that is stored, 10 more.
   */
  async #reopen(): Promise<void> {
    await this.#still();
    this.#view.suspend();
    await this.#options.follower?.suspend();
    await this.#journal.close();
    await this.#store.close();
    const lost = await this.tables.mend();
    const { didHashKey, lastTimeUs } = this;
    const memory = { storedUs: this.#store.lastTimeUs, lastTimeUs, uncompacted: this.#view.uncompacted };
    const opened = await openParts(this.#options, this.tables, { didHashKey, lost, memory });
    this.#coverageIntake.count('log_damaged', lost.length);
    this.#journal = opened.journal;
    this.#store = opened.store;
    this.#view.reset(opened.store.stored, opened.uncompacted, opened.coverage);
    this.#positions = positionsOf(opened) ?? this.#positions;
    this.#broken = undefined;
    this.#manifests.opened();
    await this.#options.follower?.resume();
  }

  async #still(): Promise<void> {
    await this.#compaction;
    await this.#trimming?.catch(() => undefined);
  }

  async #compactAll(): Promise<void> {
    await this.#compaction;
    if (this.#view.uncompacted.length === 0) return;
    this.#compaction = this.#compact(() => this.#view.uncompacted.length > 0);
    await this.#compaction;
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Moves blocks from the journal to the store while there is reason to. Never rejects. */
  async #compact(hasReason: () => boolean): Promise<void> {
    try {
      while (hasReason()) {
        const small = oldestForOne(this.#view.uncompacted);
        const compacted = small.length === 1 ? small[0] : compactBlocks(small, this.#view.memoryFor);
        const isOld = performance.now() - this.#syncedAtMs >= storeSyncMs;
        const sync = this.#options.fsync || isOld || this.#journal.isLarge;
        await this.#store.append(compacted, sync);
        this.#view.stored(compacted, small.length);
        this.#options.follower?.compacted(compacted, small.length);
        // Entries that the disk may have must not go before what replaces them is there for certain.
        if (!sync) continue;
        this.#syncedAtMs = performance.now();
        // A journal that cannot be read is set aside before the next append.
        if (this.tables.journal.damages.size === 0)
          await this.#journal.removeTo(compacted.index.lastTimeUs).catch(passDamage);
      }
    } catch (error) {
      this.#broken = error;
    }
    this.#compaction = undefined;
  }
}
