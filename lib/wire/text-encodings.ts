// What answers over plain HTTP have in common: the events of a block as lines of NDJSON, or as server-sent events, whose
// JSON is not touched (it has no line break in it); and what a session asks of an answer. The two forms of it are
// ndjson-body.ts and sse-body.ts.

import { ByteWriter } from '../byte-writer.ts';
import type { Gap } from '../event/coverage.ts';
import { payloadBytesOf } from '../event/websocket-frame.ts';
import type { Encoding, Messages } from '../fanout/encodings.ts';
import type { Progress } from '../fanout/transport.ts';
import type { BlockIndex } from '../log/block.ts';
import { startOf } from '../log/block.ts';

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

/** One answer under way; belongs to one session. */
export interface TextBody {
  readonly contentType: string;
  /** What caches and proxies may do with it. */
  readonly cacheControl: string;
  readonly encoding: Encoding;
  /** Whether the connection is worth keeping for another request when the answer has come to its end. */
  readonly keepsConnection: boolean;
  /** The last `time_us` that it wants; absent: there is none. */
  readonly throughUs?: number;
  /** Whether the client asked for progress; then it is told of gaps, too. */
  readonly wantsProgress: boolean;
  /** What comes first; may be empty. */
  readonly firstText: string;
  /** Whether all has been said. */
  readonly isComplete: boolean;
  /** What to write of a batch of `encoding`, which is not empty; may share its memory. */
  eventsOf(batch: Uint8Array): Uint8Array;
  /** What to write about progress; may be empty. */
  progressOf(report: Progress): string;
  /** What to write about a gap. */
  gapOf(gap: Gap): string;
  /** What to say at an end that is not the answer's own; undefined to break it off, so that nobody takes it for whole. */
  closingText(reason: string): string | undefined;
}
