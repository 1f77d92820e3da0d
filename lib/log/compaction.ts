// Makes one block of several consecutive ones. At the network's rate a block holds the events of a few milliseconds;
// reading them back is quick only when they lie together. Pure: level-log.ts decides when and stores the result.

import { notAsked } from '../event/verdict.ts';
import { type Block, type BlockIndex, noCollection } from './block.ts';
import { blockEventsMax, blockJsonBytesMax } from './block-builder.ts';
import { joinInto } from './block-cut.ts';
import { joinCoverage } from './coverage-ledger.ts';
import { joinSubjects } from './subject-columns.ts';

/** Journalled blocks that are compacted at the latest, however few events they have. */
export const compactionBlocksMax = 256;

/** How often it makes the store durable without `fsync`, so that the journal can be emptied. */
export const storeSyncMs = 1000;

/** What waits to be compacted. */
interface Uncompacted {
  readonly uncompacted: readonly Block[];
  readonly uncompactedEvents: number;
  readonly uncompactedBytes: number;
}

/** Whether it is enough for a block. */
export function isCompactionDue({ uncompacted, uncompactedEvents, uncompactedBytes }: Uncompacted): boolean {
  return (
    uncompactedEvents >= blockEventsMax ||
    uncompactedBytes >= 2 * blockJsonBytesMax ||
    uncompacted.length >= compactionBlocksMax
  );
}

/** The oldest of `blocks` that make one block, not much larger than a full one. */
export function oldestForOne(blocks: readonly Block[]): readonly Block[] {
  let events = 0;
  let jsonBytes = 0;
  let taken = 0;
  for (const block of blocks) {
    if (events >= blockEventsMax || jsonBytes >= blockJsonBytesMax) break;
    events += block.index.count;
    jsonBytes += block.json.length;
    taken++;
  }
  return blocks.slice(0, taken);
}

/**
 * The events of `blocks`, which follow each other and share a dictionary, as one block.
 * @param take gives memory for both payloads. By default it is theirs alone: blocks are kept for long.
 */
export function compactBlocks(
  blocks: readonly Block[],
  take: (bytes: number) => Buffer = Buffer.allocUnsafeSlow,
): Block {
  const last = blocks[blocks.length - 1];
  const withEvents = blocks.filter((block) => block.index.count > 0);
  const count = withEvents.reduce((sum, block) => sum + block.index.count, 0);
  const collectionIds = new Map<string, number>();
  const index = {
    count,
    firstTimeUs: (withEvents[0] ?? last).index.firstTimeUs,
    lastTimeUs: last.index.lastTimeUs,
    timeUs: new Float64Array(count),
    jsonEnd: new Uint32Array(count),
    zstdEnd: new Uint32Array(count),
    didHash: new Uint32Array(count * 2),
    collection: new Uint16Array(count),
    kindAndOperation: new Uint8Array(count),
    // Where a block has none, nobody has looked.
    verdict: withEvents.some((block) => block.index.verdict !== undefined)
      ? new Uint8Array(count).fill(notAsked)
      : undefined,
  };
  let at = 0;
  let jsonBytes = 0;
  let zstdBytes = 0;
  for (const block of withEvents) {
    appendColumns(index, at, block.index, jsonBytes, zstdBytes, collectionIds);
    at += block.index.count;
    jsonBytes += block.json.length;
    zstdBytes += block.zstd.length;
  }
  const memory = take(jsonBytes + zstdBytes);
  const subjects = joinSubjects(
    withEvents.map((block) => block.index.subjects),
    withEvents.map((block) => block.index.count),
  );
  return {
    index: { ...index, collections: [...collectionIds.keys()], stream: last.index.stream, subjects },
    json: joinInto(
      memory.subarray(0, jsonBytes),
      withEvents.map((block) => block.json),
    ),
    zstd: joinInto(
      memory.subarray(jsonBytes),
      withEvents.map((block) => block.zstd),
    ),
    dictionaryId: last.dictionaryId,
    positions: last.positions,
    coverage: joinCoverage(blocks.map((block) => block.coverage)),
  };
}

function appendColumns(
  to: Omit<BlockIndex, 'collections' | 'stream'>,
  at: number,
  from: BlockIndex,
  jsonStart: number,
  zstdStart: number,
  collectionIds: Map<string, number>,
): void {
  to.timeUs.set(from.timeUs, at);
  to.didHash.set(from.didHash, at * 2);
  to.kindAndOperation.set(from.kindAndOperation, at);
  if (from.verdict !== undefined) to.verdict?.set(from.verdict, at);
  const ids = from.collections.map((collection) => {
    const id = collectionIds.get(collection) ?? collectionIds.size;
    collectionIds.set(collection, id);
    return id;
  });
  for (let event = 0; event < from.count; event++) {
    to.jsonEnd[at + event] = from.jsonEnd[event] + jsonStart;
    to.zstdEnd[at + event] = from.zstdEnd[event] + zstdStart;
    const collection = from.collection[event];
    to.collection[at + event] = collection === noCollection ? noCollection : ids[collection];
  }
}
