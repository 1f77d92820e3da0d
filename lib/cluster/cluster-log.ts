// The log as the writer of a cluster sees it: a block goes into the stream first, and once it has its place there, into the
// log of this node. So what subscribers get anywhere has its place everywhere. Reads are the local log's own.

import { CodedError } from '../errors.ts';
import type { CoverageReason } from '../event/coverage.ts';
import { type Block, blockBytesOf, type UpstreamPositions } from '../log/block.ts';
import type { Coverage } from '../log/coverage-ledger.ts';
import type {
  DeletionTotals,
  EventLog,
  LogStats,
  ReadResult,
  SliceEncoding,
  TrimResult,
} from '../log/event-log.ts';
import type { ReadFilter } from '../log/segment-index.ts';
import { placeBlock, relayPositions, sequenceIn, writeMessage } from './block-message.ts';
import { fenced, forked, unavailable } from './cluster-errors.ts';
import type { StoreEnd, StreamWriter } from './stream-writer.ts';

/** How long an append waits for the engine before it says that it is away; it goes on trying all the same. */
const patienceMs = 2_000;

/** What a cluster log is made of. */
export interface ClusterLogOptions {
  readonly log: EventLog;
  readonly writer: StreamWriter;
  readonly streamId: string;
  /** Of this turn as the writer: unlike that of any other, of this node or another. */
  readonly termId: string;
  /** Sequence of the newest message, which the local log has, unless it is empty. */
  readonly sequence: number;
  readonly messageBytesMax: number;
  /** A block was too large for a message: so many events are left out. */
  readonly tooLarge: (events: number) => void;
  /** Appends that took long enough to be told of, in milliseconds. For tests. */
  readonly patienceMs?: number;
}

/** A block on its way. */
interface Pending {
  readonly placed: Block;
  readonly end: Promise<StoreEnd>;
  isOver: boolean;
}

/** See the file comment. One for each turn as the writer. */
export class ClusterLog implements EventLog {
  readonly #options: ClusterLogOptions;
  readonly #log: EventLog;
  #pending: Pending | undefined;

