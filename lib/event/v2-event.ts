// The JSON of an event on the second wire (`network.bsky.jetstream.subscribeEvents`), made from the stored JSON of the first
// without parsing it: the stored text is ours, so that each part has its place. What is stored and which events are shown is
// decided elsewhere; lib/fanout calls it for whole blocks, lib/wire for what the server says of its own accord.

import type { ByteWriter } from '../byte-writer.ts';
import { eventKinds } from './event.ts';

/** Names the method of this wire, and its payloads in front of a `#`. */
export const subscribeEventsNsid = 'network.bsky.jetstream.subscribeEvents';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const zero = 0x30;

/** What stands in front of the DID, and what follows it up to `time_us`, in the stored JSON. */
const storedDid = '{"did":';
const storedTime = ',"time_us":';

/** `2026-11-29T03:04:02.123456Z`, without what is below a second. */
const secondText = 'YYYY-MM-DDTHH:MM:SS';
const seqText = ',"seq":';
const timeText = ',"time":"';

/** What differs between kinds, by their numbers. */
const shapes = Object.entries(eventKinds).map(([name, kind]) => {
  const isCommit = kind === eventKinds.commit;
  return {
    prefix: Buffer.from(messageStart(name)),
    // A commit's fields are the payload's own, what others wrap stays whole.
    skipped: `,"kind":"${name}",${isCommit ? `"commit":{` : ''}`.length,
    suffix: Buffer.from(isCommit ? '' : '}'),
  };
});

/** By how many bytes a message is longer than the stored JSON that it is made from, by the kind's number. */
export const v2BytesMore: readonly number[] = shapes.map(
  ({ prefix, skipped, suffix }) =>
    prefix.length -
    storedDid.length +
    `${seqText}${timeText}${secondText}.ffffffZ",`.length -
    storedTime.length -
    skipped +
    suffix.length,
);

function messageStart(name: string): string {
  return `{"$type":"message","payload":{"$type":"${subscribeEventsNsid}#${name}","did":`;
}

/** Writes events of this wire; keeps the text of the last second. */
export class V2EventWriter {
  #second = -1;
  readonly #secondText = Buffer.alloc(secondText.length);

  /** Appends the message of the event whose stored JSON is `json[start, end)`. @param timeUs the event's, which the JSON has too. */
  write(out: ByteWriter, json: Uint8Array, start: number, end: number, kind: number, timeUs: number): void {
    const { prefix, skipped, suffix } = shapes[kind];
    out.bytes(prefix);
    const didStart = start + storedDid.length;
    const didEnd = textEnd(json, didStart);
    out.bytes(json, didStart, didEnd);
    out.ascii(seqText);
    const seqStart = didEnd + storedTime.length;
    let seqEnd = seqStart;
    while (json[seqEnd] !== comma) seqEnd++;
    out.bytes(json, seqStart, seqEnd);
    this.#time(out, timeUs);
    out.bytes(json, seqEnd + skipped, end);
    out.bytes(suffix);
  }

  #time(out: ByteWriter, timeUs: number): void {
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText.write(new Date(second * 1000).toISOString(), 'latin1');
    }
    out.ascii(timeText);
    out.bytes(this.#secondText);
    out.reserve(10);
    const { buffer, length } = out;
    let left = timeUs - second * 1e6;
    for (let at = length + 6; at > length; at--) {
      buffer[at] = zero + (left % 10);
      left = Math.floor(left / 10);
    }
    buffer[length] = 0x2e;
    out.length = length + 7;
    out.ascii('Z",');
  }
}

/** Where the JSON string ends that begins at `start`, behind its closing quote. */
function textEnd(json: Uint8Array, start: number): number {
  let at = start + 1;
  while (json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return at + 1;
}
