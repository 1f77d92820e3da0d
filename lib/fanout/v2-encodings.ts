// The forms of events on the second wire: JSON made from the stored JSON (lib/event/v2-event.ts), and zstd of that, with a
// dictionary of the client's choice. Each is made once a block and thread for all that receive it, live or in a replay, and only
// while somebody does. Created once per thread by lib/worker, chosen by lib/wire.

import { ByteWriter } from '../byte-writer.ts';
import { isV1OnlyIn, kindIn } from '../event/event.ts';
import { V2EventWriter, v2BytesMore } from '../event/v2-event.ts';
import {
  headerBytesOf,
  messageOf,
  payloadBytesOf,
  textMessage,
  writeHeader,
} from '../event/websocket-frame.ts';
import { type BlockIndex, startOf } from '../log/block.ts';
import { hasLittleMemory } from '../memory.ts';
import { BlockCache, replayedEventsMin } from './block-cache.ts';
import { type ClosableCompressor, dictionaryEncoding } from './dictionary-encoding.ts';
import type { Encoding, Messages } from './encodings.ts';

/**
 * Bytes of messages that are kept of blocks that were replayed, in a thread and encoding: some 50,000 events, nearly as many as the
 * newest blocks in memory have. Readers that come back after a restart are within them, each at another place. Where memory is short it
 * is as small as what is kept in memory of the log, for readers that go side by side.
 */
const replayedBytesMax = hasLittleMemory()
  ? { json: 2 * 1024 * 1024, zstd: 1024 * 1024 }
  : { json: 32 * 1024 * 1024, zstd: 12 * 1024 * 1024 };

/** What of the JSON that a block is compressed from is kept for the next one: as much as a full block takes, with room. */
const scratchBytes = 512 * 1024;

/** JSON as text messages. */
class V2Json {
  readonly encoding: Encoding;
  readonly #events = new V2EventWriter();
  readonly #cache: BlockCache;
  readonly #scratch = new ByteWriter(4096);

  constructor(bytesMax: number) {
    const cache = new BlockCache((index, json, take) => recode(this.#events, index, json, take), bytesMax);
    this.#cache = cache;
    this.encoding = {
      name: 'v2',
      stored: 'json',
      recode: (index, json, isBrief) => cache.get(index, json, isBrief),
      known: (index, isBrief) => cache.known(index, isBrief),
    };
  }

  /** For what is made of it at once: in memory that is used for the next block, unless somebody receives it as it is. */
  passing(index: BlockIndex, json: Uint8Array): Messages {
    if (index.count < replayedEventsMin) return this.#cache.get(index, json, true);
    const known = this.#cache.known(index, true);
    if (known !== undefined) return known;
    this.#scratch.shrink(scratchBytes);
    return recode(this.#events, index, json, (bytes) => {
      this.#scratch.reserve(bytes);
      return this.#scratch.buffer;
    });
  }
}

function recode(
  events: V2EventWriter,
  { count, timeUs, jsonEnd, kindAndOperation }: BlockIndex,
  json: Uint8Array,
  take: (bytes: number) => Buffer,
): Messages {
  const ends = new Uint32Array(count);
  let end = 0;
  for (let at = 0; at < count; at++) {
    const entry = kindAndOperation[at];
    // What this wire does not show is nothing.
    if (!isV1OnlyIn(entry)) {
      const payload = payloadBytesOf(jsonEnd[at] - startOf(jsonEnd, at)) + v2BytesMore[kindIn(entry)];
      end += headerBytesOf(payload) + payload;
    }
    ends[at] = end;
  }
  const bytes = take(end);
  for (let at = 0; at < count; at++) {
    const to = startOf(ends, at);
    if (ends[at] === to) continue;
    const from = jsonEnd[at] - payloadBytesOf(jsonEnd[at] - startOf(jsonEnd, at));
    const payloadAt = writeHeader(bytes, to, textMessage, payloadBytesOf(ends[at] - to));
    events.write(bytes, payloadAt, json, from, jsonEnd[at], kindIn(kindAndOperation[at]), timeUs[at]);
  }
  return { bytes: bytes.subarray(0, end), ends };
}

/** What subscribers of this wire can have. */
export interface V2Encodings {
  readonly json: Encoding;
  /** zstd, by the id of the dictionary. */
  readonly byId: ReadonlyMap<number, Encoding>;
  /** The dictionary for who has none yet; undefined when there is none. */
  readonly currentId: number | undefined;
}

/**
 * All of them. @param openers opens a compressor for each dictionary, the current one first; none may throw.
 * @param bytesMax of messages that are kept.
 */
export function v2Encodings(
  openers: ReadonlyMap<number, () => ClosableCompressor> = new Map(),
  bytesMax: Readonly<typeof replayedBytesMax> = replayedBytesMax,
): V2Encodings {
  const json = new V2Json(bytesMax.json);
  const scratch = new ByteWriter(4096);
  const byId = new Map<number, Encoding>();
  for (const [id, open] of openers) byId.set(id, v2ZstdEncoding(id, open, json, scratch, bytesMax.zstd));
  return { json: json.encoding, byId, currentId: byId.keys().next().value };
}

function v2ZstdEncoding(
  id: number,
  open: () => ClosableCompressor,
  json: V2Json,
  scratch: ByteWriter,
  bytesMax: number,
): Encoding {
  const { compress } = dictionaryEncoding(id, open, scratch);
  const cache = new BlockCache((index, stored, take) => {
    const { bytes, ends } = json.passing(index, stored);
    return compress(ends, bytes, take);
  }, bytesMax);
  return {
    name: `v2 zstd ${id}`,
    stored: 'json',
    compressed: true,
    recode: (index, stored, isBrief) => cache.get(index, stored, isBrief),
    known: (index, isBrief) => cache.known(index, isBrief),
    message(text) {
      const message = messageOf(text);
      return Buffer.from(compress(Uint32Array.of(message.length), message).bytes);
    },
  };
}
