// The client against the daemon, fed by the simulator whose ledger knows every event.

import { readFileSync } from 'node:fs';
import { beforeAll, expect, test, vi } from 'vitest';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../../test/support/daemon.ts';
import { DeliveryLedger, type V1Message } from '../../test/support/delivery-ledger.ts';
import {
  type CommitEvent,
  type EventStream,
  type StreamEvent,
  type StreamNotice,
  type SubscribeOptions,
  subscribe,
} from '../lib/subscribe.ts';
import { TcpProxy } from './tcp-proxy.ts';

const soon = { retryMinMs: 1, retryFirstMs: 5, retryMaxMs: 50, saveIntervalMs: 5 };
const like = 'app.bsky.feed.like';
let pool: FramePool;
let firstSeq: number;
beforeAll(async () => {
  pool = await FramePool.generate(new SyntheticNetwork({ seed: 'client', accounts: 12 }), 300);
  firstSeq = pool.seqAt(0);
});

/** A relay, a daemon and a proxy before it, whose address stays. */
async function running() {
  const relay = await RelayServer.listen({ source: pool });
  const daemon = await Daemon.start(['--ws-url', relay.url]);
  const proxy = await TcpProxy.listen(Number(new URL(daemon.url).port));
  await vi.waitFor(() => expect(relay.connections).toBe(1));
  return {
    relay,
    daemon,
    proxy,
    url: proxy.url,
    async restart() {
      await daemon.service.stop();
      proxy.target = 0;
      proxy.cut();
      await daemon.restart(['--ws-url', relay.url]);
      proxy.target = Number(new URL(daemon.url).port);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
      await relay.close();
    },
  };
}

/** Publishes frames and follows a stream until it has delivered all their events. */
async function publishedEvents({ relay, url }: { relay: RelayServer; url: string }, frames: number) {
  await relay.publish(frames);
  const whole = new Follower({ url, cursor: 0 });
  await vi.waitFor(() => expect(whole.ledger.missing(firstSeq, relay.headSeq + 1).count).toBe(0));
  await whole.stream.close();
  return whole.events;
}

/** Follows a stream in the background and keeps what it delivers. */
class Follower {
  readonly ledger: DeliveryLedger;
  readonly events: StreamEvent[] = [];
  readonly syncs: StreamEvent[] = [];
  readonly verdicts = { new: 0, duplicate: 0, foreign: 0 };
  readonly notices: StreamNotice[] = [];
  readonly stream: EventStream<StreamEvent>;
  readonly done: Promise<void>;

  constructor(options: SubscribeOptions, perEvent: () => unknown = () => {}) {
    this.ledger = new DeliveryLedger(pool, firstSeq);
    this.stream = subscribe({ timing: soon, onNotice: (notice) => this.notices.push(notice), ...options });
    this.done = this.#follow(perEvent);
  }

  async #follow(perEvent: () => unknown): Promise<void> {
    for await (const event of this.stream) {
      if (event.kind === 'sync') {
        // The ledger is of what the first wire shows.
        this.syncs.push(event);
        continue;
      }
      this.events.push(event);
      this.verdicts[this.ledger.take(event as V1Message)]++;
      await perEvent();
    }
  }
}

