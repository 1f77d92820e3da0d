// Reads a daemon's whole log as several clients at once, lets live events follow, and compares: with the relay's
// history, with each other, and with what the live subscribers saw when it was new.

import { type Delivery, DeliveryCheck } from './delivery-check.ts';
import { EventReader, type ReadRequest } from './event-reader.ts';
import { EventTrail, type Topics } from './event-trail.ts';
import type { LiveSubscriber } from './live-subscriber.ts';
import type { ObservedRelay } from './observed-relay.ts';

interface Replay {
  readonly name: string;
  readonly request: Omit<ReadRequest, 'cursor'>;
  /** Topics that the request leads to; undefined is all. */
  readonly topics?: Topics;
}

/** Requests whose filters skip much of the log, beside those for all of it. */
function replaysOf(trail: EventTrail): Replay[] {
  const [did] = trail.topics('did:');
  const [collection] = trail.topics('app.');
  return [
    { name: 'replay, compressed', request: { compressed: true } },
    { name: `replay of ${did}`, request: { did, compressed: true }, topics: new Set([did]) },
    {
      name: `replay of ${collection}`,
      request: { collection },
      // Identity and account events have no collection and pass every filter of collections.
      topics: new Set([collection, 'identity', 'account']),
    },
  ];
}

/** What is compared: the part of a `CrashRun` that has it. */
export interface ComparedRun {
  readonly relay: ObservedRelay;
  readonly subscribers: readonly LiveSubscriber[];
  until(isTrue: () => boolean, what: string): Promise<void>;
  caughtUp(): Promise<void>;
  fail(what: string): never;
}

/** @param publishMore publishes events that have to follow what is replayed. */
export async function compareReplays(
  run: ComparedRun,
  address: string,
  log: 'whole' | 'trimmed',
  live: Delivery,
  publishMore: () => Promise<void>,
): Promise<void> {
  const beginning = log === 'whole' ? 'first event' : 'any event';
  const check = new DeliveryCheck(run.relay.history, 'exactly once', beginning);
  const whole = new EventTrail();
  const readers: EventReader[] = [];
  const read = (request: Omit<ReadRequest, 'cursor'>, take: (json: Buffer) => void): void => {
    readers.push(new EventReader(address, { ...request, cursor: 0 }, take));
  };
  read({}, (json) => {
    const { commit, did, kind } = check.take(json);
    whole.push(json, did, commit?.collection ?? kind);
  });
  const until = (isTrue: () => boolean, what: string): Promise<void> =>
    run.until(() => check.failure !== undefined || isTrue(), what);
  const { trail } = run.subscribers[0];
  await until(() => whole.lastTimeUs >= trail.lastTimeUs, 'the replay reaches the last live event');
  const others = replaysOf(whole).map((replay) => ({ ...replay, trail: new EventTrail() }));
  for (const other of others) read(other.request, (json) => other.trail.push(json));
  for (const other of others) {
    const lastUs = whole.lastOf(other.topics);
    await until(() => other.trail.lastTimeUs >= lastUs, `${other.name} reaches the last live event`);
  }
  await publishMore();
  await run.caughtUp();
  const ends = [{ trail: whole, topics: undefined }, ...others];
  await until(
    () => ends.every((one) => one.trail.lastTimeUs >= trail.lastOf(one.topics)),
    'replays go on with live events',
  );
  await Promise.all(readers.map((reader) => reader.close()));
  const differences = [
    ['replay against the relay', check.failure ?? check.missing()],
    ...others.map((one) => [one.name, whole.difference(one.trail, one.topics)]),
    ...(live === 'exactly once'
      ? run.subscribers.map((one) => [`replay against ${one.name}`, one.trail.difference(whole)])
      : []),
  ];
  for (const [name, difference] of differences) {
    if (difference !== undefined) run.fail(`${name}: ${difference}`);
  }
}
