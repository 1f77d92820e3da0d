// A node of a cluster begins: it finds the stream, and sees whether the log in its data directory is a copy of it that it can go on
// with. One that is not is never mixed with it: it is refused, deleted when all of it is older than what is kept, or set aside
// when the stream has lost what it had.

import { setTimeout as delay } from 'node:timers/promises';
import { messageTimes, sequenceIn } from '../cluster/block-message.ts';
import { otherLog, unavailable } from '../cluster/cluster-errors.ts';
import type { Engine, StreamState } from '../cluster/engine.ts';
import type { StreamIdentity } from '../cluster/stream-layout.ts';
import type { ClusterConfig, Config } from '../config/config.ts';
import { LevelLog } from '../log/level-log.ts';
import { deleteLog, hasLog, setLogAside } from '../log/log-files.ts';
import type { LevelLogOptions } from '../log/opened-log.ts';
import type { Logger } from '../logger.ts';

/** How long the servers are waited for: then the process ends, and whoever supervises it starts it again. */
const waitMs = 30_000;
const retryMs = 250;
/** How long the stream must say that it ends before what this node has. */
const shortAfterMs = 5_000;

/** What a node has of the cluster. */
export interface SharedLog {
  readonly role: ClusterConfig['role'];
  readonly engine: Engine;
  readonly identity: StreamIdentity;
  /** Sequence that an empty log goes on after: what the stream keeps begins there. */
  emptySequence: number;
}

/** Connects, and finds or makes the stream. @throws CodedError `CLUSTER_`. */
export async function openShared(
  config: Config,
  settings: ClusterConfig,
  logger: Logger,
  opened: (() => Promise<void>)[],
): Promise<SharedLog> {
  // Not before: it is for nodes of a cluster alone.
  const { NatsEngine } = await import('../cluster/nats-engine.ts');
  const { setUpStream } = await import('../cluster/stream-setup.ts');
  const { role, urls, name } = settings;
  const engine = await NatsEngine.open(settings, waitMs);
  opened.push(() => engine.close());
  const { retentionMs, dataDir } = config;
  const identity = await setUpStream(engine, { settings, retentionMs, hasLog: hasLog(dataDir), waitMs });
  logger.info(
    { cluster: name, role, servers: urls.length, stream: identity.streamId },
    'the stream is there',
  );
  return { role, engine, identity, emptySequence: 0 };
}

/** Opens the log of a node. @throws CodedError as `LevelLog.open`, `CLUSTER_OTHER_LOG`, `CLUSTER_ENGINE_UNAVAILABLE`. */
export async function openSharedLog(
  options: LevelLogOptions,
  shared: SharedLog,
  logger: Logger,
): Promise<LevelLog> {
  // What this log loses, the stream has: nothing is sent before it is there.
  const log = await openFitting({ ...options, isCopy: true }, shared, logger);
  return orClosed(log, async () => {
    shared.emptySequence = (await stateOf(shared.engine)).firstSequence - 1;
    return log;
  });
}

/** A log that can go on with the stream: the one that is there, or a new one. */
async function openFitting(
  options: LevelLogOptions,
  { engine, identity }: SharedLog,
  logger: Logger,
): Promise<LevelLog> {
  const { dataDir } = options;
  const log = await LevelLog.open(options);
  const misfit = await orClosed(log, async () => {
    const own = sequenceIn(log.positions, identity.streamId);
    const isOther = Buffer.compare(log.didHashKey, identity.didHashKey) !== 0;
    if (isOther || (own === undefined && log.lastTimeUs > 0)) throw otherLog(dataDir);
    return own === undefined ? undefined : misfitOf(engine, own, log.lastTimeUs);
  });
  if (misfit === undefined) return log;
  await log.close();
  await clearAway(dataDir, misfit, logger);
  return LevelLog.open(options);
}

/** Does what is to be done with an open log; when that fails, the log is closed. */
async function orClosed<Result>(log: LevelLog, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** Why a log cannot go on with the stream: it was away for too long, or has what the stream has not. */
type Misfit = 'too_old' | 'forked';

/** @param own sequence of the newest message that the log has as a whole, and `lastTimeUs` where it ends. */
async function misfitOf(engine: Engine, own: number, lastTimeUs: number): Promise<Misfit | undefined> {
  const sinceMs = performance.now();
  for (;;) {
    const { firstSequence, lastSequence } = await stateOf(engine);
    if (firstSequence > own + 1) return 'too_old';
    if (lastSequence >= own) {
      const isEnd = await endsThere(engine, own, lastTimeUs, { firstSequence, lastSequence });
      if (isEnd === true) return undefined;
      if (isEnd === false || performance.now() - sinceMs > shortAfterMs) return 'forked';
    } else if (performance.now() - sinceMs > shortAfterMs) return 'forked';
    await delay(retryMs);
  }
}

/**
 * Whether the stream has a block that ends at `lastTimeUs`: the last one of message `own`, or one in the middle of the next. Undefined
 * while nobody says.
 */
async function endsThere(
  engine: Engine,
  own: number,
  lastTimeUs: number,
  { firstSequence, lastSequence }: Pick<StreamState, 'firstSequence' | 'lastSequence'>,
): Promise<boolean | undefined> {
  const isKept = own >= firstSequence;
  const message = isKept ? await engine.message(own) : null;
  if (isKept && (message === null || message === undefined)) return undefined;
  const isWhole = message ? messageTimes(message).endsUs.at(-1) === lastTimeUs : undefined;
  if (isWhole === true || (isWhole === undefined && lastSequence === own)) return true;
  if (lastSequence === own) return false;
  const next = await engine.message(own + 1);
  if (next === null || next === undefined) return undefined;
  const { previousUs, endsUs } = messageTimes(next);
  const goesOn = isWhole === undefined && (previousUs === 0 || previousUs === lastTimeUs);
  return goesOn || endsUs.slice(0, -1).includes(lastTimeUs);
}

/** By the leader, which may not be there yet. */
async function stateOf(engine: Engine): Promise<StreamState> {
  const deadlineMs = performance.now() + waitMs;
  while (performance.now() < deadlineMs) {
    const state = await engine.state();
    if (state !== undefined) return state;
    await delay(retryMs);
  }
  throw unavailable('nobody answers for the stream');
}

async function clearAway(dataDir: string, misfit: Misfit, logger: Logger): Promise<void> {
  if (misfit === 'too_old') {
    logger.warn(
      { dataDir },
      'this node was away for longer than the stream keeps: it copies the stream anew',
    );
    return deleteLog(dataDir);
  }
  const folder = `forked-${new Date().toISOString().replace(/[:.]/g, '-')}`;
  logger.error(
    { dataDir, folder },
    `the stream has lost what this node has: its log is set aside in ${folder}, and it copies the stream; what is lost comes again from the relay; look after the NATS servers' disks`,
  );
  return setLogAside(dataDir, folder);
}
