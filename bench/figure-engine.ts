// What the way through NATS costs a log, without relay and without subscribers, in this process: the same blocks into a log alone and
// into a stream first, and from the stream into the log of another machine. Baseline is the log alone; processor time
// is that of this process.

import { ClusterCounts } from '../lib/cluster/cluster-counts.ts';
import { ClusterLog } from '../lib/cluster/cluster-log.ts';
import { NatsEngine } from '../lib/cluster/nats-engine.ts';
import { StreamFollower } from '../lib/cluster/stream-follower.ts';
import type { ClusterSettings, StreamIdentity } from '../lib/cluster/stream-layout.ts';
import { setUpStream } from '../lib/cluster/stream-setup.ts';
import { StreamWriter } from '../lib/cluster/stream-writer.ts';
import { chooseCompressor } from '../lib/codec/choose-compressor.ts';
import type { Compressor } from '../lib/codec/compressor.ts';
import { compressionLevels } from '../lib/codec/compressor.ts';
import { defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { Clock } from '../lib/event/clock.ts';
import { DidHasher } from '../lib/event/did-hash.ts';
import { BlockQueue, type BlockQueueOptions } from '../lib/ingest/block-queue.ts';
import type { Block } from '../lib/log/block.ts';
import { BlockBuilder } from '../lib/log/block-builder.ts';
import { LevelLog } from '../lib/log/level-log.ts';
import { readFrames } from '../simulator/lib/frames-file.ts';
import { NatsCluster } from '../test/cluster/nats-cluster.ts';
import { TemporaryDirectory } from './processes.ts';
import { type Figure, figureOf, pick, type Sample } from './report.ts';
import type { Session } from './session.ts';
import { writeEvents } from './stage-input.ts';

const waitMs = 30_000;
const relay = 'wss://relay.example';
/** Waiting blocks of a queue, at most. */
const pendingBytesMax = 8 * 1024 * 1024;

/** What one turn measures. */
interface Turn {
  readonly write: Sample;
  readonly copy: Sample;
  readonly alone: Sample;
}

/** The daemon's own; its caller closes it. */
export function compressorOfBench(): Promise<Compressor> {
  return chooseCompressor('node', readDictionary(defaultDictionaryPath()), compressionLevels.default);
}

/** Full blocks, and small ones as they come at the usual rate. */
export async function engineFigures(session: Session, binary: string): Promise<Figure[]> {
  const compressor = await compressorOfBench();
  const figures: Figure[] = [];
  for (const [events, servers] of [
    [256, 1],
    [256, 3],
    [8, 1],
  ] as const) {
    const total = session.events(events === 256 ? 200_000 : 20_000, events === 256 ? 20_000 : 2_000);
    const name = `blocks of ${events}, through ${servers} NATS server${servers === 1 ? '' : 's'}`;
    const turns = await session.alternate(name, () =>
      turn(session, compressor, binary, servers, events, total),
    );
    const beside = (of: (turn: Turn) => Sample) => ({
      ...pick(turns, of),
      baseline: turns.ours.map(({ alone }) => alone),
    });
    figures.push(
      figureOf(
        name,
        'events/s',
        'higher',
        beside(({ write }) => write),
      ),
    );
    figures.push(
      figureOf(
        '  copied by another machine',
        'events/s',
        'higher',
        beside(({ copy }) => copy),
      ),
    );
  }
  compressor.close();
  return figures;
}

async function turn(
  session: Session,
  compressor: Compressor,
  binary: string,
  servers: number,
  eventsPerBlock: number,
  total: number,
): Promise<Turn> {
  await using directory = await TemporaryDirectory.make();
  const nats = await NatsCluster.begin(binary, directory.path, servers);
  const settings: ClusterSettings = {
    ...{ urls: nats.servers.map(({ port }) => `nats://127.0.0.1:${port}`), name: 'main', role: 'both' },
    ...{ replicas: servers, streamBytes: 6 * 2 ** 30, credsPath: undefined, caPath: undefined },
  };
  const engine = await NatsEngine.open(settings, waitMs);
  try {
    const identity = await setUpStream(engine, { settings, retentionMs: 0, hasLog: false, waitMs });
    const { didHashKey } = identity;
    const blocks = await makeBlocks(session, compressor, didHashKey, eventsPerBlock, total);
    const open = (name: string): Promise<LevelLog> =>
      LevelLog.open({
        ...{ dataDir: `${directory.path}/${name}`, didHashKey, retentionBytes: 0, fsync: false },
        ...{ tailBytesMax: 8 * 1024 * 1024, compressor, isCopy: name !== 'alone' },
      });
    const [one, writers, other] = [await open('alone'), await open('writer'), await open('copy')];
    const alone = await timed(blocks, () => feed(one, blocks));
    const counts = new ClusterCounts();
    const cluster = new ClusterLog({
      ...{ log: writers, writer: new StreamWriter(engine, counts), streamId: identity.streamId, sequence: 0 },
      ...{ termId: 'bench.1', messageBytesMax: engine.messageBytesMax, tooLarge: () => {} },
    });
    const write = await timed(blocks, () => feed(cluster, blocks));
    const copy = await timed(blocks, () => follow(engine, identity, counts, compressor, other, blocks));
    for (const log of [one, writers, other]) await log.close();
    return { alone, write, copy };
  } finally {
    await engine.close();
    await nats.end();
  }
}

/** Blocks of the benchmark's frames, as ingest makes them. */
export async function makeBlocks(
  session: Session,
  compressor: Compressor,
  didHashKey: Uint8Array,
  eventsPerBlock: number,
  total: number,
): Promise<Block[]> {
  const frames = await readFrames((await session.frames()).path);
  const builder = new BlockBuilder(new Clock(0), new DidHasher(didHashKey), new Map());
  const blocks: Block[] = [];
  for (let made = 0, at = 0; made < total; ) {
    while (builder.count < eventsPerBlock) writeEvents([frames[at++ % frames.length]], builder);
    builder.advance(relay, at);
    blocks.push(builder.seal(compressor, Date.now() * 1000));
    made += blocks.at(-1)?.index.count ?? 0;
  }
  return blocks;
}

async function timed(blocks: readonly Block[], work: () => Promise<void>): Promise<Sample> {
  const events = blocks.reduce((sum, { index }) => sum + index.count, 0);
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { value: events / seconds, events, cpuUsPerEvent: (user + system) / events };
}

function queueOf(log: BlockQueueOptions['log'], setPaused: (paused: boolean) => void = () => {}): BlockQueue {
  const failed = (error: unknown): never => {
    throw error;
  };
  return new BlockQueue(
    { log, failed, publish: () => undefined, written: () => {}, stalled: () => {} },
    { setPaused, drained: () => {} },
  );
}

async function feed(log: BlockQueueOptions['log'], blocks: readonly Block[]): Promise<void> {
  const queue = queueOf(log);
  for (const block of blocks) {
    queue.push(block, undefined);
    while (queue.pendingBytes > pendingBytesMax) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  while (queue.isStoring) await new Promise((resolve) => setTimeout(resolve, 1));
  await queue.stop();
}

async function follow(
  engine: NatsEngine,
  { streamId }: StreamIdentity,
  counts: ClusterCounts,
  compressor: Compressor,
  log: LevelLog,
  blocks: readonly Block[],
): Promise<void> {
  // Whoever wrote it has resolved it.
  const asItIs = Object.create(log, {
    resolve: { value: (block: Block) => block },
    append: { value: (block: Block) => log.append(block) },
    lastTimeUs: { get: () => log.lastTimeUs },
  });
  const queue = queueOf(asItIs, (paused) => follower.setPaused(paused));
  const follower: StreamFollower = new StreamFollower({
    ...{ engine, counts, streamId, compressor, sequence: 0, lastTimeUs: 0 },
    push: (block) => queue.push(block, undefined),
    failed: (error) => {
      throw error;
    },
  });
  follower.start();
  const endUs = blocks.at(-1)?.index.lastTimeUs ?? 0;
  while (log.lastTimeUs < endUs) await new Promise((resolve) => setTimeout(resolve, 1));
  await follower.stop();
  await queue.stop();
}
