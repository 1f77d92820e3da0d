// Encodings for zstd dictionaries beside the one that events are stored with: each makes a block's messages anew out of
// the JSON ones. It owns the compressors, and has none open while nobody subscribes with its dictionary; which dictionaries
// there are, and how they compress, it is told. Created once per thread by lib/worker, chosen by lib/wire.

import { ByteWriter } from '../byte-writer.ts';
import { compressEvents, type EventCompressor } from '../log/block-builder.ts';
import { type Encoding, encodings, type Messages } from './encodings.ts';

/** A compressor that is closed after use. */
export interface ClosableCompressor extends EventCompressor {
  close(): void;
}

/** How long a compressor stays open after the last block: opening one takes milliseconds, and it holds up to 4 MiB. */
const idleMs = 60_000;

/** Bytes of scratch that are kept between blocks: what a full block shrinks to, with room. */
const scratchBytes = 256 * 1024;

/**
 * The encodings by the id of their dictionary, in the order to list them: first `encodings.zstd`, of the dictionary that
 * events are stored with.
 * @param openers opens a compressor for each additional id; must not throw.
 */
export function zstdEncodings(
  storedId: number,
  openers: ReadonlyMap<number, () => ClosableCompressor>,
): ReadonlyMap<number, Encoding> {
  const scratch = new ByteWriter(scratchBytes);
  const byId = new Map<number, Encoding>([[storedId, encodings.zstd]]);
  for (const [id, open] of openers) byId.set(id, dictionaryEncoding(id, open, scratch));
  return byId;
}

function dictionaryEncoding(id: number, open: () => ClosableCompressor, scratch: ByteWriter): Encoding {
  let compressor: ClosableCompressor | undefined;
  let idle: NodeJS.Timeout | undefined;
  const close = (): void => {
    compressor?.close();
    compressor = undefined;
    idle = undefined;
  };
  return {
    name: `zstd ${id}`,
    stored: 'json',
    compressed: true,
    recode({ jsonEnd }, json): Messages {
      compressor ??= open();
      if (idle === undefined) idle = setTimeout(close, idleMs).unref();
      else idle.refresh();
      const { zstd, zstdEnd } = compressEvents(json, jsonEnd, compressor, scratch);
      scratch.shrink(scratchBytes);
      return { bytes: zstd, ends: zstdEnd };
    },
  };
}
