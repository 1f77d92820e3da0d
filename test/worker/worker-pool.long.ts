import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';

const workers = ['--workers', '3'];

interface Message {
  readonly did: string;
  readonly time_us: number;
  readonly kind: string;
  readonly commit?: { readonly collection: string };
}

/** A subscription that keeps what it receives. */
class Client {
  readonly messages: Message[] = [];
  readonly closed: Promise<[number, Buffer]>;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = once(socket, 'close') as Promise<[number, Buffer]>;
    socket.on('message', (data) => this.messages.push(JSON.parse(`${data}`)));
  }

  static async open(url: string): Promise<Client> {
    const client = new Client(new WebSocket(url));
    await once(client.#socket, 'open');
    return client;
  }

  get times(): number[] {
    return this.messages.filter(({ kind }) => kind !== 'progress').map((message) => message.time_us);
  }

  close(): void {
    this.#socket.close();
  }
}

async function refusal(url: string): Promise<{ status: number | undefined; text: string }> {
  const socket = new WebSocket(url);
  socket.on('error', () => undefined);
  const [, response] = await once(socket, 'unexpected-response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, text };
}

async function relayOf(seed: string, frames: number): Promise<{ relay: RelayServer; events: number }> {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed, accounts: 12 }), frames);
  return { relay: await RelayServer.listen({ source: pool }), events: pool.eventsPerRound };
}

test('whichever thread serves them, subscribers get the same events, each once and in order', async () => {
  const { relay, events } = await relayOf('workers', 600);
  await using daemon = await Daemon.start(['--ws-url', relay.url, ...workers]);
  await expect.poll(() => relay.connections).toBe(1);
  const rounds = 6;
  const clients: Client[] = [];
  for (let round = 0; round < rounds; round++) {
    const published = relay.publish(600 / rounds);
    for (let opened = 0; opened < 6; opened++) clients.push(await Client.open(`${daemon.url}?cursor=0`));
    await published;
  }
  const posts = await Client.open(
    `${daemon.url}?cursor=0&wantedCollections=app.bsky.feed.post&progress=true`,
  );
  for (const client of clients) await expect.poll(() => client.messages.length).toBe(events);
  const [{ times, messages }] = clients;
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  for (const client of clients) expect(client.times).toEqual(times);
  const wanted = messages.filter(
    ({ commit }) => (commit?.collection ?? 'app.bsky.feed.post') === 'app.bsky.feed.post',
  );
  await expect.poll(() => posts.messages.at(-1)?.kind).toBe('progress');
  expect(posts.times).toEqual(wanted.map((message) => message.time_us));
  expect(posts.messages.at(-1)).toMatchObject({
    time_us: times.at(-1),
    progress: { cursor: (times.at(-1) as number) + 1, lag_us: 0, live: true },
  });
  await expect.poll(() => daemon.metric('slipstream_subscribers_live')).toBe(clients.length + 1);
  expect(await daemon.metric('slipstream_delivered_events_total{encoding="json"}')).toBe(
    events * clients.length + wanted.length,
  );
  await daemon.service.stop();
  for (const client of [...clients, posts]) {
    const [code, reason] = await client.closed;
    expect([code, `${reason}`]).toEqual([1001, 'server shutting down']);
  }
  await relay.close();
});

test('limits hold for all threads together', async () => {
  const { relay } = await relayOf('limits', 1);
  const limits = ['--max-subscribers', '9', '--max-subscribers-per-address', '7'];
  await using daemon = await Daemon.start(['--ws-url', relay.url, ...workers, ...limits]);
  const clients: Client[] = [];
  for (let opened = 0; opened < 7; opened++) clients.push(await Client.open(daemon.url));
  for (let tried = 0; tried < 5; tried++) {
    const { status, text } = await refusal(daemon.url);
    expect(status).toBe(429);
    expect(text).toContain('127.0.0.1 has all 7 connections');
  }
  expect(await daemon.metric('slipstream_refusals_total{reason="too_many_of_address"}')).toBe(5);
  clients[0].close();
  await clients[0].closed;
  await expect.poll(() => daemon.metric('slipstream_subscribers')).toBe(6);
  clients.push(await Client.open(daemon.url));
  expect((await refusal(daemon.url)).status).toBe(429);
  await relay.close();
});

test('threads share a port with each other and with nobody else', async () => {
  const { relay } = await relayOf('port', 1);
  await using daemon = await Daemon.start(['--ws-url', relay.url, ...workers]);
  const port = `127.0.0.1:${daemon.service.addresses.public?.port}`;
  for (const flags of [workers, ['--workers', '1'], ['--workers', '0']]) {
    await expect(
      Daemon.start(['--ws-url', relay.url, ...flags, '--listen-addr', port]),
    ).rejects.toMatchObject({
      code: 'HTTP_LISTEN_FAILED',
    });
  }
  await relay.close();
});

test('the status page of every thread shows the report of the whole', async () => {
  const { relay } = await relayOf('status', 1);
  await using daemon = await Daemon.start(['--ws-url', relay.url, ...workers]);
  const clients = [await Client.open(daemon.url), await Client.open(daemon.url)];
  for (let asked = 0; asked < 12; asked++) {
    await expect
      .poll(async () => (await (await fetch(`${daemon.httpUrl}/status.json`)).json()) as object, {
        timeout: 5_000,
      })
      .toMatchObject({ workers: 3, subscribers: { connected: clients.length } });
  }
  await relay.close();
});

test('a worker that ends without an error ends the daemon, whose stop does not wait for it', async () => {
  const { relay } = await relayOf('ended', 1);
  const threads: Worker[] = [];
  const listener = (thread: Worker): unknown => threads.push(thread);
  process.on('worker', listener);
  await using daemon = await Daemon.start(['--ws-url', relay.url, ...workers]).finally(() =>
    process.off('worker', listener),
  );
  expect(threads.length).toBe(3);
  const clients: Client[] = [];
  for (let opened = 0; opened < 12; opened++) clients.push(await Client.open(daemon.url));
  await threads[1].terminate();
  expect(await daemon.service.failed).toMatchObject({ code: 'WORKER_ENDED' });
  await daemon.service.stop();
  const codes = await Promise.all(clients.map(async ({ closed }) => (await closed)[0]));
  // 1006: those that the worker had.
  expect(codes.filter((code) => code !== 1006)).toEqual(codes.filter((code) => code === 1001));
  await relay.close();
});
