// Encodings for subscribers over plain HTTP: the events of a block as lines of NDJSON, or as server-sent events. The JSON
// is not touched: it has no line break in it. Which answer has which, and all else that is in it, is lib/wire's.

import { ByteWriter } from '../byte-writer.ts';
import { payloadBytesOf } from '../event/websocket-frame.ts';
import { startOf } from '../fanout/batch.ts';
import type { Encoding, Messages } from '../fanout/encodings.ts';
import type { BlockIndex } from '../log/block.ts';

/** `id: `, 16 digits, `\ndata: ` and two line breaks, without the WebSocket header that they replace. */
const serverSentEventBytes = 29;

/** The forms of text that events can have; made anew for each block, for all who read that way together. */
export const textEncodings: Readonly<Record<'ndjson' | 'serverSentEvents', Encoding>> = {
  ndjson: { name: 'ndjson', stored: 'json', recode: (index, json) => recode(index, json, false) },
  serverSentEvents: { name: 'sse', stored: 'json', recode: (index, json) => recode(index, json, true) },
};

function recode({ count, timeUs, jsonEnd }: BlockIndex, json: Uint8Array, isSse: boolean): Messages {
  // A WebSocket header has at least two bytes, so that a line break always fits in its place.
  const out = new ByteWriter(json.length + (isSse ? count * serverSentEventBytes : 0));
  const ends = new Uint32Array(count);
  for (let at = 0; at < count; at++) {
    const end = jsonEnd[at];
    if (isSse) out.ascii(`id: ${timeUs[at]}\ndata: `);
    out.bytes(json, end - payloadBytesOf(end - startOf(jsonEnd, at)), end);
    out.ascii(isSse ? '\n\n' : '\n');
    ends[at] = out.length;
  }
  return { bytes: out.buffer.subarray(0, out.length), ends };
}
