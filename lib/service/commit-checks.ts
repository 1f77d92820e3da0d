// Starts what checks commits, beside the stream or before it, if the configuration asks for it, and says in the log how it goes.

import type { Config } from '../config/config.ts';
import type { Logger } from '../logger.ts';
import { packageVersion } from '../package.ts';
import { Enforcer } from '../verifier/enforcer.ts';
import { Verifier } from '../verifier/verifier.ts';

/** What checks: one of the two, or nothing when nothing is to be checked, or nothing is written here. */
export interface CommitChecks {
  readonly verification: Verifier | undefined;
  readonly checks: Enforcer | undefined;
}

/** @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`. */
export async function openChecks(config: Config, logger: Logger): Promise<CommitChecks> {
  const { verify, plcUrl, plcStream, webHosts, dataDir, cluster } = config;
  if (verify === 'off' || cluster?.role === 'serve') return { verification: undefined, checks: undefined };
  const options = {
    ...{ dataDir, plcUrl, webUrl: undefined, webHosts },
    streamsAs: plcStream ? `slipstream/${packageVersion()}` : undefined,
    ended: (error: Error) =>
      logger.error({ err: error }, 'commits are not checked any more; events go on without'),
  };
  const verification = verify === 'observe' ? await Verifier.start(options) : undefined;
  const checks = verify === 'enforce' ? await Enforcer.start(options) : undefined;
  logger.info({ verify, plcUrl, engine: (verification ?? checks)?.engine }, 'commits are checked');
  return { verification, checks };
}
