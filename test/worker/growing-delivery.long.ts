// Without a number of workers the main thread serves the first subscribers, and workers those that come when there are many: nobody
// misses an event or gets one twice while they start, and who was there stays.

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { mainSubscribersMax } from '../../lib/worker/growing-delivery.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { defaultFirstSeq } from '../../simulator/lib/sequence-plan.ts';
import { Daemon } from '../support/daemon.ts';

/** The `time_us` of all that comes. */
class Client {
  readonly times: number[] = [];
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.times.push(Number(/"time_us":(\d+)/.exec(`${data}`)?.[1])));
  }

  static async open(url: string): Promise<Client> {
    const client = new Client(new WebSocket(url));
    await once(client.#socket, 'open');
    return client;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  close(): void {
    this.#socket.close();
  }
}

test('workers start when there are many subscribers, and everybody gets everything once', async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'growing', accounts: 12 }), 600);
  const relay = await RelayServer.listen({ source: pool });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(50);
  const first: Client[] = [];
  for (let at = 0; at < mainSubscribersMax; at++) first.push(await Client.open(`${daemon.url}?cursor=0`));
  const isGrown = (): boolean => daemon.lines.some((line) => line.includes('by worker threads from now on'));
  await relay.publish(50);
  expect(isGrown()).toBe(false);
  const others: Client[] = [];
  // All the while connections come, also when the main thread leaves the port: none is reset.
  const comeTogether = async (count: number): Promise<void> => {
    others.push(
      ...(await Promise.all(Array.from({ length: count }, () => Client.open(`${daemon.url}?cursor=0`)))),
    );
  };
  const goOn = async (): Promise<boolean> => {
    await relay.publish(5);
    if (others.length < 400) await comeTogether(20);
    return isGrown();
  };
  await expect.poll(goOn, { timeout: 30_000 }).toBe(true);
  for (let crowd = 0; crowd < 10; crowd++) await comeTogether(20);
  const last: Client[] = [];
  for (let at = 0; at < 20; at++) last.push(await Client.open(`${daemon.url}?cursor=0`));
  await relay.publish(100);
  const events = pool.firstEventOf(relay.headSeq + 1) - pool.firstEventOf(defaultFirstSeq);
  // Some are not of this wire.
  await expect.poll(() => daemon.metric('slipstream_log_stored_events')).toBeGreaterThanOrEqual(events);
  const pull = await fetch(`${daemon.httpUrl}/events.ndjson?cursor=0&limit=10000`);
  const stored = (await pull.text()).trim().split('\n').length;
  const clients = [...first, ...others, ...last];
  const [{ times }] = first;
  await expect.poll(() => clients.every((client) => client.times.length === stored)).toBe(true);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  for (const client of clients) {
    expect(client.isOpen).toBe(true);
    expect(client.times).toEqual(times);
    client.close();
  }
  await relay.close();
});

test('a daemon that had a crowd when it ended starts with its workers', async () => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'crowd', accounts: 12 }), 60);
  const relay = await RelayServer.listen({ source: pool });
  const flags = ['--ws-url', relay.url];
  await using daemon = await Daemon.start(flags);
  const workers = (): number[] =>
    daemon.lines.filter((line) => line.includes('"msg":"started"')).map((line) => JSON.parse(line).workers);
  const isGrown = (): boolean => daemon.lines.some((line) => line.includes('by worker threads from now on'));
  for (let at = 0; at <= mainSubscribersMax; at++) await Client.open(daemon.url);
  await expect.poll(() => relay.publish(1).then(isGrown), { timeout: 30_000 }).toBe(true);
  await daemon.service.stop();
  await daemon.restart(flags);
  const [before, after] = workers();
  expect(before).toBe(0);
  expect(after).toBeGreaterThan(0);
  await relay.close();
});
