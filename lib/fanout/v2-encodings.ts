// The forms of events on the second wire: JSON made from the stored JSON (lib/event/v2-event.ts), and zstd of that, with a
// dictionary of the client's choice. Each is made once a block and thread for all that receive it, live or in a replay, and only
// while somebody does. Created once per thread by lib/worker, chosen by lib/wire.

import { ByteWriter } from '../byte-writer.ts';
import { V2EventWriter } from '../event/v2-event.ts';
import { closeMessage, openMessage, payloadBytesOf, textMessage } from '../event/websocket-frame.ts';
import { type BlockIndex, startOf } from '../log/block.ts';
import { BlockCache } from './block-cache.ts';
import type { Encoding, Messages } from './encodings.ts';

/** Bytes of scratch that are kept between blocks: a full block, with what each event is longer by. */
const scratchBytes = 512 * 1024;

/** JSON as text messages. */
function v2JsonEncoding(): Encoding & Required<Pick<Encoding, 'recode'>> {
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
    const message = openMessage(out);
    events.write(out, json, start, end, kindAndOperation[at] & 15, timeUs[at]);
    closeMessage(out, message, textMessage);
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

/** All of them. */
export function v2Encodings(): V2Encodings {
  return { json: v2JsonEncoding(), byId: new Map(), currentId: undefined };
}
