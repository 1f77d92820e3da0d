// The composition root: builds every stage from a configuration, starts them from the log outwards to the relay, and
// stops them in the opposite order. The only file that knows all stages; it holds no logic of any of them.

import { chooseCompressor } from '../codec/choose-compressor.ts';
import type { Compressor } from '../codec/compressor.ts';
import { DictionaryStore, defaultDictionaryPath, readDictionary } from '../codec/dictionary.ts';
import { Clock } from '../event/clock.ts';
import type { CodedError } from '../event/coded-error.ts';
import { DeliveryRates } from '../fanout/delivery-rate.ts';
import { Fanout } from '../fanout/fanout.ts';
import { formatListenAddress, type ListenAddress } from '../http/listen-address.ts';
import { MetricsListener } from '../http/metrics-listener.ts';
import { PublicListener } from '../http/public-listener.ts';
import { LevelLog } from '../log/level-log.ts';
import { parseRelayUrl, type Relay } from '../upstream/relay-url.ts';
import type { Config } from './config.ts';
import { packageVersion } from './help.ts';
import { Ingest } from './ingest.ts';
import { IngestTotals } from './ingest-totals.ts';
import type { Logger } from './logger.ts';
import { Metrics } from './metrics.ts';
import { RelayLink } from './relay-link.ts';
import { Retention } from './retention.ts';

/** Newest blocks kept in memory: a minute of the network at 1,000 events a second, both encodings. */
const tailBytesMax = 48 * 1024 * 1024;
/** Time that clients get to answer the close frame at shutdown; the whole stop stays under 10 s. */
const sessionsStopMs = 4_000;

/** Addresses that a running service is bound to. */
export interface ServiceAddresses {
  readonly public: ListenAddress;
  readonly metrics: ListenAddress;
}

/** A running daemon. Create it with {@link Service.start}. */
export class Service {
  readonly addresses: ServiceAddresses;
  /** Resolves with the error when the service can no longer do its work: stop it and exit. */
  readonly failed: Promise<unknown>;
  readonly #parts: Parts;
  #stopped: Promise<void> | undefined;

  private constructor(parts: Parts, addresses: ServiceAddresses) {
    this.#parts = parts;
    this.addresses = addresses;
    this.failed = parts.failed;
  }

  /**
   * Opens the log, listens, then connects to the relay. What was opened is closed again when a later step fails.
   * @throws CodedError of the stage that cannot start.
   */
  static async start(config: Config, logger: Logger): Promise<Service> {
    for (const notice of config.notices) logger.warn({}, notice);
    const opened: (() => Promise<void>)[] = [];
    try {
      const parts = await assemble(config, logger, opened);
      const publicAddress = await parts.publicListener.listen(config.listen);
      opened.push(() => parts.publicListener.stop(0));
      const metricsAddress = await parts.metricsListener.listen(config.metricsListen);
      parts.link.upstream.start();
      const addresses = { public: publicAddress, metrics: metricsAddress };
      logger.info(
        {
          listen: formatListenAddress(publicAddress),
          metrics: formatListenAddress(metricsAddress),
          relays: parts.relays.map((relay) => relay.id),
          compressor: parts.compressor.name,
          dictionary: parts.compressor.dictionaryId,
          ...parts.log.stats(),
        },
        'started',
      );
      return new Service(parts, addresses);
    } catch (error) {
      for (const close of opened.reverse()) await close();
      throw error;
    }
  }

  /** Says goodbye to everyone, stores what was taken, closes the log. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { link, publicListener, metricsListener, retention, log, compressor } = this.#parts;
    await link.upstream.stop();
    await link.ingest.stop();
    await retention.stop();
    await publicListener.stop(sessionsStopMs);
    await metricsListener.stop();
    await log.close();
    compressor.close();
  }
}

interface Parts {
  readonly relays: readonly Relay[];
  readonly compressor: Compressor;
  readonly log: LevelLog;
  readonly link: RelayLink;
  readonly publicListener: PublicListener;
  readonly metricsListener: MetricsListener;
  readonly retention: Retention;
  readonly failed: Promise<unknown>;
}

async function assemble(config: Config, logger: Logger, opened: (() => Promise<void>)[]): Promise<Parts> {
  const relays = config.relayUrls.map(parseRelayUrl);
  const dictionary = readDictionary(config.zstdDictionaryPath ?? defaultDictionaryPath());
  const compressor = await chooseCompressor(config.compressor, dictionary, config.zstdLevel, (reason) =>
    logger.info({ code: reason.code }, reason.message),
  );
  opened.push(async () => compressor.close());
  const { dataDir, retentionBytes, fsync } = config;
  const log = await LevelLog.open({ dataDir, retentionBytes, fsync, tailBytesMax, compressor });
  opened.push(() => log.close());
  if (log.lostBlocks > 0) {
    logger.warn(
      { blocks: log.lostBlocks, lastTimeUs: log.lastTimeUs },
      'the end of the log was damaged, as by a power failure, and has been cut off: its events come again from the relay',
    );
  }

  const clock = new Clock(log.lastTimeUs);
  const totals = new IngestTotals();
  const rates = new DeliveryRates(config.maxSubRate);
  const fanout = new Fanout(log, rates, (error) => logger.error({ error }, 'a replay failed'));
  const failure = Promise.withResolvers<unknown>();
  const link = new RelayLink(relays, `slipstream/${packageVersion()}`, totals, logger);
  link.ingest = new Ingest({
    log,
    clock,
    compressor,
    totals,
    publish: (block) => fanout.publish(block),
    setPaused: (paused) => (paused ? link.upstream.pause() : link.upstream.resume()),
    stalled: (why) => logStall(logger, why),
    failed: failure.resolve,
    notice: (relay, type, name, message) => link.notice(relay, type, name, message),
  });
  const { overrideRelayCursor, retentionMs } = config;
  if (overrideRelayCursor !== undefined) link.ingest.overridePosition(relays[0], overrideRelayCursor);
  const publicListener = new PublicListener({
    source: fanout,
    dictionaries: new DictionaryStore(dictionary),
    nowUs: () => clock.nowUs(),
  });
  const oldestUs = (): number => (retentionMs === 0 ? 0 : clock.nowUs() - retentionMs * 1000);
  const retention = new Retention(log, oldestUs, failure.resolve);
  opened.push(() => retention.stop());
  const { subscribe } = publicListener;
  const version = packageVersion();
  const metrics = new Metrics({ version, compressor, relays, totals, log, fanout, link, subscribe });
  return {
    relays,
    compressor,
    log,
    link,
    publicListener,
    metricsListener: new MetricsListener(
      () => metrics.read(),
      (error) => logger.error({ error }, 'metrics failed'),
    ),
    retention,
    failed: failure.promise,
  };
}

function logStall(logger: Logger, why: CodedError | undefined): void {
  if (why === undefined) logger.info({}, 'the log goes on');
  else logger.error({ code: why.code }, `ingest waits: ${why.message}`);
}
