// The lines that the log of a daemon gets from the service itself: what has started, and what is wrong with the log, the files
// or a stop. It owns their words; when they are due is service.ts.

import type { Compressor } from '../codec/compressor.ts';
import { officialDictionary, sharesOfJson } from '../codec/official-dictionary.ts';
import type { CodedError } from '../errors.ts';
import type { DatabaseDamage } from '../level/table-check.ts';
import { formatListenAddress, type ListenAddress } from '../listen-address.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { Logger } from '../logger.ts';
import { heapUse, memoryLimit } from '../memory.ts';
import { packageVersion } from '../package.ts';
import { formatBytes, grouped } from '../text.ts';
import type { Relay } from '../upstream/relay-url.ts';

/** Addresses that a running service is bound to. */
export interface ServiceAddresses {
  /** None where no subscribers are served. */
  readonly public: ListenAddress | undefined;
  readonly metrics: ListenAddress;
}

/** What the first line tells. */
export interface Started {
  readonly dataDir: string;
  readonly relays: readonly Relay[];
  readonly workers: number;
  readonly compressor: Compressor;
  /** Whether clients of Jetstream v1 can have their dictionary. */
  readonly hasOfficialDictionary: boolean;
  readonly log: LevelLog;
  /** The stored upstream sequence of a relay: where it is gone on. */
  readonly positionOf: (relay: Relay) => number | undefined;
}

/** For people the command has a banner in place of the first line. */
export function logStart(logger: Logger, started: Started, addresses: ServiceAddresses): void {
  const { dataDir, relays, workers, compressor, log } = started;
  const limit = memoryLimit();
  logger[logger.isForPeople ? 'debug' : 'info'](
    {
      version: packageVersion(),
      listen: addresses.public && formatListenAddress(addresses.public),
      metrics: formatListenAddress(addresses.metrics),
      dataDir,
      relays: relays.map((relay) => relay.id),
      workers,
      compressor: compressor.name,
      dictionary: compressor.dictionaryId,
      memoryLimitBytes: limit.limitBytes,
      memoryLimitOf: limit.of,
      heapLimitBytes: heapUse().limitBytes,
      ...log.stats(),
    },
    'started',
  );
  if (started.hasOfficialDictionary || logger.isForPeople) return;
  logger.info(
    { dictionary: officialDictionary.id },
    `compressed events for clients of Jetstream v1 take ${sharesOfJson.none} of the size of their JSON. With the dictionary of these ` +
      `clients it is ${sharesOfJson.official}: run "slipstream dictionaries fetch --data-dir ${dataDir}", then restart`,
  );
}

/**
 * How long each part of a stop is waited for, whatever has failed; the whole stays under 10 s. What is not stored by then comes again
 * from the relay, and a log that is not closed loses nothing. Clients get less than their part to answer the close frame.
 */
export const stopMs = { intake: 2_000, verifier: 500, sessions: 5_500, log: 1_000 };

export function logIncomplete(logger: Logger, what: keyof typeof stopMs): void {
  const hanging = {
    intake: 'a write of the log',
    verifier: 'the check of commits',
    sessions: 'a thread',
    log: 'the log',
  }[what];
  const message = `${hanging} does not finish, and is not waited for: nothing is lost`;
  logger.warn({ code: 'SERVICE_STOP_INCOMPLETE' }, message);
}

export function logLostBlocks({ lostBlocks, lastTimeUs }: LevelLog, logger: Logger): void {
  if (lostBlocks === 0) return;
  logger.warn(
    { blocks: lostBlocks, lastTimeUs },
    'the end of the log was damaged, as by a power failure, and has been cut off: its events come again from the relay',
  );
}

export function logDamage(logger: Logger, { path, offset, what }: DatabaseDamage): void {
  logger.error(
    { code: 'LOG_CORRUPT', path, offset },
    `${path}, at offset ${offset}: ${what}: the log continues without it, and the file is kept aside; check the disk`,
  );
}

export function logFewFiles(logger: Logger, subscribers: number, wanted: number): void {
  logger.warn(
    { subscribers },
    `there is room for ${grouped(subscribers)} subscribers, not ${grouped(wanted)}: raise ulimit -n, or lower --max-subscribers`,
  );
}

/** @param retentionBytes what the log may take; 0: no limit. @param freeBytes undefined where the system does not tell. */
export function logSmallDisk(
  logger: Logger,
  retentionBytes: number,
  freeBytes: number | undefined,
  storedBytes: number,
): void {
  if (freeBytes === undefined || freeBytes + storedBytes >= retentionBytes) return;
  const room = formatBytes(freeBytes + storedBytes);
  logger.warn(
    { freeBytes, storedBytes, retentionBytes },
    `--retention-bytes lets the log take ${formatBytes(retentionBytes)}, and the disk has room for ${room}: lower it, or make room`,
  );
}

export function logStall(logger: Logger, why: CodedError | undefined): void {
  if (why === undefined) logger.info({}, 'the log continues');
  else logger.error({ code: why.code }, `ingest waits: ${why.message}`);
}

/** More subscribers than the main thread serves with ease. */
export function logGrown(logger: Logger, workers: number): void {
  logger.info({ workers }, 'new subscribers are served by worker threads from now on');
}
