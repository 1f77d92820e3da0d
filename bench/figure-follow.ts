// What a serving machine's processor takes for the stream alone: following it at several rates, and copying one that is there, written in
// small blocks or full ones. The blocks are made before and published as they are, so that nobody who writes shares the cores.

import { setTimeout as delay } from 'node:timers/promises';
import { connect, headers } from '@nats-io/transport-node';
import { placeBlocks, writeMessage } from '../lib/cluster/block-message.ts';
import { NatsEngine } from '../lib/cluster/nats-engine.ts';
import type { ClusterSettings } from '../lib/cluster/stream-layout.ts';
import { setUpStream } from '../lib/cluster/stream-setup.ts';
import { compressJson } from '../lib/log/stored-json.ts';
import { NatsCluster } from '../test/cluster/nats-cluster.ts';
import { compressorOfBench, makeBlocks } from './figure-engine.ts';
import { TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { Relay, type Server } from './servers.ts';
import type { Session } from './session.ts';

const waitMs = 30_000;
const tickMs = 4;
/** `/metrics` costs the node some milliseconds each time. */
const pollMs = 150;
/** Until code is compiled. */
const settleSeconds = 4;
/** Messages whose answers are waited for together. */
const unansweredMax = 256;
/** As a writer makes them with its window of 16 ms. */
const followed = [
  { rate: 500, eventsPerBlock: 8, usualSeconds: 20 },
  { rate: 10_000, eventsPerBlock: 160, usualSeconds: 12 },
  { rate: 40_000, eventsPerBlock: 256, usualSeconds: 6 },
] as const;

/** A stream on one server, and what is to be put into it. */
interface Fed extends AsyncDisposable {
  readonly messages: readonly Buffer[];
  readonly events: number;
  /** Publishes one; resolves when it is stored. */
  publish(message: Buffer): Promise<unknown>;
  serve(): Promise<Server>;
}

/** Figures of one machine that follows or copies. */
export async function followFigures(session: Session, binary: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { rate, eventsPerBlock, usualSeconds } of followed) {
    const seconds = session.quick ? 2 : usualSeconds;
    const name = `cluster, following ${rate}/s, CPU`;
    const rounds = await session.alternate(name, () =>
      follow(session, binary, { rate, eventsPerBlock, seconds }),
    );
    figures.push(figureOf(name, 'us/event', 'lower', rounds));
  }
  for (const eventsPerBlock of [8, 256]) {
    const events = session.events(eventsPerBlock === 8 ? 300_000 : 600_000, 5_000);
    const name = `cluster, an empty node copies blocks of ${eventsPerBlock}`;
    const rounds = await session.alternate(name, () => copy(session, binary, eventsPerBlock, events));
    figures.push(figureOf(name, 'events/s', 'higher', rounds));
  }
  return figures;
}

async function feed(session: Session, binary: string, eventsPerBlock: number, total: number): Promise<Fed> {
  const directory = await TemporaryDirectory.make();
  const nats = await NatsCluster.begin(binary, directory.path, 1, '', '8GB', '2m');
  const urls = nats.servers.map(({ port }) => `nats://127.0.0.1:${port}`);
  const settings: ClusterSettings = {
    ...{ urls, name: 'main', role: 'both', replicas: 1, streamBytes: 6 * 2 ** 30 },
    ...{ credsPath: undefined, caPath: undefined },
  };
  const engine = await NatsEngine.open(settings, waitMs);
  const { didHashKey, streamId } = await setUpStream(engine, {
    ...{ settings, retentionMs: 0, hasLog: false, waitMs },
  });
  const { messageBytesMax } = engine;
  await engine.close();
  const compressor = await compressorOfBench();
  const blocks = await makeBlocks(session, compressor, didHashKey, eventsPerBlock, total);
  compressor.close();
  const messages: Buffer[] = [];
  let previousUs = 0;
  for (const block of blocks) {
    const [placed] = placeBlocks([block], streamId, messages.length + 1);
    const packed = { block: placed, storedJson: await compressJson(block.json) };
    messages.push(writeMessage([packed], previousUs, messageBytesMax) as Buffer);
    previousUs = block.index.lastTimeUs;
  }
  const connection = await connect({ servers: urls });
  const relay = await Relay.start(await session.frames(), { rate: 0 });
  return {
    messages,
    events: blocks.reduce((sum, { index }) => sum + index.count, 0),
    publish: (message) =>
      connection.request('slipstream.main.block', message, { timeout: waitMs, headers: headers() }),
    serve: () =>
      session.start('node', {
        ...{ relay, dataDir: `${directory.path}/node`, command: 'serve' },
        more: ['--nats-url', urls[0], '--stream-replicas', '1', '--stream-bytes', '6GiB', '--workers', '0'],
      }),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await relay[Symbol.asyncDispose]();
      await nats.end();
      await directory[Symbol.asyncDispose]();
    },
  };
}

interface Pace {
  readonly rate: number;
  readonly eventsPerBlock: number;
  readonly seconds: number;
}

/** What an event takes, the idle process included. */
async function follow(session: Session, binary: string, pace: Pace): Promise<Sample> {
  const { rate, eventsPerBlock, seconds } = pace;
  await using fed = await feed(session, binary, eventsPerBlock, rate * (settleSeconds + seconds));
  await using node = await fed.serve();
  const look = async () => ({
    cpu: node.process.cpuSeconds(),
    events: await node.metric('log_stored_events'),
  });
  let before: { cpu: number; events: number } | undefined;
  let sent = 0;
  for (const startMs = performance.now(); sent < fed.messages.length; await delay(tickMs)) {
    const passed = (performance.now() - startMs) / 1000;
    if (before === undefined && passed > settleSeconds) before = await look();
    const due = Math.min(fed.messages.length, (passed * rate) / eventsPerBlock);
    for (; sent < due; sent++) void fed.publish(fed.messages[sent]).catch(() => {});
  }
  await delay(1_000);
  const after = await look();
  const events = after.events - (before?.events ?? 0);
  const cpuUsPerEvent = ((after.cpu - (before?.cpu ?? 0)) * 1e6) / events;
  return { value: cpuUsPerEvent, events, cpuUsPerEvent, peakRssBytes: node.process.peakRssBytes() };
}

/** From the start of the process, which has nothing, until it has everything. */
async function copy(
  session: Session,
  binary: string,
  eventsPerBlock: number,
  total: number,
): Promise<Sample> {
  await using fed = await feed(session, binary, eventsPerBlock, total);
  const { messages, events } = fed;
  for (let from = 0; from < messages.length; from += unansweredMax)
    await Promise.all(messages.slice(from, from + unansweredMax).map((message) => fed.publish(message)));
  await using node = await fed.serve();
  // It copies since it has started.
  const startMs = performance.now();
  const cpuBefore = node.process.cpuSeconds();
  while ((await node.metric('log_stored_events')) < events) await delay(pollMs);
  const value = (events * 1000) / (performance.now() - startMs);
  const cpuUsPerEvent = ((node.process.cpuSeconds() - cpuBefore) * 1e6) / events;
  return { value, events, cpuUsPerEvent, peakRssBytes: node.process.peakRssBytes() };
}
