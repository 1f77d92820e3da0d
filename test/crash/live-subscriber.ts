// A subscriber that follows the daemon through all its lives, as a real one would: after each end it comes back with
// the last `time_us` plus one. It remembers every event, for the comparison with the log.

import type { DeliveryCheck } from './delivery-check.ts';
import { EventReader } from './event-reader.ts';
import { EventTrail } from './event-trail.ts';

/** See the file comment. */
export class LiveSubscriber {
  readonly name: string;
  readonly trail = new EventTrail();
  readonly check: DeliveryCheck;
  readonly #compressed: boolean;
  #reader: EventReader | undefined;

  constructor(name: string, check: DeliveryCheck, compressed: boolean) {
    this.name = name;
    this.check = check;
    this.#compressed = compressed;
  }

  /** Subscribes to the daemon at `address`, once the last connection is gone: what it had comes first. */
  async follow(address: string): Promise<void> {
    await this.settled();
    const cursor = this.trail.count === 0 ? 0 : this.trail.lastTimeUs + 1;
    this.#reader = new EventReader(address, { cursor, compressed: this.#compressed }, (json) => {
      const { commit, did, kind } = this.check.take(json);
      this.trail.push(json, did, commit?.collection ?? kind);
    });
  }

  /** Resolves when the connection to a daemon that has ended is read to its end. */
  async settled(): Promise<void> {
    await this.#reader?.closed;
  }
}
