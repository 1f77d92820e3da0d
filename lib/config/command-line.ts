// Flags, help and "did you mean", by commander; the only file of the daemon that imports it. It owns how our command lines behave: a
// wrong one is a UsageError with one line, help and version end the process. Which flags there are is its callers'.
import { Command, type CommanderError } from 'commander';
import { UsageError } from '../errors.ts';

export { type Command, InvalidArgumentError, Option } from 'commander';

/** Of the help: more are hard to read. */
const helpColumnsMax = 100;
/** Longest text of an operator that is repeated in a message, and longest message of commander, in characters. */
const shownTextMax = 80;
const messageMax = 300;

/** Our codes of commander's; what is not here is a value that a flag does not take. */
const codes: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'CONFIG_UNKNOWN_FLAG',
  'commander.excessArguments': 'CONFIG_UNEXPECTED_ARGUMENT',
  'commander.optionMissingArgument': 'CONFIG_MISSING_VALUE',
};

/** A command or a subcommand to add flags and an action to. Parsing throws UsageErrors of CONFIG_ codes. */
export function newCommand(name: string, description: string): Command {
  const command = new Command(name);
  return command
    .description(description)
    .helpOption('-h, --help', 'show this help')
    .configureOutput({ outputError: () => {}, getOutHelpWidth: helpColumns })
    .exitOverride((error) => {
      if (error.exitCode === 0) process.exit();
      throw usageError(error, command);
    });
}

/** As wide as the terminal, where there is one. */
function helpColumns(): number {
  return Math.min(process.stdout.columns || helpColumnsMax, helpColumnsMax);
}

/** Words that other programs have for what is a flag here. */
const flagSynonyms: Readonly<Record<string, string>> = {
  '--port': '--listen-addr',
  '--listen': '--listen-addr',
  '--bind': '--listen-addr',
  '--host': '--listen-addr',
  '--metrics-port': '--metrics-listen-addr',
  '--relay': '--ws-url',
  '--relay-url': '--ws-url',
  '--dir': '--data-dir',
  '--data': '--data-dir',
  '--ttl': '--event-ttl',
  '--retention': '--event-ttl',
  '--dictionary': '--zstd-dictionary',
  '--verbose': '--log-level',
  '--since': '--cursor',
  '--collection': '--wanted-collections',
  '--did': '--wanted-dids',
};

function usageError({ code, message }: CommanderError, command: Command): UsageError {
  let text = message.replace(/^error: /, '').replace('\n(Did', ' (Did');
  if (code === 'commander.unknownOption' && !text.includes('(Did')) {
    const synonym = flagSynonyms[/'(--[a-z-]+)'/.exec(text)?.[1] ?? ''];
    const isKnown = command.options.some(({ long }) => long !== undefined && long === synonym);
    text += isKnown ? ` (Did you mean ${synonym}?)` : ' (--help lists all)';
  }
  if (code === 'commander.optionMissingArgument') {
    const flags = /'(?:-\w, )?(--.*)'/.exec(text)?.[1] ?? '';
    text = `${flags.split(' ')[0]} needs a value: write ${flags}`;
  }
  // Of a command that has others beside or under it: a word in its place is one of those, mistyped.
  const { parent } = command;
  const names = (command.commands.length > 0 ? command : parent?.parent ? parent : undefined)?.commands;
  const word = /: (\S+?)\.?$/.exec(text)?.[1];
  if (code === 'commander.excessArguments' && names !== undefined && word !== undefined) {
    const known = names.map((other) => other.name());
    const none = parent === null && command.name() === 'slipstream' ? ', or none for the daemon' : '';
    text = `there is no command ${[word, suggestionFor(word, known)].filter(Boolean).join(' ')}: give one of ${known.join(', ')}${none}`;
  }
  return new UsageError(codes[code] ?? 'CONFIG_FLAG_INVALID', shown(text, messageMax).slice(1, -1));
}

/**
 * Arguments as Go's flags may be written, for commander: `-name` becomes `--name`. An unknown flag loses its value,
 * because suggestions compare the whole text. Those of a subcommand stay as they are. The words `help` and `version` are
 * flags too.
 */
export function fromGoFlags(command: Command, argv: readonly string[]): string[] {
  const isCommand = (word: string | undefined): boolean =>
    command.commands.some((other) => other.name() === word);
  if (argv[0] === 'version') return ['--version'];
  if (argv[0] === 'help') return [...argv.slice(1).filter(isCommand), '--help'];
  if (isCommand(argv[0])) return argv[1] === 'help' ? [argv[0], '--help'] : [...argv];
  return argv.map((argument) => {
    const [, name, value = ''] = /^--?([a-z][^=]+)(=.*)?$/is.exec(argument) ?? [];
    if (name === undefined) return argument;
    return `--${name}${command.options.some(({ long }) => long === `--${name}`) ? value : ''}`;
  });
}

/** `(Did you mean …?)` for a name that is none of `names`; empty when none is near. */
export function suggestionFor(name: string, names: readonly string[]): string {
  const command = newCommand('', '').helpOption(false);
  for (const known of names) command.option(`--${known}`);
  try {
    command.parse([`--${name}`], { from: 'user' });
  } catch (error) {
    return /\(Did.*/.exec((error as Error).message)?.[0].replaceAll('--', '') ?? '';
  }
  return '';
}

/** A text of an operator for a message: in quotes, on one line, not too long. */
export function shown(text: string, charactersMax: number = shownTextMax): string {
  const quoted = JSON.stringify(text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text);
  return quoted.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
