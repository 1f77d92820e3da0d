// Made-up events as the daemon would send them, without a relay or a log: what dictionaries are trained and measured on
// where there are no real ones. It owns the clock of the events; what is in them is the network's.

import { ByteWriter } from '../lib/byte-writer.ts';
import { Frame, frameTypes } from '../lib/decode/frame.ts';
import { EventWriter } from '../lib/event/event-writer.ts';
import { SyntheticNetwork } from '../simulator/lib/network.ts';

/** Time between frames, in microseconds: the events spread over a year, so that no day of it is learned. */
const stepUs = 2_600_000_000;
const firstTimeUs = Date.UTC(2026, 0, 1) * 1000;

/** Gathers events one by one; takes the place of the block builder in the daemon. */
class EventCollector {
  readonly events: Buffer[] = [];
  readonly writer = new ByteWriter();
  #timeUs = firstTimeUs;

  begin(): number {
    this.writer.length = 0;
    this.#timeUs += stepUs - (this.events.length % 997);
    return this.#timeUs;
  }

  subject(): void {}

  end(): void {
    this.events.push(this.writer.copy());
  }

  abandon(): void {
    this.writer.length = 0;
  }
}

/** JSON of `count` events; the same for the same seed. */
export async function eventTexts(seed: string, count: number): Promise<Buffer[]> {
  // An account for every event and no history: an identifier that comes back would be learned.
  const network = new SyntheticNetwork({ seed, accounts: count, historyRecords: 0, stepUs });
  const collector = new EventCollector();
  const frame = new Frame();
  const eventWriter = new EventWriter(collector, () => {});
  while (collector.events.length < count) {
    const dropped = frame.read((await network.next()).bytes);
    if (dropped === undefined && frame.type <= frameTypes.account) eventWriter.write(frame);
  }
  return collector.events.slice(0, count);
}
