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
import { BlockCache } from './block-cache.ts';
import { type ClosableCompressor, dictionaryEncoding } from './dictionary-encoding.ts';
import type { Encoding, Messages } from './encodings.ts';

/**
 * Bytes of messages that are kept of blocks that were replayed, in a thread and encoding: some 50,000 events, nearly as many as the
 * newest blocks in memory have. Readers that come back after a restart are within them, each at another place.
 */
const replayedBytesMax = { json: 32 * 1024 * 1024, zstd: 12 * 1024 * 1024 };

type RecodingJson = Encoding & Required<Pick<Encoding, 'recode'>>;

/** JSON as text messages. */
function v2JsonEncoding(): RecodingJson {
  const events = new V2EventWriter();
  const cache = new BlockCache((index, json) => recode(events, index, json), replayedBytesMax.json);
  return { name: 'v2', stored: 'json', recode: (index, json) => cache.get(index, json) };
}

function recode(
  events: V2EventWriter,
  { count, timeUs, jsonEnd, kindAndOperation }: BlockIndex,
  json: Uint8Array,
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
  // The size is known: nothing is written twice, and none of it is thrown away.
  const bytes = Buffer.allocUnsafeSlow(end);
  for (let at = 0; at < count; at++) {
    const to = startOf(ends, at);
    if (ends[at] === to) continue;
    const from = jsonEnd[at] - payloadBytesOf(jsonEnd[at] - startOf(jsonEnd, at));
    const payloadAt = writeHeader(bytes, to, textMessage, payloadBytesOf(ends[at] - to));
    events.write(bytes, payloadAt, json, from, jsonEnd[at], kindIn(kindAndOperation[at]), timeUs[at]);
  }
  return { bytes, ends };
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
 */
export function v2Encodings(openers: ReadonlyMap<number, () => ClosableCompressor> = new Map()): V2Encodings {
  const json = v2JsonEncoding();
  const scratch = new ByteWriter(4096);
  const byId = new Map<number, Encoding>();
  for (const [id, open] of openers) byId.set(id, v2ZstdEncoding(id, open, json, scratch));
  return { json, byId, currentId: byId.keys().next().value };
}

function v2ZstdEncoding(
  id: number,
  open: () => ClosableCompressor,
  json: RecodingJson,
  scratch: ByteWriter,
): Encoding {
  const { recode: compress } = dictionaryEncoding(id, open, scratch);
  const make = (index: BlockIndex, stored: Uint8Array): Messages => {
    const { bytes, ends } = json.recode(index, stored);
    return compress({ jsonEnd: ends }, bytes);
  };
  const cache = new BlockCache(make, replayedBytesMax.zstd);
  return {
    name: `v2 zstd ${id}`,
    stored: 'json',
    compressed: true,
    recode: (index, stored) => cache.get(index, stored),
    message(text) {
      const message = messageOf(text);
      return Buffer.from(compress({ jsonEnd: Uint32Array.of(message.length) }, message).bytes);
    },
  };
}
