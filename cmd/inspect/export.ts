// The events of a log as lines of JSON, in order, from a moment to another. Each block becomes one chunk, so that the
// caller, cmd/inspect.ts, decides the pace.

import { CodedError } from '../../lib/errors.ts';
import { headerBytesOf, payloadBytesOf } from '../../lib/event/websocket-frame.ts';
import { type BlockIndex, firstEventAfter } from '../../lib/log/block.ts';
import { type ClosedLog, type FoundBlock, readFoundJson } from './reader.ts';

export interface ExportRange {
  /** First moment wanted, in µs. */
  readonly fromUs: number;
  /** First moment not wanted any more, in µs. */
  readonly toUs: number;
  /** Most events. */
  readonly eventsMax: number;
}

const newline = 0x0a;

/**
 * The wanted events, each followed by a newline; a chunk is the caller's. A block that cannot be read is told to
 * `onDamage` and left out, and so is what LevelDB cannot read.
 */
export async function* exportLines(
  reader: ClosedLog,
  { fromUs, toUs, eventsMax }: ExportRange,
  onDamage: (error: CodedError) => void,
): AsyncGenerator<Uint8Array> {
  let left = eventsMax;
  for await (const block of wantedBlocks(reader, fromUs, onDamage)) {
    if (left <= 0) return;
    let index: BlockIndex;
    let json: Uint8Array;
    try {
      const read = readFoundJson(block);
      index = read.head.index;
      json = read.json;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      onDamage(error);
      continue;
    }
    if (index.firstTimeUs >= toUs) return;
    const start = firstEventAfter(index, fromUs - 1);
    const end = Math.min(firstEventAfter(index, toUs - 1), start + left);
    left -= end - start;
    if (end > start) yield linesOf(index, json, start, end);
  }
}

/** The blocks of the store, then those of the journal that the store does not have. */
async function* wantedBlocks(
  reader: ClosedLog,
  fromUs: number,
  onDamage: (error: CodedError) => void,
): AsyncGenerator<FoundBlock> {
  let endUs = 0;
  try {
    endUs = await reader.storeEndUs();
    yield* reader.blocks(fromUs);
  } catch (error) {
    tell(error, onDamage);
  }
  try {
    for await (const block of reader.journalBlocks()) {
      if (block.lastTimeUs > endUs && block.lastTimeUs >= fromUs) yield block;
    }
  } catch (error) {
    tell(error, onDamage);
  }
}

function tell(error: unknown, onDamage: (error: CodedError) => void): void {
  if (!(error instanceof CodedError) || error.code !== 'LOG_READ_FAILED') throw error;
  onDamage(error);
}

/** Events `start` up to `end`: every message's header gives way to a newline, which is shorter. */
function linesOf({ jsonEnd }: BlockIndex, json: Uint8Array, start: number, end: number): Uint8Array {
  let messageStart = start === 0 ? 0 : jsonEnd[start - 1];
  const lines = Buffer.allocUnsafe(jsonEnd[end - 1] - messageStart);
  let at = 0;
  for (let event = start; event < end; event++) {
    const messageEnd = jsonEnd[event];
    const payloadStart = messageStart + headerBytesOf(payloadBytesOf(messageEnd - messageStart));
    lines.set(json.subarray(payloadStart, messageEnd), at);
    at += messageEnd - payloadStart;
    lines[at++] = newline;
    messageStart = messageEnd;
  }
  return lines.subarray(0, at);
}
