// Flags that npm has taken for its own: `npm start --event-ttl=48h`, without the `--` that says that they are ours. npm warns about
// itself and starts the script without them; all that is left is a variable.

import type { Command } from '../../lib/config/command-line.ts';
import { UsageError } from '../../lib/errors.ts';

/** @param command whose flags are looked for, with those of its subcommands. @throws UsageError `CONFIG_FLAG_INVALID`. */
export function refuseFlagsOfNpm(command: Command, env: Readonly<Record<string, string | undefined>>): void {
  const script = env.npm_lifecycle_event;
  if (script === undefined) return;
  const options = [command, ...command.commands].flatMap((one) => one.options);
  const taken = options.find(({ long }) => env[variableOf(long)] !== undefined)?.long;
  if (taken === undefined || taken === null) return;
  const value = env[variableOf(taken)];
  // Of a flag without a value, and of one whose value stood behind a space.
  const shown = value === 'true' || value === '' ? taken : `${taken} ${value}`;
  const run = script === 'start' ? 'npm start' : `npm run ${script}`;
  throw new UsageError('CONFIG_FLAG_INVALID', `npm took ${taken} for itself: write "${run} -- ${shown}"`);
}

/** `--event-ttl`: `npm_config_event_ttl`. */
function variableOf(flag: string | null | undefined): string {
  return `npm_config_${(flag ?? '').replace(/^--/, '').replaceAll('-', '_')}`;
}
