// Where texts of settings come from: the command line and the environment, each checked for names that nobody knows.
// It owns names and their precedence; what the texts mean is config.ts. Pure. Throws CodedErrors of CONFIG_ codes.
import { CodedError } from '../errors.ts';
import { nearestName } from './nearest-name.ts';
import { type Setting, type SettingKind, type SettingName, settingNames, settings } from './settings.ts';

/** A text that was given for a setting, and by which name; a repeated flag of a kind of lists is joined by commas. */
export interface GivenText {
  readonly text: string;
  /** As the operator wrote it: `--event-ttl` or `JETSTREAM_EVENT_TTL`. */
  readonly source: string;
}

export type GivenTexts = ReadonlyMap<SettingName, GivenText>;

/** Longest text of an operator that is repeated in a message, in characters. */
const shownTextMax = 80;

const lists: readonly SettingKind[] = ['urls', 'networks', 'paths'];

const table: Record<SettingName, Setting> = settings;
const namesByFlag = new Map<string, SettingName>();
const namesByEnv = new Map<string, SettingName>();
for (const name of settingNames) {
  for (const flag of [name, ...(table[name].aliases ?? [])]) namesByFlag.set(flag, name);
  for (const variable of table[name].env) namesByEnv.set(variable, name);
}

/** Requests that end the process before anything is read. */
const requests = new Map<string, 'help' | 'version'>([
  ['help', 'help'],
  ['h', 'help'],
  ['version', 'version'],
  ['v', 'version'],
]);

/** A text of an operator for a message: in quotes, on one line, not too long. */
export function shown(text: string): string {
  const quoted = JSON.stringify(text.length > shownTextMax ? `${text.slice(0, shownTextMax)}…` : text);
  return quoted.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Reads flags: `--name value`, `--name=value`, one dash or two; booleans `--name` or `--name=false`. The last of
 * several wins. Throws CONFIG_UNKNOWN_FLAG, CONFIG_MISSING_VALUE, CONFIG_UNEXPECTED_ARGUMENT.
 * @param argv what follows the program's name.
 */
export function readCommandLine(argv: readonly string[]): GivenTexts | 'help' | 'version' {
  const given = new Map<SettingName, GivenText>();
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index];
    const parts = /^--?([a-z][^=]*)(?:=(.*))?$/is.exec(argument);
    if (parts === null) throw unexpectedArgument(argument, argv[index - 1]);
    const [, flag, inline] = parts;
    const request = requests.get(flag);
    if (request !== undefined) return request;
    const name = namesByFlag.get(flag);
    if (name === undefined) throw unknownFlag(flag);
    const source = `--${flag}`;
    let text = inline;
    if (text === undefined && table[name].kind === 'boolean') text = 'true';
    if (text === undefined) {
      text = argv[++index];
      if (text === undefined || isFlag(text)) throw missingValue(source, text);
    }
    const earlier = lists.includes(table[name].kind) ? given.get(name) : undefined;
    given.set(name, { text: earlier === undefined ? text : `${earlier.text},${text}`, source });
  }
  return given;
}

/**
 * Reads the variables of the settings; an empty one counts as absent. A setting in `decided` is not looked at further.
 * Throws CONFIG_UNKNOWN_VARIABLE for a `SLIPSTREAM_` or `JETSTREAM_` name that no setting has, CONFIG_CONFLICT when two
 * variables of one setting differ.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  decided: GivenTexts,
): GivenTexts {
  const given = new Map<SettingName, GivenText>();
  for (const [variable, text] of Object.entries(env)) {
    if (!/^(SLIPSTREAM|JETSTREAM)_/.test(variable) || namesByEnv.has(variable)) continue;
    if (!isServiceLink(variable, text ?? '')) throw unknownVariable(variable);
  }
  for (const name of settingNames) {
    if (decided.has(name)) continue;
    for (const variable of table[name].env) {
      const text = env[variable];
      if (text === undefined || text === '') continue;
      const other = given.get(name);
      if (other === undefined) given.set(name, { text, source: variable });
      else if (other.text !== text) throw conflict(name, other, { text, source: variable });
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

function isFlag(text: string): boolean {
  const flag = /^--?([a-z][^=]*)/i.exec(text)?.[1];
  return flag !== undefined && (namesByFlag.has(flag) || requests.has(flag));
}

function suggestion(nearest: string | undefined): string {
  return nearest === undefined ? '; "slipstream --help" lists all' : `: did you mean "${nearest}"?`;
}

function unknownFlag(flag: string): CodedError {
  const nearest = nearestName(flag, [...namesByFlag.keys(), 'help', 'version']);
  const hint = suggestion(nearest === undefined ? undefined : `--${nearest}`);
  return new CodedError('CONFIG_UNKNOWN_FLAG', `there is no setting ${shown(`--${flag}`)}${hint}`);
}

function unknownVariable(variable: string): CodedError {
  const withoutPrefix = (name: string): string => name.slice(name.indexOf('_') + 1);
  const names = [...namesByEnv.keys()];
  const nearest = nearestName(withoutPrefix(variable), names.map(withoutPrefix));
  const samePrefix = variable.slice(0, variable.indexOf('_') + 1) + nearest;
  const hint = names.includes(samePrefix)
    ? samePrefix
    : names.find((name) => withoutPrefix(name) === nearest);
  return new CodedError(
    'CONFIG_UNKNOWN_VARIABLE',
    `no setting has the environment variable ${shown(variable)}${suggestion(hint)}`,
  );
}

function missingValue(source: string, next: string | undefined): CodedError {
  const found = next === undefined ? 'nothing follows it' : `${shown(next)} follows it`;
  return new CodedError('CONFIG_MISSING_VALUE', `${source} needs a value, and ${found}`);
}

function unexpectedArgument(argument: string, previous: string | undefined): CodedError {
  const flag = previous?.replace(/^--?/, '') ?? '';
  const name = namesByFlag.get(flag);
  const fix =
    name !== undefined && table[name].kind === 'boolean'
      ? `write --${flag}=${/^\w+$/.test(argument) ? argument.slice(0, shownTextMax) : 'true'}`
      : 'settings are given as --name value';
  return new CodedError('CONFIG_UNEXPECTED_ARGUMENT', `unexpected argument ${shown(argument)}: ${fix}`);
}

function conflict(name: SettingName, one: GivenText, other: GivenText): CodedError {
  return new CodedError(
    'CONFIG_CONFLICT',
    `${one.source}=${shown(one.text)} and ${other.source}=${shown(other.text)} disagree: unset one, or give --${name}`,
  );
}
