// Everything of a cluster is killed, stopped, frozen and cut off, by a seed, while events come: nothing is lost, nothing comes twice,
// and all logs are the same bytes.

import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import type { ClusterNode, ClusterRun } from './cluster-run.ts';
import { ClusterRun as Run } from './cluster-run.ts';
import { natsServer } from './nats-binary.ts';

const seconds = Number(process.env.CLUSTER_SECONDS ?? 90);
const seed = process.env.CLUSTER_SEED ?? '1';
const framesPerSecond = Number(process.env.CLUSTER_RATE ?? 300);
const binary = natsServer();

/** How long a writer is frozen: beyond its lease, and its successor has begun. */
const frozenMs = 14_000;

type Step = (run: ClusterRun, random: SeededRandom) => Promise<void>;

/** What happens, and how often beside the others. Each puts everything right again. */
const steps: Readonly<Record<string, readonly [weight: number, step: Step]>> = {
  'the writer is killed': [3, async (run) => restart(run, await run.writer(), 'kill')],
  'the writer is stopped': [3, async (run) => restart(run, await run.writer(), 'stop')],
  'a standby is killed': [1, async (run) => restart(run, await standby(run), 'kill')],
  'a serving node is killed': [2, async (run, random) => restart(run, serving(run, random), 'kill')],
  'a serving node is stopped': [1, async (run, random) => restart(run, serving(run, random), 'stop')],
  'a NATS server that leads is killed': [
    2,
    async (run) => {
      const leader = await run.nats.leader();
      await leader?.kill();
      await delay(500);
      leader?.start();
    },
  ],
  'a NATS server that does not lead is killed': [
    2,
    async (run, random) => {
      const leader = await run.nats.leader();
      const server = random.pick(run.nats.servers.filter((one) => one !== leader));
      await server.kill();
      await delay(random.between(100, 3_000));
      server.start();
    },
  ],
  'a NATS server is stopped': [
    1,
    async (run, random) => {
      const server = random.pick(run.nats.servers);
      await server.stop();
      server.start();
    },
  ],
  'two NATS servers are killed': [
    1,
    async (run, random) => {
      const [, ...two] = run.nats.servers;
      await Promise.all(two.map((server) => server.kill()));
      await delay(random.between(500, 3_000));
      for (const server of two) server.start();
    },
  ],
  'a NATS server stands still': [
    1,
    async (run, random) => {
      const server = random.pick(run.nats.servers);
      server.freeze(true);
      await delay(random.between(1_000, 6_000));
      server.freeze(false);
    },
  ],
  'the writer stands still, beyond its lease': [
    2,
    async (run) => {
      const writer = await run.writer();
      writer?.daemon?.freeze(true);
      await delay(frozenMs);
      writer?.daemon?.freeze(false);
    },
  ],
  'a node is cut off': [
    2,
    async (run, random) => {
      const { link } = random.pick(run.nodes);
      link.cut();
      await delay(random.between(200, 4_000));
      link.open();
    },
  ],
  'the writer is cut off': [
    1,
    async (run) => {
      const writer = await run.writer();
      writer?.link.cut();
      await delay(frozenMs);
      writer?.link.open();
    },
  ],
  'nothing comes through to a node': [
    2,
    async (run, random) => {
      const { link } = random.pick(run.nodes);
      link.still();
      await delay(random.between(200, 4_000));
      link.open();
    },
  ],
};

function shuffled<T>(all: readonly T[], random: SeededRandom): T[] {
  const left = [...all];
  return all.map(() => left.splice(random.between(0, left.length - 1), 1)[0]);
}

async function restart(run: ClusterRun, node: ClusterNode | undefined, how: 'kill' | 'stop'): Promise<void> {
  if (node === undefined) return;
  await run.end(node, how);
  // Another one has taken over, or not yet.
  await run.start(node);
}

async function standby(run: ClusterRun): Promise<ClusterNode | undefined> {
  const writer = await run.writer();
  return run.nodes.find((node) => node.role === 'ingest' && node !== writer);
}

function serving(run: ClusterRun, random: SeededRandom): ClusterNode {
  return random.pick(run.nodes.filter(({ role }) => role === 'serve'));
}

test.skipIf(binary === undefined)(
  'a cluster under kills of every kind',
  async () => {
    const random = new SeededRandom(seed, 'cluster');
    const names = Object.entries(steps).flatMap(([name, [weight]]) => Array(weight).fill(name) as string[]);
    const run = await Run.begin(binary as string, seed);
    // The engine is away for a moment: that is told, and waited for.
    run.allowed.push(/CLUSTER_ENGINE_UNAVAILABLE/);
    const done = new Map<string, { times: number; longestMs: number }>();
    try {
      await run.startAll();
      run.relay.server.setRate(framesPerSecond);
      const endMs = performance.now() + seconds * 1000;
      // Each once, if there is time, then at random.
      const first = shuffled(Object.keys(steps), random);
      for (let at = 0; performance.now() < endMs; at++) {
        const name = first.shift() ?? random.pick(names);
        run.moment = `step ${at}, ${name}; CLUSTER_SEED=${seed}`;
        for (const one of run.subscribers) one.watch();
        await steps[name][1](run, random);
        await run.caughtUp();
        const pauseMs = Math.max(...run.subscribers.slice(0, 2).map(({ longestPauseMs }) => longestPauseMs));
        const { times = 0, longestMs = 0 } = done.get(name) ?? {};
        done.set(name, { times: times + 1, longestMs: Math.max(longestMs, pauseMs) });
      }
      for (const node of run.nodes) await run.count(node);
      const events = await run.finish();
      for (const [name, { times, longestMs }] of done)
        console.log(`${name}: ${times} times, longest pause ${Math.round(longestMs)} ms`);
      console.log(`${events} events in ${seconds} s, seed ${seed}; counts: ${JSON.stringify([...run.sums])}`);
      const sum = (...of: string[]): number => of.reduce((all, name) => all + (run.sums.get(name) ?? 0), 0);
      expect(sum('appends_total{end="acknowledged"}')).toBeGreaterThan(0);
      expect(sum('follows_total{note="doorbell"}')).toBeGreaterThan(0);
      expect(sum('follows_total{note="batch"}')).toBeGreaterThan(0);
      if (first.length > 0) return;
      expect(sum('appends_total{end="fenced"}', 'lease_total{note="lost"}')).toBeGreaterThan(0);
      expect(sum(...[...run.sums.keys()].filter((name) => name.startsWith('retries')))).toBeGreaterThan(0);
    } finally {
      await run.close();
    }
  },
  (seconds + 240) * 1000,
);