test('restarts of the server and broken connections: nothing missed, nothing twice', async () => {
  await using server = await running();
  const { relay, proxy } = server;
  await relay.publish(200);
  proxy.breakAfterBytes.push(50_000, 3_000, 100, 20_000, 1);
  const followers = [
    new Follower({ url: server.url, cursor: 0 }),
    new Follower({ url: server.url, cursor: 0, compress: true }),
    new Follower({ url: server.url, cursor: 0, wire: 'v2' }),
    new Follower({ url: server.url, cursor: 0, wire: 'v2', compress: true }),
  ];
  const all = () => {
    const missing = followers.map(({ ledger }) => ledger.missing(firstSeq, relay.headSeq + 1).count);
    expect(missing).toEqual([0, 0, 0, 0]);
  };
  await vi.waitFor(all, 10_000);
  for (let restart = 0; restart < 3; restart++) {
    await relay.publish(150);
    const stopping = server.restart();
    await relay.publish(150);
    await stopping;
    await relay.publish(150);
    await vi.waitFor(all, 10_000);
    proxy.cut();
  }
  await vi.waitFor(all, 10_000);
  for (const { stream, verdicts, events, done } of followers) {
    await stream.close();
    await done;
    expect(verdicts).toEqual({ new: events.length, duplicate: 0, foreign: 0 });
    expect(stream.status.connections).toBeGreaterThanOrEqual(4);
    expect(stream.status.malformed).toEqual({
      not_json: 0,
      not_an_event: 0,
      unknown_kind: 0,
      bad_frame: 0,
      too_large: 0,
    });
  }
  const [plain, compressed, ...second] = followers.map(({ events }) => events);
  expect(plain.length).toBeGreaterThan(1_000);
  expect(compressed).toEqual(plain);
  // One coordinate for both wires.
  const numbered = plain.map((event) => ({ ...event, seq: event.time_us }));
  for (const events of second) expect(events).toEqual(numbered);
  const syncs = followers.map((follower) => follower.syncs);
  expect(syncs[2].length).toBeGreaterThan(0);
  expect(syncs).toEqual([[], [], syncs[2], syncs[2]]);
  expect(new Set(syncs[2].map(({ seq }) => seq)).size).toBe(syncs[2].length);
  expect(followers.map(({ stream }) => stream.status.wire)).toEqual(['v1', 'v1', 'v2', 'v2']);
});

test('a consumer that dies and comes back gets what it had not finished', async () => {
  await using server = await running();
  const { relay } = server;
  await relay.publish(300);
  let saved: number | undefined;
  const cursorStore = {
    load: () => saved,
    save: (cursor: number) => {
      saved = cursor;
    },
  };
  const ledger = new DeliveryLedger(pool, firstSeq);
  const verdicts = { new: 0, duplicate: 0, foreign: 0 };
  let runs = 0;
  for (; ledger.missing(firstSeq, relay.headSeq + 1).count > 0; runs++) {
    let left = 7 + runs * 20;
    for await (const event of subscribe({ url: server.url, cursor: 0, cursorStore, timing: soon })) {
      // The last of each run is not finished: it comes again.
      if (left-- === 0) break;
      verdicts[ledger.take(event as V1Message)]++;
      if (ledger.missing(firstSeq, relay.headSeq + 1).count === 0) break;
    }
  }
  expect(runs).toBeGreaterThan(3);
  // Before its first report of progress a server counts as one that shares times: the last event comes again.
  expect(verdicts.duplicate).toBeLessThanOrEqual(runs);
  expect(verdicts.foreign).toBe(0);
});

test('a slow consumer makes the stream wait, and loses nothing', async () => {
  await using server = await running();
  const { relay } = server;
  await relay.publish(1_000);
  let most = 0;
  const follower = new Follower({ url: server.url, cursor: 0, queue: { eventsMax: 64 } }, () => {
    most = Math.max(most, follower.stream.status.queuedEvents);
    return new Promise(setImmediate);
  });
  await vi.waitFor(() => expect(follower.ledger.missing(firstSeq, relay.headSeq + 1).count).toBe(0), {
    timeout: 15_000,
  });
  await follower.stream.close();
  await follower.done;
  expect(follower.verdicts).toMatchObject({ duplicate: 0, foreign: 0 });
  expect(most).toBeLessThanOrEqual(64);
  expect(follower.stream.status.pauses).toBeGreaterThan(2);
});

test('progress moves the cursor of a filter that matches nothing', async () => {
  await using server = await running();
  await publishedEvents(server, 200);
  const saves: number[] = [];
  const cursorStore = { load: () => undefined, save: (cursor: number) => void saves.push(cursor) };
  const nobody = ['did:plc:nobodynobodynobodynobody'];
  const follower = new Follower({ url: server.url, cursor: 1, wantedDids: nobody, cursorStore });
  await vi.waitFor(() => expect(follower.stream.status.live).toBe(true));
  const { cursor } = follower.stream.status;
  expect(cursor).toBeGreaterThan(1);
  await vi.waitFor(() => expect(saves).toContain(cursor));
  expect(follower.events).toEqual([]);
  expect(follower.notices.map(({ kind }) => kind)).toEqual(['connected', 'caught_up', 'progress']);
  await follower.stream.close();
});

