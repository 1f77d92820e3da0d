// The daemon's configuration as its program reads it: from arguments and an environment.

import { fromGoFlags } from '../../lib/config/command-line.ts';
import { type Config, configOf } from '../../lib/config/config.ts';
import { type GivenTexts, settingsCommand } from '../../lib/config/setting-sources.ts';

/** @param argv what follows the program's name. @throws UsageError `CONFIG_` codes. */
export function readConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const flags: GivenTexts = new Map();
  const command = settingsCommand(flags);
  command.parse(fromGoFlags(command, argv), { from: 'user' });
  return configOf(flags, env);
}
