// The log as the writer of a cluster sees it: a block goes into the stream first, and once it has its place there, into the
// log of this node. So what subscribers get anywhere has its place everywhere. Reads are the local log's own.

import { CodedError } from '../errors.ts';
import type { CoverageReason } from '../event/coverage.ts';
import { type Block, blockBytesOf, type UpstreamPositions } from '../log/block.ts';
import { isFull } from '../log/block-builder.ts';
import type { Coverage } from '../log/coverage-ledger.ts';
import type {
  DeletionTotals,
  EventLog,
  LogStats,
  ReadResult,
  SliceEncoding,
  TrimResult,
  WaitingBlock,
} from '../log/event-log.ts';
import type { ReadFilter } from '../log/segment-index.ts';
import { compressJson } from '../log/stored-json.ts';
import {
  type PackedBlock,
  placeBlock,
  placeBlocks,
  relayPositions,
  sequenceIn,
  writeMessage,
} from './block-message.ts';
import { fenced, forked, unavailable } from './cluster-errors.ts';
import type { StoreEnd, StreamWriter } from './stream-writer.ts';

/** How long an append waits for the engine before it says that it is away; it goes on trying all the same. */
const patienceMs = 2_000;
/** Blocks of one message, and their bytes before the JSON is compressed. Large messages keep the servers from others for long. */
const blocksMax = 16;
const gatheredBytesMax = 2 * 1024 * 1024;

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

/** A message on its way into the stream, or in it while its blocks go into the local log. */
interface Message {
  readonly sequence: number;
  /** In order, as they are stored everywhere. */
  readonly packed: readonly PackedBlock[];
  readonly end: Promise<StoreEnd>;
  isOver: boolean;
}

/**
 * See the file comment. One for each turn as the writer. Blocks that wait go into one message, as many as are there; and while those of a
 * message go into the local log, the next message is on its way. There is never more than one that the stream has not
 * answered for: behind a message that is refused the next one could be stored, after another writer's.
 */
export class ClusterLog implements EventLog {
  readonly #options: ClusterLogOptions;
  readonly #log: EventLog;
  #waiting: readonly WaitingBlock[] = [];
  /** The message that has the block which is stored at the moment, and the one after it. */
  #message: Message | undefined;
  #next: Promise<Message> | undefined;

