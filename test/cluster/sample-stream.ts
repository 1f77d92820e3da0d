// Blocks as a writer puts them into a stream, and what they say: the oracle of followers.

import { zstdCompressSync } from 'node:zlib';
import { type PackedBlock, placeBlocks, writeMessage } from '../../lib/cluster/block-message.ts';
import type { Block } from '../../lib/log/block.ts';
import { SampleLog, seededRandom } from '../support/events.ts';
import type { FakeEngine } from './fake-engine.ts';

export const streamId = '0123456789abcdef';

/** See the file comment. */
export class SampleStream {
  readonly sample: SampleLog;
  readonly #engine: FakeEngine;
  #lastTimeUs = 0;

  constructor(engine: FakeEngine, seed = 5, didHashKey = new Uint8Array(8)) {
    this.#engine = engine;
    this.sample = new SampleLog(seededRandom(seed), { textBytesMax: 500, didHashKey });
  }

  /** Stores a block of so many events. @param previousUs what it says that it follows. */
  write(events: number, previousUs = this.#lastTimeUs): Block {
    return this.writeTogether([events], previousUs)[0];
  }

  /** Stores several blocks in one message. */
  writeTogether(events: readonly number[], previousUs = this.#lastTimeUs): Block[] {
    const sequence = this.#engine.lastSequence + 1;
    const made = events.map((count) => this.sample.block(count));
    const blocks = placeBlocks(made, streamId, sequence);
    const bytes = writeMessage(blocks.map(packed), previousUs, this.#engine.messageBytesMax) as Buffer;
    this.#engine.store({ id: `writer.${sequence}`, bytes });
    this.#lastTimeUs = blocks.at(-1)?.index.lastTimeUs ?? 0;
    return blocks;
  }

  get texts(): string[] {
    return this.sample.events.map((event) => JSON.stringify(event));
  }
}

/** A block as it goes into a message. */
export function packed(block: Block): PackedBlock {
  return { block, storedJson: zstdCompressSync(block.json) };
}

/** The events of a block, as text. */
export function textsOf({ index, json }: Block): string[] {
  let start = 0;
  return Array.from(index.jsonEnd, (end) => {
    const message = Buffer.from(json.subarray(start, end)).toString();
    start = end;
    return message.slice(message.indexOf('{"did"'));
  });
}
