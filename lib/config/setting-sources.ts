// Where texts of settings come from: the command line and the environment, each checked for unknown names.
// It owns names, their precedence and the help; what the texts mean is config.ts. Throws UsageErrors of CONFIG_ codes.
import { UsageError } from '../errors.ts';
import { packageVersion } from '../package.ts';
import { type Command, newCommand, Option, shown, suggestionFor } from './command-line.ts';
import type { Setting, SettingKind } from './setting.ts';
import { type SettingName, settingNames, settings } from './settings.ts';

/** A text that was given for a setting, and by which name; a repeated flag of a kind of lists is joined by commas. */
export interface GivenText {
  readonly text: string;
  /** As the operator wrote it: `--event-ttl` or `JETSTREAM_EVENT_TTL`. */
  readonly source: string;
}

export type GivenTexts = Map<SettingName, GivenText>;

const lists: readonly SettingKind[] = ['urls', 'networks', 'paths', 'limits', 'collections', 'hosts'];

/** What stands for a value after a flag. */
const placeholders: Record<SettingKind, string> = {
  urls: '<URL>',
  url: '<URL>',
  networks: '<ADDRESSES>',
  paths: '<FILES>',
  address: '<HOST:PORT>',
  duration: '<DURATION>',
  bytes: '<BYTES>',
  limits: '<DURATION,BYTES>',
  collections: '<NSIDS>',
  hosts: '<HOSTS>',
  integer: '<N>',
  float: '<N>',
  boolean: '[BOOLEAN]',
  choice: '',
  path: '<PATH>',
};

const description = `The AT Protocol firehose as JSON over WebSocket, for every client of Jetstream v1.

Without a command it runs the daemon. --NAME=VALUE and a single dash work too. Every setting can also come from the environment: flags win over SLIPSTREAM_ variables; JETSTREAM_ variables are those of Jetstream v1. DURATION is written as in Go (24h, 1h30m, 300ms), BYTES with a unit (10GiB, 500MB).`;

const examples = `
Examples:
  slipstream --data-dir /var/lib/slipstream --event-ttl 72h --retention-bytes 40GiB
  slipstream --ws-url wss://bsky.network,wss://relay.example.org
  websocat 'ws://localhost:6008/subscribe?wantedCollections=app.bsky.feed.post'
  slipstream --nats-url nats://one.example,nats://two.example,nats://three.example
  websocat 'ws://localhost:6008/subscribe?cursor=1h&wantedOperations=create'`;

const noEffect = 'Without effect, accepted because Jetstream v1 has them:';

/** The daemon's command line: every setting is a flag, and what is parsed goes to `given`; the last of several wins. */
export function settingsCommand(given: GivenTexts): Command {
  const command = newCommand('slipstream', description)
    .version(`slipstream ${packageVersion()}`, '-v, --version', 'show the version')
    .addHelpText('after', examples);
  return withSettings(command, given);
}

const roleDescriptions = {
  ingest:
    'One of several machines that share a log (docs/cluster.md): it stands for election, and the one that is elected reads the relay. It serves no subscribers. Settings are those of the daemon.',
  serve:
    'One of several machines that share a log (docs/cluster.md): it serves subscribers, and never reads a relay. Settings are those of the daemon.',
};

/** The command line of a machine with one task: the daemon's flags, behind the command's name. */
export function roleCommand(role: keyof typeof roleDescriptions, given: GivenTexts): Command {
  return withSettings(newCommand(role, roleDescriptions[role]), given);
}

function withSettings(command: Command, given: GivenTexts): Command {
  command.usage('[--NAME VALUE]...').configureHelp({ optionDescription: (option) => option.description });
  for (const name of settingNames) {
    const setting: Setting = settings[name];
    const value =
      setting.choices === undefined
        ? (setting.placeholder ?? placeholders[setting.kind])
        : `<${setting.choices.join('|')}>`;
    for (const flag of [name, ...(setting.aliases ?? [])]) {
      const source = `--${flag}`;
      const option = new Option(`${source} ${value}`, helpOf(setting))
        .preset('true')
        .hideHelp(flag !== name)
        .helpGroup(setting.group === 'No effect' ? noEffect : `${setting.group}:`)
        .argParser((text) => {
          if (command.options.some(({ long }) => long === text.split('=')[0]))
            throw missingValue(source, text);
          const earlier = lists.includes(setting.kind) ? given.get(name) : undefined;
          given.set(name, { text: earlier === undefined ? text : `${earlier.text},${text}`, source });
        });
      command.addOption(option);
    }
  }
  return command;
}