  constructor(options: ClusterLogOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Of the newest message whose blocks are all in the local log. */
  get sequence(): number {
    return sequenceIn(this.#log.positions, this.#options.streamId) ?? this.#options.sequence;
  }

  get positions(): UpstreamPositions {
    return relayPositions(this.#log.positions);
  }

  /** What waits behind the block that is resolved or appended, oldest first, as it is at any time. */
  lookAhead(waiting: readonly WaitingBlock[]): void {
    this.#waiting = waiting;
  }

  /**
   * As `EventLog.resolve`, and puts it into a message, with those that wait. A block that is too large for a message becomes one
   * without events, and a row that says so.
   */
  async resolve(block: Block): Promise<Block> {
    const { lastTimeUs } = block.index;
    const has = ({ packed }: Message): boolean =>
      (packed.at(-1) as PackedBlock).block.index.lastTimeUs >= lastTimeUs;
    if (this.#message === undefined || !has(this.#message)) {
      const next = this.#next ?? this.#begin([{ block, whole: () => block }, ...this.#waiting]);
      this.#next = undefined;
      this.#message = await next;
    }
    return this.#placed(block).block;
  }

  /**
   * As `EventLog.append`, of a block that was resolved here.
   * @throws CodedError as the local log, and `CLUSTER_ENGINE_UNAVAILABLE`, which can be retried after {@link recover}: it is the
   * same message that goes on; `CLUSTER_FENCED`, `CLUSTER_STREAM_FORKED`.
   */
  async append(block: Block): Promise<void> {
    const { block: placed, storedJson } = this.#placed(block);
    const message = this.#message as Message;
    const ended = await endWithin(message.end, this.#options.patienceMs ?? patienceMs);
    if (ended === undefined) throw unavailable('the stream takes no block');
    message.isOver = true;
    if (ended === 'fenced') throw fenced(message.sequence);
    if (ended === 'lost') throw forked(`the stream ends before message ${message.sequence - 1}`);
    if (ended === 'closed') throw new CodedError('LOG_CLOSED', 'the log is closed');
    this.#beginNext(message);
    // When this fails and is tried again, the stream has the block already.
    await this.#log.append(isFull(placed) ? { ...placed, storedJson } : placed);
  }

  #placed(block: Block): PackedBlock {
    const { lastTimeUs } = block.index;
    const found = this.#message?.packed.find((one) => one.block.index.lastTimeUs === lastTimeUs);
    if (found !== undefined) return found;
    throw new CodedError('LOG_ORDER', 'a block that was not resolved: a bug, please report it');
  }

  /** What waits behind a message that the stream has. */
  #beginNext({ packed }: Message): void {
    const endUs = (packed.at(-1) as PackedBlock).block.index.lastTimeUs;
    const waiting = this.#waiting.filter(({ block }) => block.index.lastTimeUs > endUs);
    if (this.#next !== undefined || waiting.length === 0) return;
    this.#next = this.#begin(waiting);
    // It is told to whoever waits for it.
    this.#next.catch(() => {});
  }

  /** Sends a message of the first of these blocks, as many as it holds: what it goes on after is in the stream. */
  async #begin(waiting: readonly WaitingBlock[]): Promise<Message> {
    const { streamId, termId, writer, messageBytesMax } = this.#options;
    const before = this.#message;
    const sequence = (before?.sequence ?? this.sequence) + 1;
    const previousUs = before?.packed.at(-1)?.block.index.lastTimeUs ?? this.#log.lastTimeUs;
    const packed = await this.#pack(waiting, before?.packed.map(({ block }) => block) ?? [], previousUs);
    const placed = placeBlocks(
      packed.map(({ block }) => block),
      streamId,
      sequence,
    ).map((block, at) => ({ block, storedJson: packed[at].storedJson }));
    const bytes = writeMessage(placed, previousUs, messageBytesMax) as Buffer;
    const id = `${termId}.${placed[0].block.index.lastTimeUs}`;
    return { sequence, packed: placed, end: writer.store({ id, bytes }, sequence), isOver: false };
  }

  /** The first of those that wait, resolved. @param before blocks that may not be in the local log yet. @param previousUs where those end. */
  async #pack(
    waiting: readonly WaitingBlock[],
    before: readonly Block[],
    previousUs: number,
  ): Promise<PackedBlock[]> {
    const bytesMax = Math.min(gatheredBytesMax, this.#options.messageBytesMax / 4);
    const packed: PackedBlock[] = [];
    let bytes = 0;
    for (const next of waiting.slice(0, blocksMax)) {
      bytes += largestBytesOf(next.block);
      if (packed.length > 0 && bytes > bytesMax) break;
      const resolved = await this.#log.resolve(await next.whole(), [
        ...before,
        ...packed.map(({ block }) => block),
      ]);
      packed.push(await this.#fitting(resolved, packed.at(-1)?.block.index.lastTimeUs ?? previousUs));
    }
    return packed;
  }

  async #fitting(block: Block, previousUs: number): Promise<PackedBlock> {
    const { messageBytesMax, tooLarge, streamId } = this.#options;
    const storedJson = await compressJson(block.json);
    if (largestBytesOf(block) < messageBytesMax / 2) return { block, storedJson };
    const placed = placeBlock(block, streamId, Number.MAX_SAFE_INTEGER);
    if (writeMessage([{ block: placed, storedJson }], 0, messageBytesMax) !== undefined)
      return { block, storedJson };
    tooLarge(block.index.count);
    const empty = withoutEvents(block, previousUs);
    return { block: empty, storedJson: await compressJson(empty.json) };
  }

  async recover(): Promise<void> {
    if (this.#message?.isOver === false) await this.#message.end;
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
    await this.#message?.end;
    await (await this.#next?.catch(() => undefined))?.end;
  }
}

/** What a block takes of a message at most: columns and subjects of an event have some 60 bytes. */
function largestBytesOf(block: Block): number {
  return blockBytesOf(block) + block.index.count * 256;
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
