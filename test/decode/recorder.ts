// Runs frames through the reader and the event writer, and remembers everything that comes out.

import { ByteWriter } from '../../lib/byte-writer.ts';
import type { V1OnlyReason } from '../../lib/decode/data-model.ts';
import type { DropReason } from '../../lib/decode/drop-reason.ts';
import { Frame } from '../../lib/decode/frame.ts';
import { writeRecord } from '../../lib/decode/record-json.ts';
import { RecordTape } from '../../lib/decode/record-tape.ts';
import { type EventSink, EventWriter } from '../../lib/event/event-writer.ts';
import { map } from './raw-cbor.ts';

/** `time_us` of the first event; those after it count up. */
export const firstTimeUs = 1_800_000_000_000_001;

/** What the sink was told of one event. */
export interface RecordedEvent {
  readonly json: string;
  readonly kind: number;
  readonly operation: number;
  readonly did: string;
  readonly collection: string;
  readonly isV1Only?: true;
}

/** A sink that keeps what it is given, and the frame and writer in front of it. */
export class Recorder implements EventSink {
  readonly writer = new ByteWriter(64);
  readonly frame = new Frame();
  events: RecordedEvent[] = [];
  drops: DropReason[] = [];
  /** Why events are for the first wire alone. */
  v1Only: V1OnlyReason[] = [];
  #timeUs = firstTimeUs;
  #start = -1;
  /** Of each event: its path, and behind it the texts of its record that may be subjects. */
  subjects: string[][] = [];
  #openSubjects: string[] = [];
  readonly #events = new EventWriter(
    this,
    (reason) => this.drops.push(reason),
    (reason) => this.v1Only.push(reason),
  );

  begin(): number {
    if (this.#start >= 0) throw new Error('begin before the end of the event before');
    this.#start = this.writer.length;
    return this.#timeUs++;
  }

  subject(source: Uint8Array, start: number, end: number): void {
    this.#openSubjects.push(Buffer.from(source.subarray(start, end)).toString());
  }

  end(
    kind: number,
    operation: number,
    source: Uint8Array,
    didStart: number,
    didEnd: number,
    pathStart: number,
    collectionEnd: number,
    pathEnd: number,
    isV1Only: boolean,
  ): void {
    const bytes = Buffer.from(source.buffer, source.byteOffset, source.length);
    this.events.push({
      json: this.writer.buffer.toString('utf8', this.#start, this.writer.length),
      kind,
      operation,
      did: bytes.toString('utf8', didStart, didEnd),
      collection: bytes.toString('utf8', pathStart, collectionEnd),
      ...(isV1Only && { isV1Only }),
    });
    this.subjects.push([bytes.toString('utf8', pathStart, pathEnd), ...this.#openSubjects]);
    this.#openSubjects = [];
    this.#start = -1;
    this.writer.length = 0;
  }

  /** Reads and writes one frame; `events` and `drops` are then those of this frame. */
  take(frame: Uint8Array): this {
    this.events = [];
    this.subjects = [];
    this.drops = [];
    this.v1Only = [];
    const reason = this.frame.read(frame);
    if (reason !== undefined) this.drops.push(reason);
    const count = this.#events.write(this.frame);
    if (count !== this.events.length)
      throw new Error(`write said ${count}, the sink saw ${this.events.length}`);
    return this;
  }

  get json(): string[] {
    return this.events.map((event) => event.json);
  }
}

const tape = new RecordTape();

/** What {@link recordJson} gives for what is no record. */
export const drop = 'drop';

/** The JSON of one record given as CBOR, or {@link drop}. */
export function recordJson(cbor: Uint8Array): string {
  if (!tape.read(cbor, 0, cbor.length)) return drop;
  const out = new ByteWriter(16);
  writeRecord(out, tape);
  return out.buffer.toString('utf8', 0, out.length);
}

/** The JSON of the value of a record with one member, or {@link drop}. */
export function member(value: Buffer): string {
  const json = recordJson(map(['v', value]));
  return json === drop ? drop : json.slice('{"v":'.length, -1);
}
