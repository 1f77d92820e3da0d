// A whole cluster on this machine: NATS servers, nodes that write and nodes that serve, a relay in front, and subscribers that hop. At the end
// every log is exported and compared with the others and with what the relay had.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Daemon } from '../crash/daemon.ts';
import { DeliveryCheck } from '../crash/delivery-check.ts';
import { ObservedRelay } from '../crash/observed-relay.ts';
import { until } from '../crash/until.ts';
import { CutLink } from './cut-link.ts';
import { digestFrames } from './event-frames.ts';
import { HoppingSubscriber } from './hopping-subscriber.ts';
import { NatsCluster } from './nats-cluster.ts';

const waitMs = 180_000;
const hopMs = 1_000;
const inspect = resolve(import.meta.dirname, '../../cmd/slipstream.ts');

/** One machine of the cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly role: 'ingest' | 'serve';
  readonly link: CutLink;
  readonly dataDir: string;
  daemon: Daemon | undefined;
  /** Where it serves. */
  address: string | undefined;
}

/** See the file comment. */
export class ClusterRun {
  readonly relay: ObservedRelay;
  readonly nats: NatsCluster;
  readonly nodes: readonly ClusterNode[];
  readonly subscribers: readonly HoppingSubscriber[];
  /** Of all lives of all nodes: sums of their metrics, by name and label. */
  readonly sums = new Map<string, number>();
  /** Errors that a step may lead to. */
  readonly allowed: RegExp[] = [];
  moment = 'the start';
  readonly #dir: string;
  #hopping: NodeJS.Timeout | undefined;
  /** The hop that is under way: another one meanwhile would leave a subscriber with two connections. */
  #hop: Promise<unknown> | undefined;
  #hops = 0;

  private constructor(relay: ObservedRelay, nats: NatsCluster, nodes: readonly ClusterNode[], dir: string) {
    this.relay = relay;
    this.nats = nats;
    this.nodes = nodes;
    this.#dir = dir;
    const check = (): DeliveryCheck => new DeliveryCheck(relay.history, 'exactly once');
    this.subscribers = [
      new HoppingSubscriber('JSON', {}, check()),
      new HoppingSubscriber('zstd', { compressed: true }, check()),
      new HoppingSubscriber('filtered', { collection: 'app.bsky.feed.post' }),
      new HoppingSubscriber('second wire', { wire: 'v2' }),
      new HoppingSubscriber('second wire, zstd', { wire: 'v2', compressed: true }),
      new HoppingSubscriber('both wires', { wire: 'both' }),
    ];
  }

  static async begin(binary: string, seed: string): Promise<ClusterRun> {
    const dir = await mkdtemp(join(tmpdir(), 'slipstream-cluster-'));
    const nats = await NatsCluster.begin(binary, dir);
    const relay = await ObservedRelay.listen(seed);
    const ports = nats.servers.map(({ port }) => port);
    const nodes: ClusterNode[] = [];
    for (const [name, role] of [
      ['ingest 1', 'ingest'],
      ['ingest 2', 'ingest'],
      ['serve 1', 'serve'],
      ['serve 2', 'serve'],
    ] as const) {
      const dataDir = join(dir, name.replace(' ', '-'));
      nodes.push({
        name,
        role,
        link: await CutLink.begin(ports),
        dataDir,
        daemon: undefined,
        address: undefined,
      });
    }
    return new ClusterRun(relay, nats, nodes, dir);
  }

  /** Starts a node. Resolves when it has started. */
  async start(node: ClusterNode): Promise<void> {
    const daemon = new Daemon({
      ...{ dataDir: node.dataDir, relayUrl: this.relay.url, command: node.role },
      flags: ['--nats-url', node.link.urls, '--stream-bytes', '1GiB', '--workers', '0'],
    });
    node.daemon = daemon;
    node.address = undefined;
    const address = await daemon.started;
    if (node.role === 'serve' && daemon.exit === undefined) node.address = address;
  }