  constructor(options: ClusterLogOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Of the newest message that is in the local log. */
  get sequence(): number {
    return sequenceIn(this.#log.positions, this.#options.streamId) ?? this.#options.sequence;
  }

  get positions(): UpstreamPositions {
    return relayPositions(this.#log.positions);
  }

  /** As `EventLog.resolve`. A block that is too large for a message becomes one without events, and a row that says so. */
  resolve(block: Block): Block | Promise<Block> {
    const resolved = this.#log.resolve(block);
    return resolved instanceof Promise ? resolved.then((one) => this.#fitting(one)) : this.#fitting(resolved);
  }

  #fitting(block: Block): Block {
    const { messageBytesMax, tooLarge } = this.#options;
    // Neither columns nor zstd can make it larger than that.
    if (blockBytesOf(block) + block.index.count * 256 < messageBytesMax / 2) return block;
    const { lastTimeUs } = this.#log;
    if (writeMessage(block, lastTimeUs, messageBytesMax) !== undefined) return block;
    tooLarge(block.index.count);
    return withoutEvents(block, lastTimeUs);
  }

  /**
   * As `EventLog.append`.
   * @throws CodedError as the local log, and `CLUSTER_ENGINE_UNAVAILABLE`, which can be retried after {@link recover}: it is the
   * same block that goes on; `CLUSTER_FENCED`, `CLUSTER_STREAM_FORKED`.
   */
  async append(block: Block): Promise<void> {
    const pending = this.#pendingOf(block);
    const ended = await endWithin(pending.end, this.#options.patienceMs ?? patienceMs);
    if (ended === undefined) throw unavailable('the stream takes no block');
    pending.isOver = true;
    const { sequence } = this;
    if (ended === 'fenced') throw fenced(sequence + 1);
    if (ended === 'lost') throw forked(`the stream ends before message ${sequence}`);
    if (ended === 'closed') throw new CodedError('LOG_CLOSED', 'the log is closed');
    // When this fails and is tried again, the stream has the block already.
    await this.#log.append(pending.placed);
    this.#pending = undefined;
  }

  #pendingOf(block: Block): Pending {
    const before = this.#pending;
    if (before?.placed.index.lastTimeUs === block.index.lastTimeUs) return before;
    const { streamId, termId, writer, messageBytesMax } = this.#options;
    const sequence = this.sequence + 1;
    const placed = placeBlock(block, streamId, sequence);
    const bytes = writeMessage(placed, this.#log.lastTimeUs, messageBytesMax);
    if (bytes === undefined)
      throw new CodedError(
        'LOG_ORDER',
        'a block that was not resolved is too large: a bug, please report it',
      );
    const id = `${termId}.${block.index.lastTimeUs}`;
    const end = writer.store({ id, bytes }, sequence);
    this.#pending = { placed, end, isOver: false };
    return this.#pending;
  }

  async recover(): Promise<void> {
    if (this.#pending?.isOver === false) await this.#pending.end;
    else await this.#log.recover();
  }

  get didHashKey(): Uint8Array {
    return this.#log.didHashKey;
  }

  get lastTimeUs(): number {
    return this.#log.lastTimeUs;
  }

  get oldestUs(): number {
    return this.#log.oldestUs;
  }

  get coverage(): Coverage {
    return this.#log.coverage;
  }

  get clockUs(): number {
    return this.#log.clockUs;
  }

  get coverageTotals(): ReadonlyMap<CoverageReason, number> {
    return this.#log.coverageTotals;
  }

  get tableDamages(): number {
    return this.#log.tableDamages;
  }

  get deletions(): Readonly<DeletionTotals> {
    return this.#log.deletions;
  }

  get databaseBytes(): number {
    return this.#log.databaseBytes;
  }

  recentAfter(timeUs: number): Block | undefined {
    return this.#log.recentAfter(timeUs);
  }

  read(timeUs: number, encoding: SliceEncoding, bytesMax: number, filter?: ReadFilter): Promise<ReadResult> {
    return this.#log.read(timeUs, encoding, bytesMax, filter);
  }

  trim(olderThanUs: number): Promise<TrimResult> {
    return this.#log.trim(olderThanUs);
  }

  stats(): LogStats {
    return this.#log.stats();
  }

  /** Ends what waits for the engine. The local log is its owner's to close. */
  async close(): Promise<void> {
    this.#options.writer.close();
    await this.#pending?.end;
  }
}

/** What stands in the place of events that are too many bytes. @param fromUs end of the block before. */
function withoutEvents(block: Block, fromUs: number): Block {
  const { index } = block;
  const relay = [...relayPositions(block.positions).keys()].at(-1) ?? '';
  const { lastTimeUs } = index;
  const row = {
    reason: 'frame_dropped',
    relay,
    detail: 'too_large',
    fromUs,
    toUs: lastTimeUs,
    count: 1,
  } as const;
  const rows = (block.coverage ?? []).filter(({ toUs }) => toUs !== lastTimeUs);
  return {
    ...block,
    index: {
      ...{ count: 0, firstTimeUs: lastTimeUs, lastTimeUs, collections: [], stream: index.stream },
      timeUs: new Float64Array(0),
      jsonEnd: new Uint32Array(0),
      zstdEnd: new Uint32Array(0),
      didHash: new Uint32Array(0),
      collection: new Uint16Array(0),
      kindAndOperation: new Uint8Array(0),
    },
    json: new Uint8Array(0),
    zstd: new Uint8Array(0),
    coverage: [...rows, row],
  };
}

/** Undefined when it takes longer. */
async function endWithin(end: Promise<StoreEnd>, ms: number): Promise<StoreEnd | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  const ended = await Promise.race([end, late]);
  clearTimeout(timer);
  return ended;
}
