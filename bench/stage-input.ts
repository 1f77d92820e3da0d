// What the stages of ingest are given in a benchmark: frames, their records and the JSON of their events. Recorded frames
// where there are some, else simulated ones. Used by figure-stages.ts.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Frame } from '../lib/decode/frame.ts';
import { Clock } from '../lib/event/clock.ts';
import { DidHasher } from '../lib/event/did-hash.ts';
import { EventWriter } from '../lib/event/event-writer.ts';
import type { Block } from '../lib/log/block.ts';
import { BlockBuilder } from '../lib/log/block-builder.ts';
import { readFrames } from '../simulator/lib/frames-file.ts';
import { decodeMessage, readBlocks } from './baseline-codec.ts';
import type { Session } from './session.ts';

// Beside the project, where they are, not in it.
const sharedPath = (name: string): string => fileURLToPath(new URL(`../../shared/${name}`, import.meta.url));
export const recordedFramesPath = sharedPath('corpus/frames.bin');
/** DID documents of their accounts. */
export const recordedDocumentsPath = sharedPath('corpus/did-docs.json');
/** The dictionary that clients of Jetstream v1 have; may be absent. */
export const officialDictionaryPath = sharedPath('dictionaries/v1-1612007021.zdict');
/** Compresses nothing: for stages before the compressor. */
export const noCompressor = { dictionaryId: 1, compress: (): void => {} };

/** Frames, and what the stages after the first are given. */
export interface StageInput {
  readonly frames: readonly Uint8Array[];
  /** Events of all frames. */
  readonly events: number;
  readonly records: readonly Uint8Array[];
  readonly jsons: readonly Uint8Array[];
}

/** Reads or makes the input. */
export async function readInput(session: Session): Promise<StageInput> {
  const isRecorded = existsSync(recordedFramesPath);
  const frames = await readFrames(isRecorded ? recordedFramesPath : (await session.frames()).path);
  session.note(`stages: ${frames.length} ${isRecorded ? 'recorded' : 'simulated'} frames, over and over`);
  const builder = new BlockBuilder(new Clock(0), new DidHasher(new Uint8Array(8)), new Map());
  const events = writeEvents(frames, builder);
  const jsons = payloadsOf(builder.seal(noCompressor));
  const records: Uint8Array[] = [];
  for (const frame of frames) {
    const message = decodeMessage(frame);
    if (message?.type !== '#commit' || message.body.tooBig) continue;
    const { blocks } = await readBlocks(message);
    for (const { cid } of message.body.ops) {
      const record = cid === null ? undefined : blocks.get(cid);
      if (record !== undefined) records.push(record);
    }
  }
  return { frames, events, records, jsons };
}

/** Writes the events of `frames` into a builder; returns how many there were. */
export function writeEvents(frames: readonly Uint8Array[], builder: BlockBuilder): number {
  const frame = new Frame();
  const writer = new EventWriter(builder, () => {});
  let events = 0;
  for (const bytes of frames) {
    frame.read(bytes);
    events += writer.write(frame);
  }
  return events;
}

function payloadsOf({ json, index }: Block): Uint8Array[] {
  let start = 0;
  return Array.from(index.jsonEnd, (end) => {
    const second = json[start + 1];
    const payload = json.subarray(start + (second < 126 ? 2 : second === 126 ? 4 : 10), end);
    start = end;
    return payload;
  });
}
