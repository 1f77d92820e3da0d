#!/usr/bin/env node
// The program's shell: flags and environment in, a service up, signals and failures turned into an exit code. 0 is an
// orderly stop, 1 a failure at work, 2 something to correct in the settings. Its other commands are in the files beside it.

import { setFlagsFromString } from 'node:v8';
import { fromGoFlags } from '../lib/config/command-line.ts';
import { type Config, configOf } from '../lib/config/config.ts';
import { type GivenTexts, settingsCommand } from '../lib/config/setting-sources.ts';
import { CodedError, UsageError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { Service } from '../lib/service/service.ts';
import { inspectCommand } from './inspect.ts';
import { tailCommand } from './tail.ts';
import { exitCodeOf } from './terminal/exit-code.ts';
import { trainCommand } from './train-dictionary.ts';

/** From the signal to the exit; a stop that hangs is cut off here. */
const stopMsMax = 9_500;

// Blocks live outside of V8's heap. By default every 64 MiB of them cost a full collection, a third of a replay's CPU;
// with this flag they count like everything else. The V8 of Node 22 has no such flag, and would say so.
if (Number.parseInt(process.versions.node, 10) >= 24)
  setFlagsFromString('--external-memory-accounted-in-global-limit');

const flags: GivenTexts = new Map();
let name = 'slipstream';
const program = settingsCommand(flags)
  .enablePositionalOptions()
  .hook('preSubcommand', (_, command) => {
    if (flags.size > 0) {
      const message = `"${command.name()}" goes before its flags, which are not the daemon's`;
      throw new UsageError('CONFIG_UNEXPECTED_ARGUMENT', message);
    }
    name = command.name();
  })
  .action(() => run(configOf(flags, process.env)));
for (const command of [tailCommand(), inspectCommand(), trainCommand()]) program.addCommand(command);

try {
  await program.parseAsync(fromGoFlags(program, process.argv.slice(2)), { from: 'user' });
} catch (error) {
  process.exitCode = exitCodeOf(error, name);
}

async function run(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
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
