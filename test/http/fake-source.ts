// A subscription source for tests: remembers who subscribed to what, and lets the test write.

import type { Filter } from '../../lib/event/filter.ts';
import type { Subscription, SubscriptionSource, Transport } from '../../lib/fanout/transport.ts';

/** One subscription, with all that was asked of it. */
export class FakeSubscription implements Subscription {
  readonly transport: Transport;
  readonly afterTimeUs: number | undefined;
  /** The first filter and its replacements. */
  readonly filters: Filter[];
  drains = 0;
  ends = 0;
  positionUs = 0;
  onDrained: () => void = () => {};

  constructor(transport: Transport, filter: Filter, afterTimeUs: number | undefined) {
    this.transport = transport;
    this.filters = [filter];
    this.afterTimeUs = afterTimeUs;
  }

  setFilter(filter: Filter): void {
    this.filters.push(filter);
  }

  drained(): void {
    this.drains++;
    this.onDrained();
  }

  end(): void {
    this.ends++;
  }
}

export class FakeSource implements SubscriptionSource {
  readonly subscriptions: FakeSubscription[] = [];

  subscribe(transport: Transport, filter: Filter, afterTimeUs: number | undefined): Subscription {
    const subscription = new FakeSubscription(transport, filter, afterTimeUs);
    this.subscriptions.push(subscription);
    return subscription;
  }
}

/** A text message as the server frames it, for payloads below 64 KiB. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const size = length < 126 ? [length] : [126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([0x81, ...size]), payload]);
}
