// The program's shell: the daemon's flags and the commands beside it in, an exit code out. 0 is an orderly end, 1 a failure
// at work, 2 something to correct in flags or settings.

import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { fromGoFlags } from '../lib/config/command-line.ts';
import { configOf, type NodeRole } from '../lib/config/config.ts';
import { type GivenTexts, roleCommand, settingsCommand } from '../lib/config/setting-sources.ts';
import { UsageError } from '../lib/errors.ts';
import { exitCodeOf } from './command/exit-code.ts';
import { refuseFlagsOfNpm } from './command/npm-flags.ts';
import { requireNode } from './command/runtime.ts';
import { demoCommand } from './demo.ts';
import { dictionariesCommand } from './dictionaries.ts';
import { inspectCommand } from './inspect.ts';
import { tailCommand } from './tail.ts';
import { trainCommand } from './train-dictionary.ts';
import { verifyCommand } from './verify.ts';

/** How long an address is tried by fetch and WebSocket, which take no such option; as for relays (lib/upstream/limits.ts). */
setDefaultAutoSelectFamilyAttemptTimeout(2_000);

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
  .action(() => run(flags, 'both'));
for (const role of ['ingest', 'serve'] as const) {
  const own: GivenTexts = new Map();
  program.addCommand(roleCommand(role, own).action(() => run(own, role)));
}
for (const command of [
  tailCommand(),
  demoCommand(),
  inspectCommand(),
  dictionariesCommand(),
  trainCommand(),
  verifyCommand(),
])
  program.addCommand(command);

async function run(given: GivenTexts, role: NodeRole): Promise<void> {
  requireNode('the daemon', process.versions);
  const config = configOf(given, process.env, role);
  // Not before: it is most of what is loaded, and the other commands do without.
  const { runDaemon } = await import('./daemon.ts');
  await runDaemon(config);
}

try {
  const argv = fromGoFlags(program, process.argv.slice(2));
  refuseFlagsOfNpm(program.commands.find((command) => command.name() === argv[0]) ?? program, process.env);
  await program.parseAsync(argv, { from: 'user' });
} catch (error) {
  process.exitCode = exitCodeOf(error, name);
}