  /** Starts all of them, and the hopping, and waits for a writer that reads the relay. */
  async startAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.start(node)));
    await this.until(() => this.relay.server.connections > 0, 'a node is elected');
    await this.#hopAll();
    this.#hopping = setInterval(() => void this.#hopAll(), hopMs);
  }

  #hopAll(): Promise<unknown> {
    this.#hops++;
    const addresses = this.nodes.flatMap(({ address }) => (address === undefined ? [] : [address]));
    if (addresses.length === 0) return Promise.resolve();
    this.#hop ??= Promise.all(
      this.subscribers.map((one, at) => one.hop(addresses[(this.#hops + at) % addresses.length])),
    ).finally(() => {
      this.#hop = undefined;
    });
    return this.#hop;
  }

  /** Ends a node by a signal. What it counted is kept, as far as it can still be asked. */
  async end(node: ClusterNode, signal: 'kill' | 'stop'): Promise<void> {
    await this.count(node);
    node.address = undefined;
    const exit = await node.daemon?.[signal]();
    if (signal === 'stop' && exit?.code !== 0)
      this.fail(`${node.name} stopped with ${exit?.code ?? exit?.signal}`);
    node.daemon = undefined;
  }

  /** A metric of a node; NaN while it does not answer. */
  async metric(node: ClusterNode, name: string): Promise<number> {
    const line = (await this.#metrics(node)).find((text) => text.startsWith(`${name} `));
    return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
  }

  async #metrics({ daemon }: ClusterNode): Promise<string[]> {
    if (daemon === undefined || daemon.metrics === '') return [];
    const signal = AbortSignal.timeout(2_000);
    return fetch(`http://${daemon.metrics}/metrics`, { signal }).then(
      async (answer) => (await answer.text()).split('\n'),
      () => [],
    );
  }

  /** Adds what a node has counted to the sums. */
  async count(node: ClusterNode): Promise<void> {
    for (const line of await this.#metrics(node)) {
      const [, name, value] = /^slipstream_cluster_(\w+_total\{.*\}) (\d+)$/.exec(line) ?? [];
      if (name !== undefined) this.sums.set(name, (this.sums.get(name) ?? 0) + Number(value));
    }
  }

  /** The node that writes; undefined when none says so. */
  async writer(): Promise<ClusterNode | undefined> {
    for (const node of this.nodes) {
      if (node.role === 'ingest' && (await this.metric(node, 'slipstream_cluster_writing')) === 1)
        return node;
    }
    return undefined;
  }

  /** Waits until subscribers have all that the relay has had until now, and every node is there. */
  async caughtUp(): Promise<void> {
    const expected = this.relay.expectedEvents;
    await this.until(
      () => this.subscribers.every(({ name, marks }) => name === 'filtered' || marks.count >= expected),
      `${expected} events`,
    );
  }

  /** @throws when anything is wrong so far. */
  check(): void {
    for (const { name, check, failure = check?.failure } of this.subscribers)
      if (failure !== undefined) this.fail(`${name}: ${failure}`);
    for (const { name, daemon } of this.nodes) {
      if (daemon?.exit !== undefined && !daemon.endExpected) this.fail(`${name} has ended`);
      const error = daemon?.errors.find((line) => !this.allowed.some((one) => one.test(line)));
      if (error !== undefined) this.fail(`${name}: ${error}`);
    }
  }

  async until(isTrue: () => boolean, what: string): Promise<void> {
    const isTrueAndRight = (): boolean => {
      this.check();
      return isTrue();
    };
    await until(isTrueAndRight, waitMs, () => this.#failure(`waited for: ${what}`).message);
  }

  /** Stops all nodes once they have everything, and compares what they have. Resolves with the number of events. */
  async finish(): Promise<number> {
    this.moment = 'the end';
    this.relay.server.setRate(0);
    await this.caughtUp();
    clearInterval(this.#hopping);
    await this.#hop;
    await this.#compareFrames();
    for (const one of this.subscribers) await one.end();
    for (const node of this.nodes) await this.#waitForAll(node);
    for (const node of this.nodes) await this.end(node, 'stop');
    const [whole, compressed, filtered, ...others] = this.subscribers;
    for (const one of [whole, compressed]) {
      const missing = one.check?.missing();
      if (missing !== undefined) this.fail(`${one.name}: ${missing}`);
    }
    const topics = new Set(['app.bsky.feed.post', 'identity', 'account']);
    const difference =
      whole.trail.difference(compressed.trail) ?? whole.trail.difference(filtered.trail, topics);
    if (difference !== undefined) this.fail(`subscribers differ: ${difference}`);
    for (const { name, marks } of others) {
      const other = whole.marks.difference(marks);
      if (other !== undefined) this.fail(`${name} differs: ${other}`);
    }
    const events = whole.trail.count;
    const exports = this.nodes.map((node) => ({ name: node.name, ...exported(node.dataDir) }));
    for (const one of exports) {
      if (one.digest !== exports[0].digest || one.events !== events)
        this.fail(`exports differ: ${JSON.stringify(exports)}, and subscribers had ${events} events`);
    }
    return events;
  }

  /** Every node has the newest message. */
  async #waitForAll(node: ClusterNode): Promise<void> {
    const sequences = async (): Promise<number[]> =>
      Promise.all(this.nodes.map((one) => this.metric(one, 'slipstream_cluster_sequence')));
    const deadlineMs = performance.now() + waitMs;
    for (;;) {
      const all = await sequences();
      if (all.every((one) => one === all[0])) return;
      if (performance.now() > deadlineMs) this.fail(`${node.name} and others have ${all.join(', ')}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** The same compressed bytes on both serving nodes. */
  async #compareFrames(): Promise<void> {
    const endUs = this.subscribers[0].trail.lastTimeUs;
    const digests: string[] = [];
    for (const { address } of this.nodes)
      if (address !== undefined) digests.push(await digestFrames(address, endUs));
    if (new Set(digests).size !== 1) this.fail('serving nodes send different frames');
  }

  fail(what: string): never {
    throw this.#failure(what);
  }

  #failure(what: string): Error {
    const events = this.subscribers.map(({ name, marks }) => `${name} ${marks.count}`).join(', ');
    const logs = this.nodes.map(
      ({ name, daemon }) => `  ${name}:\n${(daemon?.lines ?? []).slice(-12).join('\n')}`,
    );
    return new Error(
      `${what}\n  at ${this.moment}\n  ${events} events of ${this.relay.expectedEvents}\n${logs.join('\n')}`,
    );
  }

  /** Leaves nothing behind; stores and logs stay when `CLUSTER_KEEP` is set. */
  async close(): Promise<void> {
    clearInterval(this.#hopping);
    for (const one of this.subscribers) void one.end();
    for (const node of this.nodes) {
      node.daemon?.freeze(false);
      await node.daemon?.kill();
      node.link.end();
    }
    await this.nats.end();
    await this.relay.server.close();
    if (process.env.CLUSTER_KEEP === undefined) await rm(this.#dir, { recursive: true });
    else console.log(`kept: ${this.#dir}`);
  }
}

function exported(dataDir: string): { events: number; digest: string } {
  const { stdout, status, error, signal } = spawnSync(
    process.execPath,
    [inspect, 'inspect', 'export', '--data-dir', dataDir],
    { maxBuffer: 2 ** 28 },
  );
  if (status !== 0) throw new Error(`the export of ${dataDir} ended with ${status ?? signal ?? error}`);
  // Subscribers of the first wire do not get those of kind sync.
  const events = stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !/^\{"did":"[^"]*","time_us":\d+,"kind":"sync"/.test(line)).length;
  return { events, digest: createHash('sha256').update(stdout).digest('hex') };
}
