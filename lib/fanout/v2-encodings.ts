// The forms of events on the second wire: JSON made from the stored JSON (lib/event/v2-event.ts), and zstd of that, with a
// dictionary of the client's choice. Each is made once a block and thread for all that receive it, live or in a replay, and only
// while somebody does. Created once per thread by lib/worker, chosen by lib/wire.

import { ByteWriter } from '../byte-writer.ts';
import { isV1OnlyIn, kindIn } from '../event/event.ts';
import { V2EventWriter } from '../event/v2-event.ts';
import {
  closeMessage,
  messageOf,
  openMessage,
  payloadBytesOf,
  textMessage,
} from '../event/websocket-frame.ts';
import { type BlockIndex, startOf } from '../log/block.ts';
import { BlockCache } from './block-cache.ts';
import { type ClosableCompressor, dictionaryEncoding } from './dictionary-encoding.ts';
import type { Encoding, Messages } from './encodings.ts';

/** Bytes of scratch that are kept between blocks: a full block, with what each event is longer by. */
const scratchBytes = 512 * 1024;

type RecodingJson = Encoding & Required<Pick<Encoding, 'recode'>>;

/** JSON as text messages. */
function v2JsonEncoding(): RecodingJson {
  const events = new V2EventWriter();
  const out = new ByteWriter(4096);
  const cache = new BlockCache((index, json) => {
    const messages = recode(events, out, index, json);
    out.shrink(scratchBytes);
    return messages;
  });
  return { name: 'v2', stored: 'json', recode: (index, json) => cache.get(index, json) };
}

function recode(
  events: V2EventWriter,
  out: ByteWriter,
  { count, timeUs, jsonEnd, kindAndOperation }: BlockIndex,
  json: Uint8Array,
): Messages {
  const ends = new Uint32Array(count);
  out.length = 0;
  for (let at = 0; at < count; at++) {
    const end = jsonEnd[at];
    const start = end - payloadBytesOf(end - startOf(jsonEnd, at));
    const entry = kindAndOperation[at];
    // What this wire does not show is nothing.
    if (!isV1OnlyIn(entry)) {
      const message = openMessage(out);
      events.write(out, json, start, end, kindIn(entry), timeUs[at]);
      closeMessage(out, message, textMessage);
    }
    ends[at] = out.length;
  }
  return { bytes: out.copy(), ends };
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
  const cache = new BlockCache((index, stored) => {
    const { bytes, ends } = json.recode(index, stored);
    return compress({ jsonEnd: ends }, bytes);
  });
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
