// What a log on NATS costs beside a daemon alone, in the same run: rates through one server and through three that write every
// message to the disk, latency, what following takes, and how long nobody writes when the writer ends. All processes share this machine's
// cores, so costs are upper bounds: in earnest each server has a machine of its own.

import { setTimeout as delay } from 'node:timers/promises';
import { natsServer } from '../test/cluster/nats-binary.ts';
import { NatsCluster } from '../test/cluster/nats-cluster.ts';
import { engineFigures } from './figure-engine.ts';
import { followFigures } from './figure-follow.ts';
import { LoadClient } from './load.ts';
import { TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import { Relay, type Server } from './servers.ts';
import type { Session } from './session.ts';

/** Events a second of the latency figures. */
const usualRate = 500;
const pollMs = 20;
/** After a start, until code is compiled and the first blocks are through. */
const settleMs = 5_000;

/** A writer, or a daemon alone, with all that it needs. */
interface Fed extends AsyncDisposable {
  readonly server: Server;
  readonly relay: Relay;
  readonly nats: NatsCluster | undefined;
  /** Flags of a node that shares its log. */
  readonly flags: readonly string[];
}

/** Figures of a cluster. */
export async function clusterFigures(session: Session): Promise<Figure[]> {
  if (natsServer() === undefined) {
    session.note('cluster: left out, there is no NATS server here');
    return [];
  }
  session.note(
    'cluster: baseline is a daemon alone; NATS servers with sync_interval always, all on this machine',
  );
  const seconds = session.quick ? 2 : 10;
  const figures = await engineFigures(session, natsServer() as string);
  for (const servers of [1, 3]) {
    const name = `cluster, through ${servers} NATS server${servers === 1 ? '' : 's'}`;
    const rates = await session.alternate(
      name,
      () => sustained(session, servers, seconds),
      () => sustained(session, 0, seconds),
    );
    figures.push(figureOf(name, 'events/s', 'higher', rates));
    const late = await session.alternate(
      `${name}, latency`,
      () => latency(session, servers, seconds),
      () => latency(session, 0, seconds),
    );
    figures.push(
      figureOf(
        `  latency at ${usualRate}/s, p50`,
        'ms',
        'lower',
        pick(late, ({ p50 }) => p50),
      ),
    );
    figures.push(
      figureOf(
        `  latency at ${usualRate}/s, p99`,
        'ms',
        'lower',
        pick(late, ({ p99 }) => p99),
      ),
    );
  }
  const turns = await session.alternate('cluster, following', () => follow(session, seconds));
  figures.push(
    figureOf(`cluster, a machine at ${usualRate}/s, CPU`, 'us/event', 'lower', {
      ...pick(turns, ({ serving }) => serving),
      baseline: turns.ours.map(({ alone }) => alone),
    }),
  );
  figures.push(...(await followFigures(session, natsServer() as string)));
  for (const how of ['stop', 'kill'] as const) {
    const name = `cluster, nobody writes after a ${how}`;
    figures.push(figureOf(name, 'ms', 'lower', await session.alternate(name, () => handOver(session, how))));
  }
  return figures;
}

/** @param servers of NATS; 0: a daemon alone. @param rate events a second. */
async function feed(session: Session, servers: number, rate: number): Promise<Fed> {
  const frames = await session.frames();
  const directory = await TemporaryDirectory.make();
  const nats =
    servers === 0 ? undefined : await NatsCluster.begin(natsServer() as string, directory.path, servers);
  const urls = nats?.servers.map(({ port }) => `nats://127.0.0.1:${port}`).join(',') ?? '';
  const flags =
    nats === undefined
      ? []
      : ['--nats-url', urls, '--stream-replicas', String(servers), '--stream-bytes', '6GiB'];
  const relay = await Relay.start(frames, { rate: 0 });
  const more = [...flags, '--workers', '0'];
  const server = await session.start('node', { relay, dataDir: `${directory.path}/writer`, more });
  await until(async () => (await server.metric('upstream_connected_timestamp_seconds')) > 0);
  await relay.setRate(frames.framesFor(rate));
  return {
    ...{ server, relay, nats, flags },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await nats?.end();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** As much as goes through. */
async function sustained(session: Session, servers: number, seconds: number): Promise<Sample> {
  await using fed = await feed(session, servers, Number.POSITIVE_INFINITY);
  const { server } = fed;
  await delay(settleMs);
  const before = await server.metric('log_stored_events');
  const cpuBefore = server.process.cpuSeconds();
  const startMs = performance.now();
  await delay(seconds * 1000);
  const events = (await server.metric('log_stored_events')) - before;
  const value = events / ((performance.now() - startMs) / 1000);
  const cpuUsPerEvent = ((server.process.cpuSeconds() - cpuBefore) * 1e6) / events;
  return { value, events, cpuUsPerEvent, peakRssBytes: server.process.peakRssBytes() };
}

async function latency(
  session: Session,
  servers: number,
  seconds: number,
): Promise<{ p50: Sample; p99: Sample }> {
  await using fed = await feed(session, servers, usualRate);
  await delay(settleMs);
  await using probe = await LoadClient.probe(fed.server);
  const cpuBefore = fed.server.process.cpuSeconds();
  const { messages, p50Ms, p99Ms } = await probe.count(seconds * 3);
  const cpuUsPerEvent = ((fed.server.process.cpuSeconds() - cpuBefore) * 1e6) / messages;
  const sample = (value: number | null): Sample => ({
    value: value ?? Number.NaN,
    events: messages,
    cpuUsPerEvent,
  });
  return { p50: sample(p50Ms), p99: sample(p99Ms) };
}

/** What a machine that serves takes of its processor, and a daemon alone that reads the relay meanwhile; nobody is connected. */
async function follow(session: Session, seconds: number): Promise<{ serving: Sample; alone: Sample }> {
  await using fed = await feed(session, 1, usualRate);
  await using directory = await TemporaryDirectory.make();
  await using node = await startNode(session, fed, `${directory.path}/node`);
  await using alone = await session.start('node', {
    ...{ relay: fed.relay, dataDir: `${directory.path}/alone`, more: ['--workers', '0'] },
  });
  await delay(settleMs);
  const look = async (server: Server) => ({
    cpu: server.process.cpuSeconds(),
    events: await server.metric('log_stored_events'),
  });
  const before = [await look(node), await look(alone)];
  await delay(seconds * 3000);
  const after = [await look(node), await look(alone)];
  const [serving, single] = before.map(({ cpu, events }, at): Sample => {
    const stored = after[at].events - events;
    const cpuUsPerEvent = ((after[at].cpu - cpu) * 1e6) / stored;
    return { value: cpuUsPerEvent, events: stored, cpuUsPerEvent };
  });
  return { serving, alone: single };
}

/** From the end of the writer until a subscriber of another node gets the next event. */
async function handOver(session: Session, how: 'stop' | 'kill'): Promise<Sample> {
  await using fed = await feed(session, 3, usualRate);
  await using directory = await TemporaryDirectory.make();
  await using node = await startNode(session, fed, directory.path, 'both');
  // It has read what was taken, as it does while it waits.
  await delay(settleMs * 2);
  const before = await node.metric('cluster_sequence');
  const startMs = performance.now();
  if (how === 'kill') process.kill(fed.server.process.pid, 'SIGKILL');
  else process.kill(fed.server.process.pid, 'SIGTERM');
  await until(async () => (await node.metric('cluster_writing')) === 1);
  const turnAt = await node.metric('cluster_sequence');
  await until(async () => (await node.metric('cluster_sequence')) > turnAt);
  return { value: performance.now() - startMs, events: turnAt - before };
}

function startNode(
  session: Session,
  { relay, flags }: Fed,
  dataDir: string,
  role: 'serve' | 'both' = 'serve',
): Promise<Server> {
  const command = role === 'both' ? undefined : role;
  return session.start('node', { relay, dataDir, command, more: [...flags, '--workers', '0'] });
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await delay(pollMs);
}
