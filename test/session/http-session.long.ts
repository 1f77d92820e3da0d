// Subscriptions over plain HTTP against the daemon: the same events as over a WebSocket, each once, over restarts too.

import { expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from '../../lib/websocket.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { TestEventSource } from '../http/event-source.ts';
import { Daemon } from '../support/daemon.ts';
import { DeliveryLedger, type V1Message } from '../support/delivery-ledger.ts';

const everything = 'cursor=0&limit=1000000';

async function running(flags: readonly string[] = []) {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'text', accounts: 12 }), 300);
  const relay = await RelayServer.listen({ source: pool });
  onTestFinished(() => relay.close());
  const daemon = await Daemon.start(['--ws-url', relay.url, ...flags]);
  onTestFinished(() => daemon[Symbol.asyncDispose]());
  await vi.waitFor(() => expect(relay.connections).toBe(1));
  const firstSeq = pool.seqAt(0);
  /** Lines of a pull. */
  const pull = async (query: string): Promise<string[]> => {
    const response = await fetch(`${daemon.httpUrl}/events.ndjson?${query}`);
    const text = await response.text();
    expect([response.status, text.at(-1) ?? '\n']).toEqual([200, '\n']);
    return text.split('\n').slice(0, -1);
  };
  return {
    daemon,
    relay,
    pull,
    /** Lines of all that the relay has published, each event once, as soon as they are all there. */
    whole(): Promise<string[]> {
      return vi.waitFor(async () => {
        const lines = await pull(everything);
        const ledger = new DeliveryLedger(pool, firstSeq);
        for (const line of lines) expect(ledger.take(JSON.parse(line) as V1Message)).toBe('new');
        expect(ledger.missing(firstSeq, relay.headSeq + 1).count).toBe(0);
        return lines;
      }, 10_000);
    },
    async restart(whileDown: () => Promise<void>) {
      await daemon.service.stop();
      await whileDown();
      await daemon.restart(['--ws-url', relay.url, ...flags]);
    },
  };
}

/** What a WebSocket gets, up to a number of messages. */
function messages(url: string, count: number): Promise<string[]> {
  const socket = new WebSocket(url);
  const texts: string[] = [];
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('message', (data: Buffer) => {
      if (texts.push(data.toString()) !== count) return;
      socket.terminate();
      resolve(texts);
    });
  });
}

const timeUsOf = (text: string): number => (JSON.parse(text) as { time_us: number }).time_us;

test.each([[[]], [['--workers', '1']]])(
  'a filter chooses the same events as over a WebSocket, replayed and live; flags %j',
  async (flags) => {
    const { daemon, relay, pull, whole } = await running(flags);
    await relay.publish(200);
    await whole();
    for (const filter of [
      'maxMessageSizeBytes=0',
      'wantedCollections=app.bsky.feed.*&wantedKinds=commit',
      'wantedOperations=delete&maxMessageSizeBytes=400',
    ]) {
      const stream = new TestEventSource();
      await stream.connect(`${daemon.httpUrl}/events?cursor=0&${filter}`);
      await vi.waitFor(() => expect(stream.texts().length).toBeGreaterThan(0));
      await relay.publish(50);
      await whole();
      const lines = await pull(`${everything}&${filter}`);
      expect(lines.length).toBeGreaterThan(5);
      await vi.waitFor(() => expect(stream.texts()).toEqual(lines));
      expect(await messages(`${daemon.url}?cursor=0&${filter}`, lines.length)).toEqual(lines);
      expect(stream.parser.events.map(({ id }) => Number(id))).toEqual(lines.map(timeUsOf));
      stream.answer?.destroy();
    }
  },
);

test('an EventSource that connects again gets each event once, over restarts of the daemon too', async () => {
  const { daemon, relay, whole, restart } = await running();
  await relay.publish(30);
  const before = (await whole()).length;
  const [live, rare] = [new TestEventSource(), new TestEventSource()];
  const connect = async (): Promise<void> => {
    await live.connect(`${daemon.httpUrl}/events`);
    await rare.connect(`${daemon.httpUrl}/events?wantedKinds=identity&cursor=0`);
  };
  await connect();
  // Its position is there before any event, and is enough.
  await vi.waitFor(() => expect(live.parser.lastEventId).not.toBe(''));
  for (let round = 1; round <= 3; round++) {
    await restart(() => relay.publish(100));
    await vi.waitFor(() => expect([live.closes, rare.closes]).toEqual([2 * round - 1, 2 * round - 1]));
    await connect();
    await relay.publish(100);
    await vi.waitFor(() => expect(live.texts().length).toBeGreaterThan(round * 100));
    live.answer?.destroy();
    rare.answer?.destroy();
    await vi.waitFor(() => expect([live.closes, rare.closes]).toEqual([2 * round, 2 * round]));
    await relay.publish(50);
    await connect();
  }
  const lines = await whole();
  const identities = lines.filter((text) => text.includes('"kind":"identity"'));
  expect(identities).not.toEqual([]);
  await vi.waitFor(() => expect(live.texts()).toHaveLength(lines.length - before));
  await vi.waitFor(() => expect(rare.texts()).toHaveLength(identities.length));
  expect(live.texts()).toEqual(lines.slice(before));
  expect(rare.texts()).toEqual(identities);
  live.answer?.destroy();
  rare.answer?.destroy();
});

test('pulls one after the other are the whole, by the last event or by time', async () => {
  const { relay, pull, ...server } = await running();
  await relay.publish(250);
  const whole = await server.whole();
  const byLimit: string[] = [];
  for (let cursor = 0, more = true; more; ) {
    const lines = await pull(`cursor=${cursor}&limit=37`);
    expect(lines.length).toBeLessThanOrEqual(37);
    byLimit.push(...lines);
    more = lines.length === 37;
    cursor = timeUsOf(byLimit.at(-1) as string) + 1;
  }
  expect(byLimit).toEqual(whole);
  // Bounds that are the time of an event: it is in the later window.
  const byTime: string[] = [];
  const bounds = [
    0,
    ...[10, 11, 100, 200].map((at) => timeUsOf(whole[at])),
    timeUsOf(whole.at(-1) as string) + 1,
  ];
  for (let at = 1; at < bounds.length; at++) {
    const window = await pull(`cursor=${bounds[at - 1]}&until=${bounds[at]}`);
    byTime.push(...window);
    expect(byTime).toHaveLength([10, 11, 100, 200, whole.length][at - 1]);
  }
  expect(byTime).toEqual(whole);
  const byProgress: string[] = [];
  for (let cursor = 0, live = false; !live; ) {
    const lines = await pull(`cursor=${cursor}&limit=50&progress=true&wantedKinds=identity`);
    const { progress } = JSON.parse(lines.pop() as string);
    byProgress.push(...lines);
    ({ cursor, live } = progress);
  }
  expect(byProgress).toEqual(whole.filter((text) => text.includes('"kind":"identity"')));
});

test('the daemon counts them with its other subscribers', async () => {
  const { daemon, relay, pull, whole } = await running();
  await relay.publish(20);
  await whole();
  const stream = new TestEventSource();
  await stream.connect(`${daemon.httpUrl}/events?cursor=0`);
  await pull('limit=7');
  await vi.waitFor(async () => expect(await daemon.metric('slipstream_subscribers')).toBe(1));
  stream.answer?.destroy();
  await vi.waitFor(async () => expect(await daemon.metric('slipstream_subscribers')).toBe(0));
});
