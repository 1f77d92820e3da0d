// The daemon as a process: a service up, signals and failures turned into an exit code, the stop bounded in time. What it is
// made of is lib/service/service.ts; flags are read by cmd/slipstream.ts.

import { setFlagsFromString } from 'node:v8';
import type { Config } from '../lib/config/config.ts';
import { CodedError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { Service } from '../lib/service/service.ts';

/** From the signal to the exit; a stop that hangs is cut off here. */
const stopMsMax = 9_500;

// Blocks live outside of V8's heap. By default every 64 MiB of them cost a full collection, a third of a replay's CPU;
// with this flag they count like everything else. The V8 of Node 22 has no such flag, and would say so.
if (Number.parseInt(process.versions.node, 10) >= 24)
  setFlagsFromString('--external-memory-accounted-in-global-limit');

/** Starts the service and ties it to signals. @throws UsageError for what only the settings can mend. */
export async function runDaemon(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  process.once('exit', () => logger.flush());
  let service: Service;
  try {
    service = await Service.start(config, logger);
  } catch (error) {
    if (!(error instanceof CodedError) || error.exitCode === 2) throw error;
    logger.error({ code: error.code }, error.message);
    process.exitCode = error.exitCode;
    return;
  }
  const stop = (why: string, exitCode: number): void => {
    logger.info({ why }, 'stopping');
    process.exitCode = exitCode;
    setTimeout(() => {
      logger.error({}, 'the stop took too long: cut off');
      process.exit(exitCode || 1);
    }, stopMsMax).unref();
    service.stop().then(
      () => {
        logger.info({}, 'stopped');
        process.exit();
      },
      (error) => {
        logger.error({ error }, 'the stop failed');
        process.exit(1);
      },
    );
  };
  process.once('SIGINT', () => stop('SIGINT', 0));
  process.once('SIGTERM', () => stop('SIGTERM', 0));
  void service.failed.then((error) => {
    logger.error({ error }, error instanceof Error ? error.message : String(error));
    stop('failure', 1);
  });
}
