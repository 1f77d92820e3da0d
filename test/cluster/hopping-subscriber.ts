// A subscriber that goes from one serving node to another, with its cursor and nothing else, and notes all that it gets. One goes from
// wire to wire as well.

import type { DeliveryCheck } from '../crash/delivery-check.ts';
import { EventReader, type ReadRequest } from '../crash/event-reader.ts';
import { EventTrail } from '../crash/event-trail.ts';

/** What it asks for, everywhere. */
export interface HoppingRequest extends Omit<ReadRequest, 'cursor' | 'wire'> {
  readonly wire?: 'v1' | 'v2' | 'both';
}

/** See the file comment. */
export class HoppingSubscriber {
  readonly name: string;
  readonly trail = new EventTrail();
  /** The same events by what both wires say of them. */
  readonly marks = new EventTrail();
  hops = 0;
  /** The first thing that was wrong. */
  failure: string | undefined;
  /** Longest time between two events, and since the last one, in milliseconds. */
  longestPauseMs = 0;
  readonly check: DeliveryCheck | undefined;
  readonly #request: HoppingRequest;
  #reader: EventReader | undefined;
  #lastAtMs = 0;

  /** @param check of all events; none for those with a filter. */
  constructor(name: string, request: HoppingRequest, check?: DeliveryCheck) {
    this.name = name;
    this.#request = request;
    this.check = check;
  }

  /** Goes to the node at that address. */
  async hop(address: string): Promise<void> {
    await this.#reader?.close();
    this.hops++;
    const cursor = this.marks.count === 0 ? 0 : this.marks.lastTimeUs + 1;
    const { wire = 'v1', ...request } = this.#request;
    const spoken = wire === 'both' ? (this.hops % 2 === 0 ? 'v1' : 'v2') : wire;
    this.#reader = new EventReader(address, { ...request, wire: spoken, cursor }, (json) => {
      if (spoken === 'v1') this.#take(json);
      else this.#takeSecond(json);
    });
  }

  /** Begins to measure pauses. */
  watch(): void {
    this.longestPauseMs = 0;
    this.#lastAtMs = performance.now();
  }

  async end(): Promise<void> {
    await this.#reader?.close();
  }

  #take(json: Buffer): void {
    this.#came();
    const event = this.check?.take(json) ?? JSON.parse(json.toString());
    this.trail.push(json, event.did, event.commit?.collection ?? event.kind);
    const { rev = '', operation = '', collection = '', rkey = '' } = event.commit ?? {};
    this.#mark(event.time_us, event.kind, [event.did, rev, operation, collection, rkey]);
  }

  /** A message of the second wire. */
  #takeSecond(json: Buffer): void {
    const { $type, payload } = JSON.parse(json.toString());
    // It also tells of cursors: a node that is still empty takes them for too old, and all that comes later is right all the same.
    if ($type !== 'message' || payload.seq === undefined) return;
    this.#came();
    const { did, seq, rev = '', operation = '', collection = '', rkey = '' } = payload;
    const kind = String(payload.$type).replace(/^.*#/, '');
    this.#mark(
      seq,
      kind,
      kind === 'commit' ? [did, rev, operation, collection, rkey] : [did, '', '', '', ''],
    );
  }

  #mark(timeUs: number, kind: string, said: readonly string[]): void {
    const { lastTimeUs } = this.marks;
    if (!(timeUs > lastTimeUs)) this.failure ??= `${kind} at ${timeUs} comes after ${lastTimeUs}`;
    this.marks.push(Buffer.from(`{"time_us":${timeUs},"kind":"${kind}","said":"${said.join(' ')}"}`));
  }

  #came(): void {
    const nowMs = performance.now();
    if (this.#lastAtMs > 0) this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - this.#lastAtMs);
    this.#lastAtMs = nowMs;
  }
}
