// A sequence of delivered events, 16 bytes each: when, which bytes, what they are about. Two readers of the same log
// must have the same trail.

import { crc32 } from 'node:zlib';

const timeKey = Buffer.from('"time_us":');
const firstCapacity = 65_536;

/** `time_us` of a message, which has it right behind the DID; NaN when there is none. */
export function timeUsOf(json: Buffer): number {
  let at = json.indexOf(timeKey) + timeKey.length;
  if (at < timeKey.length) return Number.NaN;
  let timeUs = 0;
  for (let digit = json[at] - 0x30; digit >= 0 && digit <= 9; digit = json[++at] - 0x30) {
    timeUs = timeUs * 10 + digit;
  }
  return timeUs;
}

/** Topics to select by: events that are about one of them. */
export type Topics = ReadonlySet<string>;

/** See the file comment. */
export class EventTrail {
  #count = 0;
  #timesUs = new Float64Array(firstCapacity);
  #checksums = new Uint32Array(firstCapacity);
  /** Two for each event. */
  #topics = new Uint16Array(firstCapacity * 2);
  readonly #topicIds = new Map<string, number>([['', 0]]);

  get count(): number {
    return this.#count;
  }

  get firstTimeUs(): number {
    return this.#timesUs[0];
  }

  get lastTimeUs(): number {
    return this.#count === 0 ? 0 : this.#timesUs[this.#count - 1];
  }

  /** @param did and `collection`: what filters ask for; an event without a collection has its kind there. */
  push(json: Buffer, did = '', collection = ''): void {
    const at = this.#count++;
    if (at === this.#timesUs.length) this.#grow();
    this.#timesUs[at] = timeUsOf(json);
    this.#checksums[at] = crc32(json);
    this.#topics[at * 2] = this.#topicId(did);
    this.#topics[at * 2 + 1] = this.#topicId(collection);
  }

  /** Topics that start with `prefix`, the rarest first. */
  topics(prefix: string): string[] {
    const counts = new Uint32Array(this.#topicIds.size);
    for (const id of this.#topics.subarray(0, this.#count * 2)) counts[id]++;
    return [...this.#topicIds]
      .filter(([name]) => name.startsWith(prefix))
      .sort(([, one], [, other]) => counts[one] - counts[other])
      .map(([name]) => name);
  }

  /** `time_us` of the last event about one of the topics; 0 when there is none. */
  lastOf(topics?: Topics): number {
    const positions = this.#select(0, topics);
    return positions.length === 0 ? 0 : this.#timesUs[positions[positions.length - 1]];
  }

  /**
   * How `other` differs from this trail, in words; undefined when it does not. `other` may begin later, as a log does
   * whose front was deleted.
   * @param topics compare with this trail's events about them only.
   */
  difference(other: EventTrail, topics?: Topics): string | undefined {
    const own = this.#select(other.#count === 0 ? 0 : other.firstTimeUs, topics);
    const count = Math.min(own.length, other.#count);
    for (let at = 0; at < count; at++) {
      const timeUs = this.#timesUs[own[at]];
      const otherTimeUs = other.#timesUs[at];
      if (timeUs !== otherTimeUs) return `event ${at} is at ${otherTimeUs}, not at ${timeUs}`;
      if (this.#checksums[own[at]] !== other.#checksums[at])
        return `event ${at} at ${timeUs} has other bytes`;
    }
    return own.length === other.#count
      ? undefined
      : `there are ${other.#count} events, not ${own.length}; those that both have are the same`;
  }

  /** Places of events from `fromUs` on. */
  #select(fromUs: number, topics: Topics | undefined): Uint32Array {
    const wanted = new Uint8Array(this.#topicIds.size);
    for (const [name, id] of this.#topicIds) wanted[id] = topics === undefined || topics.has(name) ? 1 : 0;
    const positions = new Uint32Array(this.#count);
    let found = 0;
    for (let at = 0; at < this.#count; at++) {
      const isWanted = wanted[this.#topics[at * 2]] | wanted[this.#topics[at * 2 + 1]];
      if (this.#timesUs[at] >= fromUs && isWanted === 1) positions[found++] = at;
    }
    return positions.subarray(0, found);
  }

  #topicId(topic: string): number {
    let id = this.#topicIds.get(topic);
    if (id === undefined) {
      id = this.#topicIds.size;
      this.#topicIds.set(topic, id);
    }
    return id;
  }

  #grow(): void {
    const grown = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    const capacity = this.#timesUs.length * 2;
    this.#timesUs = grown(new Float64Array(capacity), this.#timesUs);
    this.#checksums = grown(new Uint32Array(capacity), this.#checksums);
    this.#topics = grown(new Uint16Array(capacity * 2), this.#topics);
  }
}
