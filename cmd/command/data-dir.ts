// Where the daemon's data directory is, for commands beside it.

import { readEnvironment } from '../../lib/config/setting-sources.ts';
import { settings } from '../../lib/config/settings.ts';

/** The daemon's when it is started in this environment. @throws UsageError `CONFIG_` codes, as the daemon would. */
export function usualDataDir(env: NodeJS.ProcessEnv): string {
  return readEnvironment(env, new Map()).get('data-dir')?.text ?? settings['data-dir'].default;
}
