// What earlier processes took, read back from the end of the log: enough to know what comes again, and what time it is in the
// stream. Once, at start.

import { type FrameType, fieldBytesMax, frameTypes } from '../decode/frame.ts';
import { headerBytesOf, payloadBytesOf } from '../event/websocket-frame.ts';
import { type BlockSlice, type StreamTimes, startOf } from '../log/block.ts';
import type { LogReader } from '../log/event-log.ts';
import { hasLittleMemory } from '../memory.ts';
import { FrameTimes } from './frame-times.ts';
import { earlierNumbering, type KeyedFrame, TakenFrames } from './taken-frames.ts';

/** Events after which enough is read back: a minute of the network. */
export const earlierEventsMin = 32_768;
const readBytesMax = (hasLittleMemory() ? 1 : 8) * 1024 * 1024;
/** The first stretch from the end that is read, in microseconds; each further one is twice as long. */
const firstStretchUs = 2_000_000;

/** What of the end of the log ingest goes by. */
export interface EarlierFrames {
  readonly taken: TakenFrames;
  readonly times: FrameTimes;
}

/** Reads it, and what has come since whenever it is asked again: who may have to begin at any moment is not kept waiting. */
export class EarlierReader {
  readonly #log: LogReader;
  readonly #taken: TakenFrames;
  #newestUs = Number.NEGATIVE_INFINITY;
  #overlapsUntilUs: number | undefined;
  /** Up to where it has been read; 0 before anything was. */
  #throughUs = 0;

  constructor(log: LogReader) {
    this.#log = log;
    this.#taken = new TakenFrames(log.didHashKey);
  }

  /** Of the log as it ends now. Calls must not overlap. @throws CodedError `LOG_CORRUPT`, `LOG_READ_FAILED`. */
  async read(): Promise<EarlierFrames> {
    const { lastTimeUs } = this.#log;
    if (this.#throughUs === 0) await this.#readBack(lastTimeUs);
    else await this.#readOn(lastTimeUs);
    this.#throughUs = lastTimeUs;
    return { taken: this.#taken, times: new FrameTimes(this.#newestUs, this.#overlapsUntilUs) };
  }

  async #readBack(lastTimeUs: number): Promise<void> {
    let events = 0;
    let sinceUs = Number.POSITIVE_INFINITY;
    let endUs = lastTimeUs;
    for (let stretchUs = firstStretchUs; endUs > 0 && events < earlierEventsMin; stretchUs *= 2) {
      const startUs = Math.max(0, endUs - stretchUs);
      for await (const slice of slicesOf(this.#log, startUs, endUs)) {
        const { nowUs, overlapUntilUs } = timesOf(slice);
        this.#newestUs = Math.max(this.#newestUs, nowUs);
        sinceUs = Math.min(sinceUs, nowUs);
        if (endUs === lastTimeUs) this.#overlapsUntilUs = overlapUntilUs;
        noteEvents(slice, this.#taken, Number.NaN);
        events += slice.index.count;
      }
      endUs = startUs;
    }
    // Else it is the whole log, and nothing else was ever taken.
    if (endUs > 0) this.#taken.beginAt(sinceUs);
  }

  async #readOn(lastTimeUs: number): Promise<void> {
    for await (const slice of slicesOf(this.#log, this.#throughUs, lastTimeUs)) {
      const { nowUs, overlapUntilUs } = timesOf(slice);
      this.#newestUs = Math.max(this.#newestUs, nowUs);
      this.#overlapsUntilUs = overlapUntilUs;
      noteEvents(slice, this.#taken, nowUs);
    }
  }
}

/** Of logs of earlier versions: when its events came is when they were made, about. */
function timesOf({ index }: BlockSlice): StreamTimes {
  return index.stream ?? { nowUs: index.lastTimeUs };
}

function noteEvents({ index, messages }: BlockSlice, taken: TakenFrames, nowUs: number): void {
  for (let event = 0; event < index.count; event++) {
    const start = startOf(index.jsonEnd, event);
    const payload = payloadBytesOf(index.jsonEnd[event] - start);
    const from = start + headerBytesOf(payload);
    const frame = keyedFrameOf(messages.subarray(from, from + payload));
    if (frame !== undefined) taken.note(frame, earlierNumbering, nowUs);
  }
}

async function* slicesOf(log: LogReader, afterUs: number, throughUs: number): AsyncGenerator<BlockSlice> {
  for (let positionUs = afterUs; positionUs < throughUs; ) {
    const read = await log.read(positionUs, 'json', readBytesMax);
    for (const slice of read.slices) if (slice.index.firstTimeUs <= throughUs) yield slice;
    if (read.throughUs <= positionUs) return;
    positionUs = read.throughUs;
  }
}

/** The beginning of a commit's event, as lib/event/event-writer.ts writes it: all that is needed of the most. */
const commitStart = /^\{"did":"([^"\\]+)","time_us":\d+,"kind":"commit","commit":\{"rev":"([^"\\]*)"/;
const commitStartBytes = 2 * fieldBytesMax;

const typesOf: Readonly<Record<string, FrameType>> = {
  commit: frameTypes.commit,
  identity: frameTypes.identity,
  account: frameTypes.account,
  sync: frameTypes.sync,
};

/** What an event's JSON says of its frame. Undefined for what is no event, which is not here to be judged. */
function keyedFrameOf(json: Uint8Array): KeyedFrame | undefined {
  const start = Buffer.prototype.latin1Slice.call(json, 0, Math.min(json.length, commitStartBytes));
  const commit = commitStart.exec(start);
  if (commit !== null) return keyedFrame(frameTypes.commit, 0, commit[1], commit[2], '', '');
  const event = JSON.parse(Buffer.prototype.utf8Slice.call(json, 0, json.length));
  const type = typesOf[event.kind];
  const said = event[event.kind];
  if (type === undefined || said === undefined) return undefined;
  const { rev = '', time = '', handle, status, seq = 0 } = said;
  return keyedFrame(type, seq, event.did, rev, time, handle ?? status ?? '');
}

function keyedFrame(
  type: FrameType,
  seq: number,
  ...texts: [did: string, rev: string, time: string, what: string]
): KeyedFrame {
  const [did, rev, time, what] = texts.map((text) => Buffer.byteLength(text));
  return {
    type,
    seq,
    bytes: Buffer.from(texts.join('')),
    didStart: 0,
    didEnd: did,
    revStart: did,
    revEnd: did + rev,
    timeStart: did + rev,
    timeEnd: did + rev + time,
    handleOrStatusStart: did + rev + time,
    handleOrStatusEnd: did + rev + time + what,
  };
}