function helpOf({ help, default: text, defaultShown, aliases = [], env }: Setting): string {
  const also = aliases.map((alias) => ` Also: --${alias}.`).join('');
  return `${help} Default: ${defaultShown ?? text}.${also} Env: ${env.join(', ')}.`;
}

/**
 * Reads the variables of the settings; an empty one counts as absent. A setting in `decided` is not looked at further.
 * Throws CONFIG_UNKNOWN_VARIABLE for a `SLIPSTREAM_` name that no setting has, and for a `JETSTREAM_` name that is nearly one;
 * CONFIG_CONFLICT when two variables of one setting differ.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  decided: GivenTexts,
): GivenTexts {
  const variables = settingNames.flatMap((name): readonly string[] => settings[name].env);
  for (const [variable, text = ''] of Object.entries(env)) {
    if (!/^(SLIPSTREAM|JETSTREAM)_/.test(variable) || variables.includes(variable)) continue;
    if (isServiceLink(variable, text)) continue;
    const meant = meantBy(variable, variables);
    if (variable.startsWith('SLIPSTREAM_') || meant !== '') throw unknownVariable(variable, meant);
  }
  const given: GivenTexts = new Map();
  for (const name of settingNames) {
    if (decided.has(name)) continue;
    for (const source of settings[name].env) {
      const text = env[source];
      if (text === undefined || text === '') continue;
      const other = given.get(name);
      if (other === undefined) given.set(name, { text, source });
      else if (other.text !== text) throw conflict(name, other, { text, source });
    }
  }
  return given;
}

/**
 * Whether Kubernetes put the variable there: beside every pod it describes a service named `slipstream` or `jetstream`
 * by variables with that prefix.
 */
function isServiceLink(variable: string, text: string): boolean {
  const parts = /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;
  return parts.test(variable) || (variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(text));
}

/** `JETSTREAM_` variables that are not ours: those of a bot beside it, in one file of variables. */
export function foreignVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const variables = settingNames.flatMap((name): readonly string[] => settings[name].env);
  return Object.entries(env)
    .filter(([variable]) => variable.startsWith('JETSTREAM_') && !variables.includes(variable))
    .filter(([variable, text = '']) => !isServiceLink(variable, text))
    .map(([variable]) => variable);
}

/** What programs that read from a Jetstream call its address. */
const ofClients = /^JETSTREAM_(URLS?|URI|ENDPOINTS?|HOSTS?|HOSTNAME|SERVERS?|INSTANCES?)$/;

/** `(Did you mean …?)` for a variable that is nearly one of ours; empty when none is near. */
function meantBy(variable: string, variables: readonly string[]): string {
  // Most of our variables do not exist with the prefix of Jetstream v1.
  const ours = variable.replace(/^JETSTREAM/, 'SLIPSTREAM');
  if (variables.includes(ours)) return `(Did you mean ${ours}?)`;
  // The prefix is alike in all of them, and says nothing of how near they are.
  const prefix = /^[A-Z]+_/.exec(variable)?.[0] ?? '';
  if (ofClients.test(variable)) return '';
  const names = variables.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  return suggestionFor(variable.slice(prefix.length), names).replace(/\b[A-Z_]+\?/, (name) => prefix + name);
}

function unknownVariable(variable: string, meant: string): UsageError {
  return new UsageError(
    'CONFIG_UNKNOWN_VARIABLE',
    `no setting has the environment variable ${shown(variable)} ${meant || '("slipstream --help" lists all)'}`,
  );
}

function missingValue(source: string, next: string): UsageError {
  return new UsageError('CONFIG_MISSING_VALUE', `${source} needs a value, and ${shown(next)} follows it`);
}

function conflict(name: SettingName, one: GivenText, other: GivenText): UsageError {
  return new UsageError(
    'CONFIG_CONFLICT',
    `${one.source}=${shown(one.text)} and ${other.source}=${shown(other.text)} disagree: unset one, or give --${name}`,
  );
}
