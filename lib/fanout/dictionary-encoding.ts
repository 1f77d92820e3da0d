// Encodings for zstd dictionaries beside the one that events are stored with: each makes a block's messages anew out of
// the JSON ones. It owns the compressors, and has none open while nobody subscribes with its dictionary; which dictionaries
// there are, and how they compress, it is told. Created once per thread by lib/worker, chosen by lib/wire.
// Who asks for compression without naming a dictionary is a client of Jetstream v1, which carries the official one: it gets that, or
// zstd frames without a dictionary, which every decoder reads. Those are counted, since they are larger by half.

import { ByteWriter } from '../byte-writer.ts';
import type { BlockIndex } from '../log/block.ts';
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

/** What compressed subscribers can have. */
export interface ZstdEncodings {
  /** By the id of the dictionary, in the order to list them. */
  readonly byId: ReadonlyMap<number, Encoding>;
  /** For those who name no dictionary. */
  readonly unnamed: Encoding;
  /** What was made without a dictionary. */
  readonly withoutDictionary: Readonly<EncodedTotals>;
}

/** Sums since start, of events that were encoded; each once, however many received it. */
export interface EncodedTotals {
  events: number;
  /** Of their messages. */
  bytes: number;
  /** What the stored zstd messages of the same events take. */
  storedBytes: number;
}

/**
 * @param storedId dictionary that events are stored with, the first to list. @param openers opens a compressor for each
 * additional id; @param openPlain one without a dictionary; neither may throw. @param officialId the dictionary that clients
 * of Jetstream v1 carry, if it is among these.
 */
export function zstdEncodings(
  storedId: number,
  openers: ReadonlyMap<number, () => ClosableCompressor>,
  openPlain: () => ClosableCompressor,
  officialId?: number,
): ZstdEncodings {
  const scratch = new ByteWriter(scratchBytes);
  const byId = new Map<number, Encoding>([[storedId, encodings.zstd]]);
  for (const [id, open] of openers) byId.set(id, dictionaryEncoding(id, open, scratch));
  const withoutDictionary: EncodedTotals = { events: 0, bytes: 0, storedBytes: 0 };
  const official = officialId === undefined ? undefined : byId.get(officialId);
  const unnamed = official ?? counted(dictionaryEncoding(0, openPlain, scratch), withoutDictionary);
  return { byId, unnamed, withoutDictionary };
}

/** The same encoding; adds what it makes to `totals`. */
function counted(encoding: RecodingEncoding, totals: EncodedTotals): Encoding {
  return {
    ...encoding,
    recode(index, json) {
      const messages = encoding.recode(index, json);
      totals.events += index.count;
      totals.bytes += messages.bytes.length;
      totals.storedBytes += index.zstdEnd.at(-1) ?? 0;
      return messages;
    },
  };
}

/** An encoding that needs nothing of a block but where its JSON messages end. */
export interface RecodingEncoding extends Encoding {
  readonly recode: (index: Pick<BlockIndex, 'jsonEnd'>, json: Uint8Array) => Messages;
  /** The same, in memory that `take` gives. */
  readonly compress: (jsonEnd: Uint32Array, json: Uint8Array, take?: (bytes: number) => Buffer) => Messages;
}

/** zstd by what `open` opens, which is open only while it is used. @param scratch may be shared with others. */
export function dictionaryEncoding(
  id: number,
  open: () => ClosableCompressor,
  scratch: ByteWriter,
): RecodingEncoding {
  let compressor: ClosableCompressor | undefined;
  let idle: NodeJS.Timeout | undefined;
  const close = (): void => {
    compressor?.close();
    compressor = undefined;
    idle = undefined;
  };
  const compress: RecodingEncoding['compress'] = (jsonEnd, json, take) => {
    compressor ??= open();
    if (idle === undefined) idle = setTimeout(close, idleMs).unref();
    else idle.refresh();
    const { zstd, zstdEnd } = compressEvents(json, jsonEnd, compressor, scratch, take);
    scratch.shrink(scratchBytes);
    return { bytes: zstd, ends: zstdEnd };
  };
  return {
    name: `zstd ${id}`,
    stored: 'json',
    compressed: true,
    recode: ({ jsonEnd }, json) => compress(jsonEnd, json),
    compress,
  };
}
