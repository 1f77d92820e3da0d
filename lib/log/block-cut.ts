// Parts of blocks, as blocks: events that follow each other, or those without a collection. And payloads of several, as one. Pure.

import { notAsked } from '../event/verdict.ts';
import { type Block, type BlockIndex, type BlockSlice, noCollection, startOf } from './block.ts';
import type { SliceEncoding } from './event-log.ts';

/** Events `from` to `to` (exclusive, at least one) of a slice; shares its memory. */
export function cutSlice(
  { index, messages }: BlockSlice,
  encoding: SliceEncoding,
  from: number,
  to: number,
): BlockSlice {
  const endsIn = (ends: Uint32Array): Uint32Array => {
    const start = startOf(ends, from);
    return ends.subarray(from, to).map((end) => end - start);
  };
  const ends = encoding === 'zstd' ? index.zstdEnd : index.jsonEnd;
  return {
    index: {
      count: to - from,
      firstTimeUs: index.timeUs[from],
      lastTimeUs: index.timeUs[to - 1],
      timeUs: index.timeUs.subarray(from, to),
      jsonEnd: endsIn(index.jsonEnd),
      zstdEnd: endsIn(index.zstdEnd),
      didHash: index.didHash.subarray(from * 2, to * 2),
      collection: index.collection.subarray(from, to),
      kindAndOperation: index.kindAndOperation.subarray(from, to),
      verdict: index.verdict?.subarray(from, to),
      collections: index.collections,
    },
    messages: messages.subarray(startOf(ends, from), ends[to - 1]),
  };
}

/** The events of a block that have no collection, copied; undefined when it has none. */
export function pickWithoutCollection(block: Block): Block | undefined {
  const { index } = block;
  const events: number[] = [];
  for (let event = 0; event < index.count; event++) {
    if (index.collection[event] === noCollection) events.push(event);
  }
  if (events.length === 0) return undefined;
  const json = pickMessages(block.json, index.jsonEnd, events);
  const zstd = pickMessages(block.zstd, index.zstdEnd, events);
  const picked: BlockIndex = {
    count: events.length,
    firstTimeUs: index.timeUs[events[0]],
    lastTimeUs: index.timeUs[events[events.length - 1]],
    timeUs: Float64Array.from(events, (event) => index.timeUs[event]),
    jsonEnd: json.ends,
    zstdEnd: zstd.ends,
    didHash: Uint32Array.from(
      events.flatMap((event) => [index.didHash[event * 2], index.didHash[event * 2 + 1]]),
    ),
    collection: new Uint16Array(events.length).fill(noCollection),
    kindAndOperation: Uint8Array.from(events, (event) => index.kindAndOperation[event]),
    verdict: index.verdict && Uint8Array.from(events, (event) => index.verdict?.[event] ?? notAsked),
    collections: [],
  };
  return { ...block, index: picked, json: json.bytes, zstd: zstd.bytes, coverage: undefined };
}

function pickMessages(
  messages: Uint8Array,
  ends: Uint32Array,
  events: readonly number[],
): { bytes: Uint8Array; ends: Uint32Array } {
  const picked = events.map((event) => messages.subarray(startOf(ends, event), ends[event]));
  const pickedEnds = new Uint32Array(picked.length);
  let end = 0;
  for (const [at, message] of picked.entries()) {
    end += message.length;
    pickedEnds[at] = end;
  }
  // Memory of its own: what is kept would keep a piece of Node's pool, which is many times as large.
  return { bytes: joinInto(Buffer.allocUnsafeSlow(end), picked), ends: pickedEnds };
}

/** Fills `target`, which is as long as they are together. */
export function joinInto(target: Buffer, pieces: readonly Uint8Array[]): Buffer {
  let end = 0;
  for (const piece of pieces) {
    target.set(piece, end);
    end += piece.length;
  }
  return target;
}