test('a bounded replay ends by itself', async () => {
  await using server = await running();
  const events = await publishedEvents(server, 200);
  const times = events.map(({ time_us }) => time_us);
  const bounded = new Follower({ url: server.url, cursor: times[5], untilUs: times[90] });
  await bounded.done;
  expect(bounded.events).toEqual(events.slice(5, 90));
});

test.each(['v1', 'v2'] as const)(
  'updates, kinds, operations, a filter too long for a URL: %s',
  async (wire) => {
    await using server = await running();
    const { relay } = server;
    const events = await publishedEvents(server, 300);
    const at = { url: server.url, cursor: 0, wire };
    const shape = ({ seq: _, ...event }: StreamEvent) => event;
    const deletes = new Follower({
      ...at,
      wantedKinds: ['commit'],
      wantedOperations: ['delete'],
    });
    const likes = new Follower({ ...at, wantedCollections: [like] });
    const { did } = events[0];
    const others = Array.from({ length: 99_999 }, (_, at) => `did:plc:${String(at).padStart(24, 'z')}`);
    const many = new Follower({ ...at, wantedDids: [...others, did] });
    const followers = [deletes, likes, many];
    const told = ({ notices }: Follower) =>
      notices.some((notice) => notice.kind === 'progress' && notice.live);
    await vi.waitFor(() => expect(followers.map(told)).toEqual([true, true, true]), 10_000);
    const collectionOf = (event: StreamEvent) => (event.kind === 'commit' ? event.commit.collection : like);
    const operationOf = (event: StreamEvent) => (event.kind === 'commit' ? event.commit.operation : '');
    expect(deletes.events.map(shape)).toEqual(events.filter((event) => operationOf(event) === 'delete'));
    expect(likes.events.map(shape)).toEqual(events.filter((event) => collectionOf(event) === like));
    expect(many.events.map(shape)).toEqual(events.filter((event) => event.did === did));
    expect([deletes, likes, many].map(({ events }) => events.length > 0)).toEqual([true, true, true]);
    const before = likes.events.length;
    likes.stream.update({ wantedCollections: ['app.bsky.feed.post'] });
    await vi.waitFor(async () => {
      await relay.publish(5);
      expect(likes.events.slice(before).map(collectionOf)).toContain('app.bsky.feed.post');
    });
    // No new connection was needed for it.
    expect(likes.stream.status.connections).toBe(1);
    // A filter of that size replaces another, too, and outlives a connection.
    const wantedDids = [...others.slice(1), events[0].did, events[1].did];
    many.stream.update({ wantedDids });
    server.proxy.cut();
    const seen = many.events.length;
    await vi.waitFor(async () => {
      await relay.publish(5);
      const dids = new Set(many.events.slice(seen).map((event) => event.did));
      expect(dids).toEqual(new Set(events.slice(0, 2).map((event) => event.did)));
    }, 10_000);
    for (const { stream } of followers) await stream.close();
  },
);

