// The flags of `slipstream tail`, checked: what to subscribe to, and how to show it. Pure but for the clock and the ways to ask for
// handles that it is given; the shell reads files and shows.

import type { StreamFilter, WireName } from '../../client/lib/subscribe.ts';
import { type Command, newCommand, Option, shown } from '../../lib/config/command-line.ts';
import { UsageError } from '../../lib/errors.ts';
import { listOf, momentForms, parseMoment, wholeNumber } from '../command/flag-values.ts';
import { didOfHandle, type HandleSources, isHandle } from './handle.ts';

/** What to show, and how. */
export interface TailRequest extends StreamFilter {
  readonly url: string;
  /** Undefined: as the address says. */
  readonly wire?: WireName;
  /** Microseconds since 1970; undefined: live. */
  readonly cursor?: number;
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

/** Values of flags that the request takes as they are, and of the others. */
interface TailFlags extends StreamFilter, Pick<TailRequest, 'cursor' | 'top' | 'wire'> {
  readonly url?: string;
  readonly until?: number;
  readonly limit?: number;
  readonly json?: true;
  readonly pretty?: true;
  readonly stats?: true;
  readonly compress?: true;
  readonly zstdDictionary?: string;
}

const description = `Shows the events of a server, live or replayed.

LIST: values separated by commas; the flag can be repeated. TIME: now; ${momentForms} (0: the oldest event); in an address too. NO_COLOR turns colours off.

-d and -s accept handles too. It reconnects by itself, without a gap. Exit code: 0 done, 1 failed, 2 something to correct.`;

/** The command; it hands what was asked for to `show`. @param isTerminal whether a person looks at the output. */
export function tailRequestCommand(
  isTerminal: boolean,
  nowUs: number,
  show: (request: TailRequest) => Promise<void> | void,
): Command {
  const moment = (name: string) => (text: string) => parseMoment(text, name, nowUs);
  const kinds = ['commit', 'identity', 'account', 'sync'];
  const operations = ['create', 'update', 'delete'];
  return newCommand('tail', description)
    .summary('show the events of a Jetstream server, on a terminal or in a pipe')
    .argument('[URL]', 'the server, as --url')
    .option('--url <URL>', 'Jetstream server, Slipstream or another (default: ws://localhost:6008)')
    .addOption(
      new Option('--wire <WIRE>', 'v2 is subscribeEvents, where the server has it (default: v1)').choices([
        'v1',
        'v2',
      ]),
    )
    .option('-c, --wanted-collections <LIST>', 'such as app.bsky.feed.post or app.bsky.graph.*', listOf())
    .option('-d, --wanted-dids <LIST>', 'accounts, by DID or handle', listOf())
    .option('-k, --wanted-kinds <LIST>', kinds.join(', '), listOf(kinds))
    .option('-o, --wanted-operations <LIST>', operations.join(', '), listOf(operations))
    .option(
      '-s, --wanted-subjects <LIST>',
      'what records point at: accounts, or records by their at-uri',
      listOf(),
    )
    .option('--max-message-size-bytes <N>', 'leave out longer events', wholeNumber())
    .option('--verified', 'only commits that the server has checked; one that checks none sends none')
    .option('--cursor <TIME>', 'start there instead of now', moment('--cursor'))
    .option('--until <TIME>', 'end before it', moment('--until'))
    .option('-n, --limit <N>', 'end after N events', wholeNumber())
    .option('--json', 'one JSON event a line, as it was sent (the default in a pipe)')
    .addOption(new Option('--pretty', 'a line to read (the default on a terminal)').conflicts('json'))
    .option('--stats', 'counts by kind, operation and collection instead of events')
    .option('--top <N>', 'collections in the counts', wholeNumber(), 15)
    .option('--compress', 'half the bytes on the network')
    .option('--zstd-dictionary <FILE>', 'to decompress with; a Slipstream server is asked for its own')
    .action((word: string | undefined, flags: TailFlags) =>
      show(requestOf({ ...flags, url: urlOf(word, flags.url) }, isTerminal, nowUs)),
    );
}

/** Where a word in place of a flag is an address, and where one without a scheme is meant to be. */
const addressPattern = /^([a-z]+:\/\/|localhost\b|[^/]*[.:])/i;
const plainPattern = /^(localhost|\[|\d+(\.\d+){3}|[^/]*:\d+)/i;

/** The server's address, from either place. One without a scheme is TLS, but for an address of this network or a port. */
function urlOf(word: string | undefined, flag: string | undefined): string {
  if (word !== undefined && (flag !== undefined || !addressPattern.test(word))) {
    const text = flag === undefined ? 'it is not an address: write tail wss://host' : '--url is given too';
    throw new UsageError('CONFIG_UNEXPECTED_ARGUMENT', `${shown(word)} is one argument too many: ${text}`);
  }
  const address = word ?? flag ?? 'ws://localhost:6008';
  if (/^[a-z]+:\/\//i.test(address)) return address;
  return `${plainPattern.test(address) ? 'ws' : 'wss'}://${address}`;
}

function requestOf(
  flags: TailFlags & { readonly url: string },
  isTerminal: boolean,
  nowUs: number,
): TailRequest {
  const { until, limit, json, pretty, stats, compress, zstdDictionary, ...asGiven } = flags;
  const cursor = flags.cursor ?? cursorIn(flags.url, nowUs);
  if (until !== undefined && until <= (cursor ?? nowUs)) {
    throw new UsageError('CONFIG_FLAG_INVALID', '--until must be after --cursor, which is now without one');
  }
  return {
    ...asGiven,
    ...(cursor === undefined ? {} : { cursor }),
    untilUs: until,
    limit: limit ?? Number.POSITIVE_INFINITY,
    json: json ?? !(pretty || isTerminal || stats),
    stats: stats ?? false,
    compress: compress ?? zstdDictionary !== undefined,
    dictionaryPath: zstdDictionary,
  };
}

/** The cursor that an address has in its query. */
function cursorIn(url: string, nowUs: number): number | undefined {
  const text = URL.canParse(url) ? new URL(url).searchParams.get('cursor') : null;
  return text ? parseMoment(text, 'cursor of the address', nowUs) : undefined;
}

/** With DIDs in place of handles. @throws UsageError `TAIL_HANDLE_UNKNOWN`. */
export async function withDids(request: TailRequest, sources: HandleSources): Promise<TailRequest> {
  const didOf = (text: string): Promise<string> | string =>
    isHandle(text) ? didOfHandle(text, sources) : text;
  const subjectOf = async (text: string): Promise<string> => {
    const [, scheme, authority, path] = /^(at:\/\/|)([^/]*)(.*)$/s.exec(text) as RegExpExecArray;
    return `${scheme}${await didOf(authority)}${path}`;
  };
  const { wantedDids, wantedSubjects } = request;
  return {
    ...request,
    wantedDids: wantedDids && (await Promise.all(wantedDids.map(didOf))),
    wantedSubjects: wantedSubjects && (await Promise.all(wantedSubjects.map(subjectOf))),
  };
}
