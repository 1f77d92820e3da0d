// The composition root: builds every stage from a configuration, starts them from the log outwards to the relay, and
// stops them in the opposite order. The only file that knows all stages; it holds no logic of any of them.

import type { Config } from '../config/config.ts';
import { endsWithin } from '../deadline.ts';
import { IngestTotals } from '../ingest/ingest-totals.ts';
import type { LinkTiming } from '../ingest/relay-link.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { ProcessLogger } from '../logger.ts';
import { DiskSpace } from '../monitor/disk-space.ts';
import { Monitor } from '../monitor/monitor.ts';
import { packageVersion } from '../package.ts';
import { Repeats } from '../repeats.ts';
import { checkSocketInternals } from '../session/subscriber-socket.ts';
import { parseRelays } from '../upstream/relay-url.ts';
import { dictionaryPathsOf } from '../worker/codec.ts';
import type { CrowdMark } from '../worker/crowd-mark.ts';
import { ClockWatch } from './clock-watch.ts';
import { type CommitChecks, openChecks } from './commit-checks.ts';
import { type Intake, openIntake } from './intake.ts';
import { closeProofs, type KeptProofs } from './kept-proofs.ts';
import type { IntakeOptions } from './relay-intake.ts';
import { AgeCut, Retention } from './retention.ts';
import { type Opened, openServed, type Serving } from './served-log.ts';
import {
  logFewFiles,
  logIncomplete,
  logSmallDisk,
  logStall,
  logStart,
  type ServiceAddresses,
  type Started,
  stopMs,
} from './service-log.ts';
import { openShared, type SharedLog } from './shared-log.ts';
import { openWriterCodec, type WriterCodec } from './writer-codec.ts';

/** How long clients get to answer the close frame; less than their part of `stopMs`. */
const sessionsStopMs = 4_000;

/** A running daemon. Create it with {@link Service.start}. */
export class Service {
  readonly addresses: ServiceAddresses;
  readonly started: Started;
  /** Resolves with the error when the service can no longer do its work: stop it and exit. */
  readonly failed: Promise<unknown>;
  readonly #parts: Parts;
  #stopped: Promise<boolean> | undefined;

  private constructor(parts: Parts, addresses: ServiceAddresses) {
    this.#parts = parts;
    this.addresses = addresses;
    this.started = parts;
    this.failed = parts.failed;
  }

  /**
   * Opens the log, listens, then connects to the relay. What was opened is closed again when a later step fails.
   * @param timing replaces single intervals of the way in; for tests. @param greet told before the log says what is odd about this start.
   * @throws CodedError of the stage that cannot start.
   */
  static async start(
    config: Config,
    everyLine: ProcessLogger,
    timing: Timing = {},
    greet: (service: Service) => void = () => {},
  ): Promise<Service> {
    const logger = new Repeats(everyLine);
    const opened: Opened = [];
    try {
      checkSocketInternals();
      const zstdDictionaryPaths = dictionaryPathsOf(config);
      const parts = await assemble({ ...config, zstdDictionaryPaths }, logger, opened, timing);
      const { delivery, monitor, intake } = parts;
      const publicAddress = await delivery.listen?.(config.listen);
      opened.push(async () => void (await delivery.stop(0)));
      const metricsAddress = await monitor.listener.listen(config.metricsListen);
      monitor.readiness.isListening = true;
      intake.start();
      const addresses = { public: publicAddress, metrics: metricsAddress };
      logStart(logger, parts, addresses);
      const service = new Service(parts, addresses);
      greet(service);
      for (const notice of config.notices) logger.warn({}, notice);
      if (parts.subscribersMax < config.subscribersMax)
        logFewFiles(logger, parts.subscribersMax, config.subscribersMax);
      const disk = new DiskSpace(config.dataDir);
      await disk.refresh();
      logSmallDisk(logger, config.retentionBytes, disk.freeBytes, parts.log.stats().storedBytes);
      return service;
    } catch (error) {
      for (const close of opened.reverse()) await close();
      logger.flush();
      throw error;
    }
  }

  /** Says that a stop begins, behind what the log has held back. */
  logStopping(why: string): void {
    const { logger } = this.#parts;
    logger.flush();
    logger.info({ why }, 'stopping');
  }