test('subjects: what points at an account or a record, and its deletion', async () => {
  await using server = await running();
  const events = await publishedEvents(server, 300);
  const pathOf = ({ did, commit }: CommitEvent) => `${did}/${commit.collection}/${commit.rkey}`;
  const records = new Map<string, string>();
  /** By event, the text of its record; that of a deleted one from when it was written. */
  const texts = new Map<StreamEvent, string>();
  for (const event of events) {
    if (event.kind !== 'commit') continue;
    if (event.commit.operation !== 'delete') records.set(pathOf(event), JSON.stringify(event.commit.record));
    texts.set(event, records.get(pathOf(event)) ?? '');
  }
  const pointing = (...starts: string[]) =>
    events.filter((event) => starts.some((start) => texts.get(event)?.includes(start)));
  const removed = events.find(
    (event) =>
      event.kind === 'commit' && event.commit.operation === 'delete' && /at:/.test(texts.get(event) ?? ''),
  ) as StreamEvent;
  const uri = /at:[^"]+/.exec(texts.get(removed) as string)?.[0] as string;
  const account = uri.split('/')[2];
  const others = Array.from({ length: 99_999 }, (_, at) => `at://${account}/a.b.c/${at}`);
  const follow = (...wantedSubjects: string[]) =>
    new Follower({ url: server.url, cursor: 0, wantedSubjects });
  const followers = [follow(account), follow(uri), follow(...others, uri)];
  const told = ({ notices }: Follower) => notices.some((notice) => notice.kind === 'progress' && notice.live);
  await vi.waitFor(() => expect(followers.map(told)).toEqual([true, true, true]), 10_000);
  const ofAccount = pointing(`"${account}"`, `"at://${account}/`);
  const ofRecord = pointing(`"${uri}"`);
  expect(ofRecord.length).toBeGreaterThan(1);
  expect(ofAccount.length).toBeGreaterThan(ofRecord.length);
  expect(followers.map((follower) => follower.events)).toEqual([ofAccount, ofRecord, ofRecord]);
  for (const { stream } of followers) await stream.close();
});

test('the dictionary is fetched, and fetched again when the server has changed it', async () => {
  await using server = await running();
  const events = await publishedEvents(server, 50);
  const fetched: string[] = [];
  const other = Uint8Array.from(readFileSync(defaultDictionaryPath()));
  other[4] ^= 1;
  const platform = {
    // The first answer is from before a restart with another dictionary.
    fetch: async (url: string, options: RequestInit): Promise<Response> => {
      const response = await fetch(url, options);
      const { pathname } = new URL(url);
      // The question why a handshake was refused is not of interest.
      if (!pathname.startsWith('/dictionaries')) return response;
      fetched.push(pathname);
      return fetched.length === 2 ? new Response(other) : response;
    },
  };
  const follower = new Follower({ url: server.url, cursor: 0, compress: true, platform });
  await vi.waitFor(() => expect(follower.events).toEqual(events));
  expect(fetched.length).toBe(4);
  expect(fetched[0]).toBe('/dictionaries');
  expect(fetched[1]).toMatch(/^\/dictionaries\/\d+$/);
  expect(follower.notices[0]).toMatchObject({ kind: 'disconnected', why: 'dictionary_changed' });
  await follower.stream.close();
});

test('the second wire: a filter, progress and its cursor', async () => {
  await using server = await running();
  const events = await publishedEvents(server, 300);
  const { did } = events[0];
  const follower = new Follower({
    url: server.url,
    ...{ wire: 'v2', cursor: 0, compress: true },
    ...{ wantedDids: [did], wantedKinds: ['commit'], wantedOperations: ['create'] },
  });
  const { stream, notices } = follower;
  await vi.waitFor(() => expect(stream.status.live).toBe(true));
  const shape = ({ seq: _, ...event }: StreamEvent) => event;
  const isCreated = (event: StreamEvent) => event.kind === 'commit' && event.commit.operation === 'create';
  const wanted = events.filter((event) => event.did === did && isCreated(event));
  await vi.waitFor(() => expect(follower.events.map(shape)).toEqual(wanted));
  expect(wanted.length).toBeGreaterThan(0);
  // All that was looked through counts, beyond the last event that matched.
  expect(stream.status.newestUs).toBe(events.at(-1)?.time_us);
  expect(notices.map(({ kind }) => kind)).not.toContain('disconnected');
  await stream.close();
  const unknown = new Follower({ url: server.url, wire: 'v2', wantedCollections: ['?'] });
  await expect(unknown.done).rejects.toMatchObject({
    code: 'CLIENT_REFUSED',
    message: expect.stringContaining('InvalidRequest'),
  });
});
