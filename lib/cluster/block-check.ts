// Whether a block of another node makes sense: its columns fit each other and its messages. Checksums say that it is what was written,
// and not that whoever wrote it was sound; subscribers are sent what the columns say, and the log is keyed by them. What the events say
// nobody reads here: "slipstream inspect check" does. Pure.

import { isCoverageRow } from '../event/coverage.ts';
import { binaryMessage, payloadStartIn, textMessage } from '../event/websocket-frame.ts';
import { damaged } from '../level/database-errors.ts';
import { type BlockIndex, noCollection } from '../log/block.ts';
import type { BlockHead } from '../log/block-format.ts';

/** What a head says, before anything is done by it. @throws CodedError `LOG_CORRUPT`. */
export function checkHead({ index, positions, coverage, previousUs }: BlockHead): void {
  const { count, collections, stream, subjects, timeUs, firstTimeUs, lastTimeUs } = index;
  const refuse = refusalOf(index);
  if (![firstTimeUs, lastTimeUs, previousUs].every(isTime)) refuse('times that are none');
  // Compaction may have put blocks without events behind the last event, so that the block ends later.
  const start = count === 0 ? firstTimeUs : timeUs[0];
  const end = count === 0 ? firstTimeUs : timeUs[count - 1];
  if (start !== firstTimeUs || !(end <= lastTimeUs)) refuse('events of other times than its head');
  for (let event = 0; event < count; event++) {
    if (event > 0 && !(timeUs[event] > timeUs[event - 1])) refuse('times that do not rise');
    const id = index.collection[event];
    if (id !== noCollection && id >= collections.length) refuse('a collection that it does not name');
  }
  if (!collections.every((name) => typeof name === 'string')) refuse('collections without names');
  if (![...positions.values()].every(Number.isSafeInteger)) refuse('positions that are none');
  if (stream !== undefined && typeof stream?.nowUs !== 'number') refuse('times of the stream that are none');
  if (coverage !== undefined && !(Array.isArray(coverage) && coverage.every(isCoverageRow)))
    refuse('rows of the coverage ledger that are none');
  if (Number.isNaN((subjects?.createdFromUs ?? 0) + (subjects?.createdThroughUs ?? 0)))
    refuse('subjects without times');
}

/** Its messages: each end is that of a whole one. @param zstd undefined: they are not there. @throws CodedError `LOG_CORRUPT`. */
export function checkMessages(index: BlockIndex, json: Uint8Array, zstd: Uint8Array | undefined): void {
  checkEnds(index, index.jsonEnd, json, textMessage);
  if (zstd !== undefined) checkEnds(index, index.zstdEnd, zstd, binaryMessage);
}

function checkEnds(index: BlockIndex, ends: Uint32Array, messages: Uint8Array, firstByte: number): void {
  let start = 0;
  for (const end of ends) {
    if (end > messages.length || payloadStartIn(messages, start, end, firstByte) === 0)
      refusalOf(index)(`no message from byte ${start} to ${end}`);
    start = end;
  }
  if (start !== messages.length) refusalOf(index)(`${messages.length - start} bytes behind its messages`);
}

function refusalOf({ lastTimeUs }: BlockIndex): (what: string) => never {
  return (what) => {
    throw damaged(`block ${lastTimeUs} of the stream has ${what}`);
  };
}

function isTime(us: number): boolean {
  return Number.isSafeInteger(us) && us >= 0;
}