  /**
   * Graceful shutdown: stores what was taken, closes all subscribers, then the log. Idempotent.
   * What hangs is not waited for, and named in the log. Whether nothing does: else it goes on in the background.
   * @throws the error of a part that could not be ended; all others are ended.
   */
  stop(): Promise<boolean> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<boolean> {
    const { intake, verifier, delivery, retention, monitor, log, proofs, shared } = this.#parts;
    const { codec, crowd, logger } = this.#parts;
    crowd.stop();
    const failures: unknown[] = [];
    let isWhole = true;
    const end = async (what: keyof typeof stopMs, work: Promise<unknown>): Promise<void> => {
      work.catch((error: unknown) => failures.push(error));
      if ((await endsWithin(stopMs[what], work)) && (await work.catch(() => true)) !== false) return;
      isWhole = false;
      logIncomplete(logger, what);
    };
    // Load balancers see it at once, while the operator's listener still answers. What came is stored and sent.
    monitor.readiness.isListening = false;
    monitor.stop();
    await end('intake', endIntake(intake, retention));
    await end('verifier', verifier?.stop() ?? Promise.resolve());
    await end('sessions', delivery.stop(sessionsStopMs));
    await monitor.listener.stop();
    await end('log', closeLogs(log, shared, proofs));
    codec.close();
    logger.flush();
    if (failures.length > 0) throw failures[0];
    return isWhole;
  }
}

async function endIntake(intake: Intake, retention: Retention): Promise<void> {
  await intake.stop();
  await retention.stop();
}

async function closeLogs(
  log: LevelLog,
  shared: SharedLog | undefined,
  proofs: KeptProofs | undefined,
): Promise<void> {
  await shared?.engine.close();
  await closeProofs(proofs);
  await log.close();
}

/** Everything that {@link Service.stop} has to end, and what the first line of the log tells. */
interface Parts extends Started {
  readonly logger: Repeats;
  /** Those that there are open files for. */
  readonly subscribersMax: number;
  readonly intake: Intake;
  readonly delivery: Serving;
  readonly verifier: CommitChecks[keyof CommitChecks];
  readonly shared: SharedLog | undefined;
  readonly proofs: KeptProofs | undefined;
  readonly retention: Retention;
  readonly monitor: Monitor;
  readonly codec: WriterCodec;
  readonly crowd: CrowdMark;
  readonly failed: Promise<unknown>;
}

/** Intervals that tests shorten. */
type Timing = Partial<LinkTiming>;

/** Builds the stages, from the log to what writes it. Nothing listens yet, and no relay is connected. */
async function assemble(config: Config, logger: Repeats, opened: Opened, timing: Timing): Promise<Parts> {
  const { overrideRelayCursor, retentionMs, windowMs, cluster } = config;
  const version = packageVersion();
  const failure = Promise.withResolvers<unknown>();
  const failed = failure.resolve;

  const codec = await openWriterCodec(config, logger);
  opened.push(async () => codec.close());
  const { compressor } = codec;
  const shared = cluster === undefined ? undefined : await openShared(config, cluster, logger, opened);

  const watch = new ClockWatch(logger);
  const { log, delivery, workers, time, subscribersMax, proofs, crowd } = await openServed(
    config,
    codec,
    logger,
    watch,
    opened,
    failed,
    shared,
  );

  const relays = parseRelays(config.relayUrls);
  const totals = new IngestTotals();
  // Its calls come once the intake has started, when the monitor is there.
  const commitChecks = await openChecks(config, logger);
  const verifier = commitChecks.verification ?? commitChecks.checks;
  if (verifier !== undefined) opened.push(() => verifier.stop());
  const intakeOptions: IntakeOptions = {
    ...commitChecks,
    ...{ relays, totals, compressor, time, logger, timing, windowMs, disconnects: new Map(), failed },
    keeper: proofs?.queue,
    publish(block) {
      monitor.count(block);
      return delivery.publish(block);
    },
    written: (seconds) => monitor.written(seconds),
    stalled: (why) => logStall(logger, why),
  };
  const intake = await openIntake(intakeOptions, log, shared, overrideRelayCursor);
  watch.cover = intake.cover;

  const retention = new Retention(log, new AgeCut(retentionMs, () => time.nowMs()), failed);
  opened.push(() => retention.stop());

  const monitor = new Monitor({
    ...{ version, workers, relays, compressor, totals, log, proofs, delivery, logger, time, failed },
    aboutUrl: config.aboutUrl,
    dataDir: config.dataDir,
    retentionMs,
    retentionBytes: config.retentionBytes,
    link: intake.link,
    cluster: intake.cluster,
    verification: verifier,
    nowUs: intake.nowUs,
  });
  opened.push(async () => monitor.stop());

  const hasOfficialDictionary = codec.dictionaries.hasOfficial;
  const started = { dataDir: config.dataDir, relays, workers, compressor, hasOfficialDictionary, log };
  const { positionOf } = intake;
  const stopped = { logger, intake, verifier, delivery, crowd, shared, proofs, retention, monitor, codec };
  return { ...started, positionOf, subscribersMax, ...stopped, failed: failure.promise };
}
