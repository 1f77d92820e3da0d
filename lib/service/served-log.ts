// The log, opened with what serves it to subscribers: this thread, workers, or nothing. How many open files and how much memory each may
// have is shared out here. What writes the log is service.ts's to start.

import type { Config } from '../config/config.ts';
import { TrustedTime } from '../event/trusted-time.ts';
import { AddressTable, wantedDidsPerAddressMax } from '../fanout/address-table.ts';
import { LevelLog } from '../log/level-log.ts';
import type { LevelLogOptions } from '../log/opened-log.ts';
import type { Logger } from '../logger.ts';
import { hasLittleMemory } from '../memory.ts';
import { openFilesMax, shareOpenFiles } from '../open-files.ts';
import { CrowdMark } from '../worker/crowd-mark.ts';
import { GrowingDelivery, mainSubscribersMax } from '../worker/growing-delivery.ts';
import {
  type Delivery,
  readsMax,
  type ServerLogEntry,
  SubscriberServer,
  type SubscriberServerOptions,
} from '../worker/subscriber-server.ts';
import { WorkerPool } from '../worker/worker-pool.ts';
import type { ClockWatch } from './clock-watch.ts';
import { closeProofs, filesOfProofs, type KeptProofs, openProofs } from './kept-proofs.ts';
import { noDelivery } from './no-delivery.ts';
import { logDamage, logGrown, logLostBlocks } from './service-log.ts';
import { openSharedLog, type SharedLog } from './shared-log.ts';
import { workerPlan } from './worker-plan.ts';
import type { WriterCodec } from './writer-codec.ts';

/** Newest blocks kept in memory, both encodings: a quarter of a minute at 500 events a second. Who comes from further back reads LevelDB. */
const usualTailBytesMax = 8 * 1024 * 1024;
/** The same where memory is short. */
const littleTailBytesMax = 2 * 1024 * 1024;
const longCheckText = 'the log is checked before it is opened: this takes a second or more for each GB';

/** What has to be closed, last first, when a later step of the start fails. */
export type Opened = (() => Promise<void>)[];

/** What serves subscribers, if anything does. */
export type Serving = Omit<Delivery, 'listen'> & Partial<Pick<Delivery, 'listen'>>;

/** The log and what is opened with it. */
interface Opening {
  readonly log: LevelLog;
  readonly delivery: Serving;
  /** Those that run from the start. */
  readonly workers: number;
  readonly time: TrustedTime;
  /** Subscribers that there are open files for. */
  readonly subscribersMax: number;
  readonly proofs: KeptProofs | undefined;
  readonly crowd: CrowdMark;
}

/** Opens the log, and what serves it to subscribers: this thread, or workers that follow the log. */
export async function openServed(
  config: Config,
  codec: WriterCodec,
  logger: Logger,
  watch: ClockWatch,
  opened: Opened,
  failed: (error: unknown) => void,
  shared: SharedLog | undefined,
): Promise<Opening> {
  const { dataDir, retentionBytes, fsync } = config;
  const serves = config.cluster?.role !== 'ingest';
  const { workers, grows: mayGrow } = workerPlan(serves ? config.workers : 0);
  const crowd = new CrowdMark(dataDir);
  const grows = mayGrow && !crowd.isThere;
  const listeners = grows ? workers + 1 : Math.max(1, workers);
  const files = shareOpenFiles(openFilesMax() - filesOfProofs(config), listeners, config.subscribersMax);
  const { subscribersMax, tablesMax, plainSocketsMax } = files;
  const tailBytesMax = hasLittleMemory() ? littleTailBytesMax : usualTailBytesMax;
  const addresses = addressMemory(config, subscribersMax);
  const writeLog = (entry: ServerLogEntry): void => logger[entry.level](entry.fields, entry.message);
  const threads = {
    compressor: codec.compressor.name,
    workers,
    addresses,
    plainSocketsMax,
    sharesPort: grows,
  };
  const pool =
    workers === 0 ? undefined : new WorkerPool({ config, ...threads, tailBytesMax, writeLog, failed });
  const logOptions: LevelLogOptions = {
    ...{ dataDir, didHashKey: shared?.identity.didHashKey, retentionBytes, fsync, tablesMax },
    compressor: codec.compressor,
    journalCompressor: codec.journalCompressor,
    // With workers from the start nobody reads in this thread.
    tailBytesMax: pool === undefined || grows ? tailBytesMax : 0,
    onDamage: (damage) => logDamage(logger, damage),
    onLongCheck: (bytes) => logger.info({ bytes }, longCheckText),
    follower: pool,
  };
  const log =
    shared === undefined ? await LevelLog.open(logOptions) : await openSharedLog(logOptions, shared, logger);
  opened.push(() => log.close());
  logLostBlocks(log, logger);
  const time = new TrustedTime(log.lastTimeUs, watch.report);
  const proofs = await openProofs(config, log, time, shared !== undefined);
  opened.push(() => closeProofs(proofs));
  if (!serves) return { log, delivery: noDelivery, workers, time, subscribersMax, proofs, crowd };
  const server = {
    config,
    log,
    codec,
    addresses,
    time: time.memory,
    proofs: proofs?.store,
    readsMax,
    plainSocketsMax,
    listeners,
    writeLog,
  };
  const crowded = (): void =>
    crowd.follow(async () => (await delivery.counts()).sessions > mainSubscribersMax);
  const grown = (): void => {
    logGrown(logger, workers);
    crowded();
  };
  const delivery = await openServing(server, pool, grows ? grown : undefined, opened, failed);
  // Of the process before this one.
  if (mayGrow && !grows) crowded();
  return { log, delivery, workers: grows ? 0 : workers, time, subscribersMax, proofs, crowd };
}

/** Memory of the table of addresses, which all threads share. */
function addressMemory(config: Config, subscribersMax: number): SharedArrayBuffer {
  const { subscribersPerAddressMax, maxSubRate: eventsPerSecond } = config;
  const wanted = { wantedDidsMax: wantedDidsPerAddressMax };
  return AddressTable.memoryFor({ subscribersMax, subscribersPerAddressMax, eventsPerSecond, ...wanted });
}

/** What serves subscribers of an open log. @param grown told when threads start that were not needed before; undefined when all do now. */
async function openServing(
  server: SubscriberServerOptions & { readonly log: LevelLog },
  pool: WorkerPool | undefined,
  grown: (() => void) | undefined,
  opened: Opened,
  failed: (error: unknown) => void,
): Promise<Serving> {
  if (pool === undefined) return new SubscriberServer(server);
  opened.push(() => pool.terminate());
  const { log, time, proofs } = server;
  if (grown !== undefined)
    return new GrowingDelivery({ own: new SubscriberServer(server), pool, log, time, proofs, grown, failed });
  await pool.load(log, time, proofs);
  await pool.follow();
  return pool;
}
