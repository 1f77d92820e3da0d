// Where events to train on come from: a Jetstream v1 server, by the project's own client, or a file with one event a
// line, as `slipstream inspect export` writes, or one message of the second wire. It owns reading and its bounds; which events are kept is event-sample.ts.
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Disconnected } from '../../client/lib/notice.ts';
import { type StreamEvent, subscribe } from '../../client/lib/subscribe.ts';
import { type CodedError, UsageError } from '../../lib/errors.ts';
import type { EventSample } from './event-sample.ts';

/** Bytes of JSON after which no more is read. */
const readBytesMax = 64 * 1024 * 1024 * 1024;
/** Longest line of a file that is taken, in bytes; longer ones are no events. */
const lineBytesMax = 1024 * 1024;
/** How often the progress is told. */
const progressMs = 1_000;

/** How far the reading is. */
export interface ReadProgress {
  /** Events that came. */
  readonly events: number;
  /** Events in the sample. */
  readonly kept: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** How to read a source. */
export interface ReadOptions {
  /** Longest time to read from a server, in milliseconds. */
  readonly timeoutMs: number;
  /** Events after which a live stream is left; a file and a replay are read to their end. */
  readonly liveEventsMax: number;
  /** Called about once a second. */
  readonly onProgress?: (progress: ReadProgress) => void;
  /** A clock, in milliseconds. */
  readonly now?: () => number;
}

/** Whether a source is a server's address, and not a file. */
function isAddress(from: string): boolean {
  return /^(wss?|https?):\/\//.test(from);
}

/** What the metadata tells of a source: host or name of the file; no user, no path, no query. */
export function sourceName(from: string): string {
  if (!isAddress(from)) return basename(from);
  return URL.canParse(from) ? new URL(from).host : 'an address';
}

/**
 * Offers every event of `from` to the sample. A server whose address has a cursor is read up to the present, else until
 * `liveEventsMax` events have come; when the time is over, what has come is what there is.
 * Throws TRAINING_UNREACHABLE, TRAINING_SOURCE_UNREADABLE, CLIENT_BAD_URL, CLIENT_REFUSED.
 */
export async function readEvents(from: string, sample: EventSample, options: ReadOptions): Promise<void> {
  const now = options.now ?? (() => performance.now());
  const startMs = now();
  let shownMs = startMs;
  let bytes = 0;
  /** False when there is to be no more. */
  const offer = (account: string, text: string): boolean => {
    sample.offer(account, text);
    bytes += text.length;
    const nowMs = now();
    if (nowMs - shownMs >= progressMs) {
      shownMs = nowMs;
      const seconds = (nowMs - startMs) / 1000;
      options.onProgress?.({ events: sample.offered, kept: sample.size, bytes, seconds });
    }
    return bytes < readBytesMax;
  };
  if (isAddress(from)) await readServer(from, offer, sample, options);
  else await readFile(from, offer);
}

type Offer = (account: string, text: string) => boolean;

async function readServer(
  url: string,
  offer: Offer,
  sample: EventSample,
  { timeoutMs, liveEventsMax }: ReadOptions,
): Promise<void> {
  const isReplay = URL.canParse(url) && new URL(url).searchParams.has('cursor');
  let hasConnected = false;
  const stream = subscribe({
    url,
    untilUs: isReplay ? Date.now() * 1000 : undefined,
    signal: AbortSignal.timeout(timeoutMs),
    transform: ({ did }: StreamEvent, text: string) => ({ did, text }),
    onNotice(notice) {
      if (notice.kind === 'connected') hasConnected = true;
      else if (notice.kind === 'disconnected' && !hasConnected) throw unreachable(url, notice);
    },
  });
  for await (const { did, text } of stream) {
    if (!offer(did, text) || (!isReplay && sample.offered >= liveEventsMax)) return;
  }
}

function unreachable(url: string, { why, reason, status }: Disconnected): CodedError {
  const detail = [why, status === undefined ? '' : `HTTP ${status}`, reason].filter((part) => part !== '');
  return new UsageError(
    'TRAINING_UNREACHABLE',
    `cannot subscribe at ${sourceName(url)}: ${detail.join(', ')}. Is it the address of a Jetstream v1 server, as ws://host:6008/subscribe?`,
  );
}

async function readFile(path: string, offer: Offer): Promise<void> {
  try {
    for await (const line of lines(path)) {
      const account = accountOf(line);
      if (account !== undefined && !offer(account, line)) return;
    }
  } catch (cause) {
    throw new UsageError(
      'TRAINING_SOURCE_UNREADABLE',
      `cannot read events from ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** The DID of an event's JSON; undefined when the text is no event. */
function accountOf(text: string): string | undefined {
  try {
    const event = JSON.parse(text);
    // A message of the second wire has its event in an envelope.
    const did = typeof event?.kind === 'string' ? event.did : event?.payload?.did;
    return typeof did === 'string' ? did : undefined;
  } catch {
    return undefined;
  }
}

/** The lines of a file, one at a time. */
async function* lines(path: string): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path)) {
    let bytes = Buffer.concat([rest, chunk as Buffer]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      yield bytes.toString('utf8', 0, end);
      bytes = bytes.subarray(end + 1);
    }
    // The start of a line that is too long is forgotten; what follows of it is no JSON.
    rest = bytes.length > lineBytesMax ? Buffer.alloc(0) : bytes;
  }
  yield rest.toString();
}
