// The flags of `slipstream tail`, checked: what to subscribe to, and how to show it. Pure but for the clock it is given;
// the shell prints the help and reads files.

import { parseArgs } from 'node:util';
import type { StreamFilter } from '../../client/lib/subscribe.ts';
import { CodedError } from '../../lib/errors.ts';
import { momentOf } from './moment.ts';

export const tailHelp = `tail: events of a server as they happen, or again

usage: slipstream tail [flags]

  --url URL                     Jetstream v1 server, Slipstream or another (default ws://localhost:6008)
  -c, --wanted-collections LIST collections, as app.bsky.feed.post or app.bsky.graph.*
  -d, --wanted-dids LIST        accounts
  -k, --wanted-kinds LIST       commit, identity, account
  -o, --wanted-operations LIST  create, update, delete
  -s, --wanted-subjects LIST    what records point at: accounts, or records by their at-uri
      --max-message-size-bytes N  leave out longer events
      --cursor TIME             start there instead of now
      --until TIME              end before it
  -n, --limit N                 end after N events
      --json                    one JSON text a line, as it was sent (the default where no person looks)
      --pretty                  a line for a person (the default on a terminal)
      --stats                   counts by kind, operation and collection in place of events
      --top N                   collections in the counts (default 15)
      --compress                half the bytes on the network
      --zstd-dictionary FILE    to decompress with; a Slipstream server is asked for its own
  -h, --help                    this text

LIST: values with commas between them; a flag can be given again. TIME: now, 90s, 1h30m or 2d ago; µs,
ms or s since 1970 (0: the oldest event); or as 2026-01-31T12:00:00Z. NO_COLOR turns colours off.
It connects again by itself, without a gap. Exit code: 0 done, 1 failed, 2 something to correct.
`;

const flags = {
  url: { type: 'string', default: 'ws://localhost:6008' },
  'wanted-collections': { type: 'string', short: 'c', multiple: true },
  'wanted-dids': { type: 'string', short: 'd', multiple: true },
  'wanted-kinds': { type: 'string', short: 'k', multiple: true },
  'wanted-operations': { type: 'string', short: 'o', multiple: true },
  'wanted-subjects': { type: 'string', short: 's', multiple: true },
  'max-message-size-bytes': { type: 'string', default: '0' },
  cursor: { type: 'string' },
  until: { type: 'string' },
  limit: { type: 'string', short: 'n' },
  json: { type: 'boolean', default: false },
  pretty: { type: 'boolean', default: false },
  stats: { type: 'boolean', default: false },
  top: { type: 'string', default: '15' },
  compress: { type: 'boolean', default: false },
  'zstd-dictionary': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What to show, and how. */
export interface TailRequest {
  readonly url: string;
  readonly filter: StreamFilter;
  /** Microseconds since 1970; undefined: live. */
  readonly cursor: number | undefined;
  readonly untilUs: number | undefined;
  /** Events; infinite without a limit. */
  readonly limit: number;
  readonly json: boolean;
  readonly stats: boolean;
  /** Collections in the counts. */
  readonly top: number;
  readonly compress: boolean;
  readonly dictionaryPath: string | undefined;
}

/**
 * Reads the flags; undefined when the help is asked for. @param isTerminal whether a person looks at the output.
 * @throws CodedError `CONFIG_…`, or an error of `parseArgs`.
 */
export function readTailRequest(
  argv: readonly string[],
  isTerminal: boolean,
  nowUs: number,
): TailRequest | undefined {
  const { values } = parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  if (values.help) return undefined;
  const moment = (name: 'cursor' | 'until'): number | undefined => {
    const text = values[name];
    return text === undefined ? undefined : momentOf(text, name, nowUs);
  };
  const cursor = moment('cursor');
  const untilUs = moment('until');
  if (untilUs !== undefined && untilUs <= (cursor ?? nowUs)) {
    throw invalid('until', values.until as string, 'must be after --cursor, which is now without one');
  }
  if (values.json && values.pretty) throw invalid('pretty', '', 'is not for --json');
  return {
    url: values.url,
    filter: {
      wantedCollections: listOf(values['wanted-collections']),
      wantedDids: listOf(values['wanted-dids']),
      wantedKinds: choicesOf('wanted-kinds', values['wanted-kinds'], ['commit', 'identity', 'account']),
      wantedOperations: choicesOf('wanted-operations', values['wanted-operations'], [
        'create',
        'update',
        'delete',
      ]),
      wantedSubjects: listOf(values['wanted-subjects']),
      maxMessageSizeBytes: wholeNumber('max-message-size-bytes', values['max-message-size-bytes']),
    },
    cursor,
    untilUs,
    limit: values.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('limit', values.limit),
    json: values.json || !(values.pretty || isTerminal || values.stats),
    stats: values.stats,
    top: wholeNumber('top', values.top),
    compress: values.compress || values['zstd-dictionary'] !== undefined,
    dictionaryPath: values['zstd-dictionary'],
  };
}

function listOf(values: readonly string[] = []): string[] {
  return values.flatMap((value) => value.split(',')).filter((value) => value !== '');
}

function choicesOf<const Choice extends string>(
  flag: string,
  values: readonly string[] | undefined,
  choices: readonly Choice[],
): Choice[] {
  return listOf(values).map((value) => {
    const choice = choices.find((name) => name === value);
    if (choice === undefined) throw invalid(flag, value, `is none of ${choices.join(', ')}`);
    return choice;
  });
}

function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid(flag, text, 'must be a whole number');
  return Number(text);
}

function invalid(flag: string, text: string, why: string): CodedError {
  return new CodedError('CONFIG_FLAG_INVALID', `--${flag}${text === '' ? '' : ` ${text}`} ${why}`);
}
