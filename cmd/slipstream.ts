#!/usr/bin/env node
// The daemon's shell: flags and environment in, a service up, signals and failures turned into an exit code. 0 is an
// orderly stop, 1 a failure at work, 2 something to correct in the settings.

import { setFlagsFromString } from 'node:v8';
import { type Config, readConfig } from '../lib/config/config.ts';
import { helpText, versionText } from '../lib/config/help.ts';
import { CodedError } from '../lib/errors.ts';
import { createLogger } from '../lib/logger.ts';
import { Service } from '../lib/service/service.ts';
import { inspect } from './inspect.ts';
import { tail } from './tail.ts';
import { train } from './train-dictionary.ts';

/** From the signal to the exit; a stop that hangs is cut off here. */
const stopMsMax = 9_500;

// Blocks live outside of V8's heap. By default every 64 MiB of them cost a full collection, a third of a replay's CPU;
// with this flag they count like everything else. The V8 of Node 22 has no such flag, and would say so.
if (Number.parseInt(process.versions.node, 10) >= 24)
  setFlagsFromString('--external-memory-accounted-in-global-limit');

/** What else the program does; each resolves with an exit code. */
const commands = new Map([
  ['inspect', inspect],
  ['tail', tail],
  ['train-dictionary', train],
]);

const [name = '', ...rest] = process.argv.slice(2);
const command = commands.get(name);
const outcome = command === undefined ? readConfig(process.argv.slice(2), process.env) : undefined;
if (outcome === undefined) process.exitCode = await command?.(rest);
else if (outcome.kind === 'help') console.log(helpText());
else if (outcome.kind === 'version') console.log(versionText());
else if (outcome.kind === 'failure') refuse(outcome.error);
else await run(outcome.config);

async function run(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel, format: config.logFormat });
  let service: Service;
  try {
    service = await Service.start(config, logger);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (isSetting(error)) refuse(error);
    logger.error({ code: error.code }, error.message);
    process.exitCode = 1;
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

/** Errors of starting that only the settings can mend. */
function isSetting(error: CodedError): boolean {
  return /^(CONFIG|UPSTREAM_BAD_URL|CODEC_DICTIONARY|CODEC_NODE_MISSING|CODEC_LEVEL)/.test(error.code);
}

function refuse(error: CodedError): never {
  console.error(`slipstream: ${error.message} (${error.code})`);
  process.exit(2);
}
