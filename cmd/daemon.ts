// The daemon as a process: a service up, signals and failures turned into an exit code, the stop bounded in time. What it is
// made of is lib/service/service.ts; flags are read by cmd/program.ts.

import { setFlagsFromString } from 'node:v8';
import { sharesOfJson } from '../lib/codec/official-dictionary.ts';
import type { Config, NodeRole } from '../lib/config/config.ts';
import { CodedError } from '../lib/errors.ts';
import { formatListenAddress } from '../lib/listen-address.ts';
import { createLogger, type ProcessLogger } from '../lib/logger.ts';
import { packageName, packageVersion } from '../lib/package.ts';
import { Service } from '../lib/service/service.ts';
import { formatBytes, formatSpan, grouped } from '../lib/text.ts';
import { type BannerRow, bannerText, commandFrom, localUrl, tailCommandFor } from './command/banner.ts';
import { exitAtOnce } from './exit-at-once.ts';

/** From the signal to the exit; a stop that hangs is cut off here. */
const stopMsMax = 9_500;

// Blocks live outside of V8's heap. By default every 64 MiB of them cost a full collection, a third of a replay's CPU;
// with this flag they count like everything else. The V8 of Node 22 has no such flag, and would say so.
if (Number.parseInt(process.versions.node, 10) >= 24)
  setFlagsFromString('--external-memory-accounted-in-global-limit');

/**
 * Starts the service and ties it to signals. A signal in the middle of the start is a stop once it has started; one in the middle
 * of a stop changes nothing, since a stop is bounded.
 * @throws UsageError for what only the settings can mend.
 */
export async function runDaemon(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  process.once('exit', () => logger.flush());
  const signalled = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, signalled.resolve);
  let service: Service;
  try {
    service = await Service.start(config, logger, {}, (started) => {
      if (logger.isForPeople) logger.info({}, bannerOf(started, config));
    });
  } catch (error) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, signalled.resolve);
    if (!(error instanceof CodedError) || error.exitCode === 2) throw error;
    logger.error({ code: error.code }, error.message);
    process.exitCode = error.exitCode;
    return;
  }
  const failed = service.failed.then((error) => {
    // Also in the middle of a stop.
    process.exitCode = 1;
    logger.error({ error }, error instanceof Error ? error.message : String(error));
    return 'failure' as const;
  });
  void Promise.race([signalled.promise, failed]).then((why) => {
    service.logStopping(why);
    return stop(service, logger);
  });
}

const roleTexts: Readonly<Record<NodeRole, string>> = {
  both: 'serves, and writes when it is elected',
  ingest: 'writes when it is elected',
  serve: 'serves',
};

/** Where to click, what there is, and what to try. */
function bannerOf({ addresses, started }: Service, { retentionMs, retentionBytes, cluster }: Config): string {
  const { dataDir, relays, log, positionOf, hasOfficialDictionary } = started;
  const listen = addresses.public && formatListenAddress(addresses.public);
  const { storedEvents, storedBytes, firstTimeUs, lastTimeUs } = log.stats();
  const kept = [
    retentionMs === 0 ? '' : formatSpan(retentionMs / 1000).replace(/ 0 \w+$/, ''),
    retentionBytes === 0 ? '' : formatBytes(retentionBytes),
  ];
  const has =
    storedEvents === 0
      ? 'empty'
      : `${grouped(storedEvents)} events, ${formatSpan((lastTimeUs - firstTimeUs) / 1e6)}, ${formatBytes(storedBytes)}`;
  const position = positionOf(relays[0]);
  const from = position === undefined ? '' : `, from sequence ${position} on`;
  return bannerText(`Slipstream ${packageVersion()}`, [
    ['subscribe', listen === undefined ? '' : localUrl('ws', listen, '/subscribe')],
    ['page', listen === undefined ? '' : localUrl('http', listen, '/')],
    ['metrics', localUrl('http', formatListenAddress(addresses.metrics), '/metrics')],
    ['log', `${dataDir}: ${has}; kept: ${kept.filter((text) => text !== '').join(' or ')}`],
    ...dictionaryRows(hasOfficialDictionary, dataDir),
    ['cluster', cluster === undefined ? '' : `${cluster.name}, ${roleTexts[cluster.role]}`],
    [
      'relay',
      cluster !== undefined ? '' : `connecting to ${relays.map(({ id }) => id).join(', or ')}${from}`,
    ],
    ['try', listen === undefined ? '' : tailCommandFor(listen, process.env, packageName)],
  ]);
}

/** What clients of Jetstream v1 do without, and the command that changes it. */
function dictionaryRows(hasOfficial: boolean, dataDir: string): BannerRow[] {
  if (hasOfficial) return [];
  const { official, none } = sharesOfJson;
  return [
    ['v1 clients', `compressed events are ${none} of their JSON; for ${official} run, then restart:`],
    ['', `${commandFrom(process.env, packageName)} dictionaries fetch --data-dir ${dataDir}`],
  ];
}

/** Ends the process. */
async function stop(service: Service, logger: ProcessLogger): Promise<void> {
  setTimeout(() => {
    logger.error({}, 'the stop took too long: cut off');
    cutOff(1, logger);
  }, stopMsMax).unref();
  try {
    const isWhole = await service.stop();
    logger.info({}, 'stopped');
    if (!isWhole) cutOff(Number(process.exitCode ?? 0), logger);
    process.exit();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    logger.error({ error }, `the stop failed: ${message}`);
    cutOff(1, logger);
  }
}

function cutOff(exitCode: number, logger: ProcessLogger): void {
  logger.flush();
  exitAtOnce(exitCode);
}
