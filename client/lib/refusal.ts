// Why a handshake failed: a WebSocket does not tell the status of the answer, nor why there was none, so the same address
// is asked over plain HTTP. v1 servers check parameters before they look for a handshake, so bad ones are named in the
// answer. Never rejects.

import { UsageError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { textOf } from './answer.ts';
import type { Told } from './event.ts';
import { httpUrl } from './filter.ts';
import type { Platform } from './platform.ts';

/** What a server said. */
export interface Refusal {
  readonly status: number;
  /** How its answer begins, when the request is to blame for it; of foreign origin. */
  readonly words: string;
  /** What is wrong with the parameters, in the server's words: no attempt will succeed. */
  readonly fault: string | undefined;
  /** How long it asks to stay away, in milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/** The server's words about a bad subscription, on either wire. */
const faultPattern =
  /^(subscribe: )?(invalid (cursor|subscriber options|options)|unknown zstd dictionary)|^(InvalidRequest|CursorTooOld|UnknownZstdDictionary)\b/;
/** Characters of an answer that are shown. */
const shownCharsMax = 200;

/** There is no answer, or a page may not see it. */
export interface NoAnswer {
  /** What the runtime says about it, such as `ECONNREFUSED`; undefined when it does not tell. */
  readonly cause: string | undefined;
}

/** Asks. @param url of the handshake. */
export async function askForRefusal(
  url: string,
  platform: Platform,
  timeoutMs: number,
): Promise<Refusal | NoAnswer> {
  const abort = new AbortController();
  const timer = platform.setTimeout(() => abort.abort(), timeoutMs);
  try {
    const response = await platform.fetch(httpUrl(new URL(url)).href, { signal: abort.signal });
    const { status } = response;
    const isRefused = status >= 400 && status < 500;
    // The status says enough, whatever comes of the words.
    const text = isRefused ? wordsOf(await textOf(response).catch(() => '')) : '';
    const retryAfter = response.headers.get('retry-after');
    return {
      status,
      words: text,
      fault: isFault(text) ? text : undefined,
      retryAfterMs: retryAfter === null ? undefined : retryAfterMs(retryAfter, platform.nowMs()),
    };
  } catch (error) {
    return { cause: abort.signal.aborted ? 'ETIMEDOUT' : codeOf(error) };
  } finally {
    platform.clearTimeout(timer);
    // Whatever is left of an endless answer.
    abort.abort();
  }
}

/** An answer as it begins; of an error of the second wire, its name and its message. */
function wordsOf(text: string): string {
  let words = text;
  if (text.startsWith('{')) {
    try {
      const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
      if (typeof error === 'string') words = failureText({ name: error, message: String(message ?? '') });
    } catch {
      // As it is, then.
    }
  }
  // What follows the first line is for people who look at the address themselves.
  return printable(words.trim().split('\n', 1)[0].slice(0, shownCharsMax).trim(), shownCharsMax);
}

/** An error of the second wire in words. They go into errors, which end on terminals. */
export function failureText({ name, message }: Told): string {
  return printable((message === '' ? name : `${name}: ${message}`).slice(0, shownCharsMax), shownCharsMax);
}

/** Whether a server's words say that no attempt will succeed. */
export function isFault(words: string): boolean {
  return faultPattern.test(words);
}

/** The error of a stream that has ended by a fault. */
export function refusedBy(fault: string): UsageError {
  if (!fault.startsWith('CursorTooOld'))
    return new UsageError('CLIENT_REFUSED', `the server refuses the subscription: ${fault}`);
  const text = `the server does not have the events after the cursor any more: ${fault}. Events are missing: start with cursor 0, the oldest that there is`;
  return new UsageError('CLIENT_CURSOR_TOO_OLD', text);
}

/** The code of what a fetch failed by. Node wraps the error of the socket, Bun has it as it is, browsers and Deno tell none. */
function codeOf(error: unknown): string | undefined {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const found = cause?.code ?? code;
  return typeof found === 'string' && found !== '' ? found.slice(0, shownCharsMax) : undefined;
}

/** Whether the answer says that there is nothing to subscribe to at this address. */
export function isElsewhere(status: number): boolean {
  return status === 404 || status === 405 || status === 410;
}

/** Whether the answer says that the same request will not do. Those of 408, 425 and 429 ask to try it again. */
export function isLasting(status: number): boolean {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

/** What may be behind answers that name no fault of the subscription. A plain request does not show why a handshake fails. */
export function causeOf(status: number): string {
  if (status === 401 || status === 403) return 'it lets nobody in without credentials, or not from here';
  if (status === 426) return 'a proxy before it does not pass on Upgrade';
  return (
    'it has no room, or does not take the handshake: WebSockets of browsers and of Node itself always offer ' +
    'permessage-deflate, one of the package ws, given as platform.WebSocket, is asked not to'
  );
}

/** Milliseconds that a `Retry-After` header names, by seconds or date; undefined when it is neither. */
export function retryAfterMs(text: string, nowMs: number): number | undefined {
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
