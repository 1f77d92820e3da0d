// The JSON of an event on the second wire (`network.bsky.jetstream.subscribeEvents`), made from the stored JSON of the first
// without parsing it: the stored text is ours, so that each part has its place. What is stored and which events are shown is
// decided elsewhere; lib/fanout calls it for whole blocks, lib/wire for what the server says of its own accord.

import { eventKinds } from './event.ts';

/** Names the method of this wire, and its payloads in front of a `#`. */
export const subscribeEventsNsid = 'network.bsky.jetstream.subscribeEvents';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const zero = 0x30;
const closeBrace = 0x7d;

/** What stands in front of the DID, and what follows it up to `time_us`, in the stored JSON. */
const storedDid = '{"did":';
const storedTime = ',"time_us":';

const seqText = Buffer.from(',"seq":');
/** What stands between `seq` and the fields of the payload, without its time. */
const timeText = ',"time":"YYYY-MM-DDTHH:MM:SS.ffffffZ",';
/** Where in it the second begins, without what is below, and where that ends. */
const secondAt = timeText.indexOf('Y');
const secondEnd = timeText.indexOf('.');
const fractionEnd = timeText.indexOf('Z');

/** What differs between kinds, by their numbers. */
const shapes = Object.entries(eventKinds).map(([name, kind]) => {
  const isCommit = kind === eventKinds.commit;
  return {
    prefix: Buffer.from(`{"$type":"message","payload":{"$type":"${subscribeEventsNsid}#${name}","did":`),
    // A commit's fields are the payload's own, what others wrap stays whole.
    skipped: `,"kind":"${name}",${isCommit ? `"commit":{` : ''}`.length,
    isWrapped: !isCommit,
  };
});

/** By how many bytes a message is longer than the stored JSON that it is made from, by the kind's number. */
export const v2BytesMore: readonly number[] = shapes.map(
  ({ prefix, skipped, isWrapped }) =>
    prefix.length -
    storedDid.length +
    seqText.length +
    timeText.length -
    storedTime.length -
    skipped +
    (isWrapped ? 1 : 0),
);

/** Writes events of this wire; keeps the text of the last second. */
export class V2EventWriter {
  #second = -1;
  readonly #time = Buffer.from(timeText);

  /**
   * Writes the message of the event whose stored JSON is `json[start, end)` to `out`, which has room for it at `at`: that of the
   * JSON, and {@link v2BytesMore}. Returns where it ends. @param timeUs the event's, which the JSON has too.
   */
  write(
    out: Uint8Array,
    at: number,
    json: Uint8Array,
    start: number,
    end: number,
    kind: number,
    timeUs: number,
  ): number {
    const { prefix, skipped, isWrapped } = shapes[kind];
    out.set(prefix, at);
    let to = at + prefix.length;
    // Short pieces byte by byte: a call to copy them costs as much as 60 of these.
    let from = start + storedDid.length;
    out[to++] = json[from++];
    for (let byte = json[from]; byte !== quote; byte = json[from]) {
      out[to++] = byte;
      from++;
      if (byte === backslash) out[to++] = json[from++];
    }
    out[to++] = json[from++];
    for (let index = 0; index < seqText.length; index++) out[to++] = seqText[index];
    for (from += storedTime.length; json[from] !== comma; from++) out[to++] = json[from];
    out.set(this.#timeOf(timeUs), to);
    to += timeText.length;
    from += skipped;
    out.set(json.subarray(from, end), to);
    to += end - from;
    if (isWrapped) out[to++] = closeBrace;
    return to;
  }

  #timeOf(timeUs: number): Uint8Array {
    const time = this.#time;
    const second = Math.floor(timeUs / 1e6);
    if (second !== this.#second) {
      this.#second = second;
      time.write(new Date(second * 1000).toISOString(), secondAt, secondEnd - secondAt, 'latin1');
    }
    let left = timeUs - second * 1e6;
    for (let at = fractionEnd - 1; at > secondEnd; at--) {
      const tenth = (left / 10) | 0;
      time[at] = zero + left - tenth * 10;
      left = tenth;
    }
    return time;
  }
}
