// Asks a Slipstream server for the proof of an event: what its account signed. What to do with it is the caller's: it takes a library of
// the AT Protocol, and the account's key. Runs anywhere.

import { CodedError } from '../../lib/errors.ts';
import { printable } from '../../lib/text.ts';
import { addressOf } from './address.ts';
import { textOf, wholeOf } from './answer.ts';
import type { CommitEvent } from './event.ts';
import { httpUrl } from './filter.ts';
import { globalPlatform, type Platform } from './platform.ts';

const timeoutMs = 30_000;
/** Largest proof: a record has at most 1 MiB, and the nodes of its path some thousands of bytes each. */
const proofBytesMax = 4 * 1024 * 1024;
/** Characters of another answer that are shown. */
const shownCharsMax = 200;

/** What a server says when it has no proof. */
interface Lack {
  readonly reason?: unknown;
  readonly message?: unknown;
}

/**
 * The proof of what a commit event says, as a CAR with one root: the signed commit, the path to the record in the account's tree, and the
 * record; of a deletion, the path that shows that there is none. `verifyProofs` of `@atproto/repo` checks it, with the account's key.
 * @param url of the server that the event is from, as of `subscribe`.
 * @throws CodedError `CLIENT_NO_PROOF` with the server's reason; retryable when it is one that passes.
 */
export async function proofOf(
  url: string,
  { did, time_us: timeUs, commit }: Pick<CommitEvent, 'did' | 'time_us' | 'commit'>,
  options: { readonly platform?: Partial<Platform> } = {},
): Promise<Uint8Array> {
  const platform = { ...globalPlatform(), ...options.platform };
  const address = httpUrl(addressOf(url));
  address.pathname = '/proof';
  address.search = '';
  address.searchParams.set('time_us', String(timeUs));
  address.searchParams.set('uri', `at://${did}/${commit.collection}/${commit.rkey}`);
  const abort = new AbortController();
  const timer = platform.setTimeout(() => abort.abort(), timeoutMs);
  try {
    const response = await platform.fetch(address.href, { signal: abort.signal });
    if (response.status === 200) return await wholeOf(response, proofBytesMax);
    const isPassing = [408, 425, 429, 503].includes(response.status);
    throw noProof(`${response.status}: ${wordsOf(await textOf(response))}`, isPassing);
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    if (cause instanceof RangeError) throw noProof(`${address.origin}: ${cause.message}`, false, cause);
    throw noProof(`${address.origin} does not answer: ${(cause as Error).message}`, true, cause);
  } finally {
    platform.clearTimeout(timer);
  }
}

function noProof(why: string, retryable: boolean, cause?: unknown): CodedError {
  return new CodedError('CLIENT_NO_PROOF', `no proof of this event: ${why}`, { retryable, cause });
}

/** The reason and its explanation; of a server that is no Slipstream, what it says. */
function wordsOf(text: string): string {
  try {
    const { reason, message } = JSON.parse(text) as Lack;
    if (typeof reason === 'string') return shown(`${reason} (${message})`);
  } catch {
    // As it is, then.
  }
  return shown(text);
}

function shown(text: string): string {
  return printable(text.slice(0, shownCharsMax).trim(), shownCharsMax);
}
