// Starts what checks commits beside the stream, if the configuration asks for it, and says in the log how it goes.

import type { Config } from '../config/config.ts';
import type { Logger } from '../logger.ts';
import { packageVersion } from '../package.ts';
import { Verifier } from '../verifier/verifier.ts';

/**
 * The thread that checks; undefined when nothing is to be checked, or nothing is written here.
 * @throws CodedError of a database that it cannot open, `IDENTITY_BAD_URL`.
 */
export async function openVerifier(config: Config, logger: Logger): Promise<Verifier | undefined> {
  const { verify, plcUrl, plcStream, webHosts, dataDir, cluster } = config;
  if (verify === 'off' || cluster?.role === 'serve') return undefined;
  const verifier = await Verifier.start({
    ...{ dataDir, plcUrl, webUrl: undefined, webHosts },
    streamsAs: plcStream ? `slipstream/${packageVersion()}` : undefined,
    ended: (error) => logger.error({ err: error }, 'commits are not checked any more; events go on without'),
  });
  logger.info({ verify, plcUrl, engine: verifier.engine }, 'commits are checked');
  return verifier;
}
