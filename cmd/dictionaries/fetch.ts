// Gets the dictionary of Jetstream v1 from one of several addresses, and puts it into the data directory in one step. It
// believes no address: what counts is the SHA-256 of lib/codec/official-dictionary.ts.

import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  hasOfficialDictionary,
  isOfficialDictionary,
  officialDictionary,
  officialDictionaryPath,
} from '../../lib/codec/official-dictionary.ts';
import { CodedError, UsageError } from '../../lib/errors.ts';

/** Where it is published, as it is, in the order to try. */
export const officialSources: readonly string[] = [
  'https://raw.githubusercontent.com/bluesky-social/jetstream/v0.2.0/internal/subscribe/dictionaries/legacy_subscribe.zdict',
  'https://raw.githubusercontent.com/bluesky-social/jetstream/main/pkg/models/zstd_dictionary',
  'https://raw.githubusercontent.com/ericvolp12/jetstream/main/pkg/models/zstd_dictionary',
];

/** How long one address may take: a start waits for all of them. */
const sourceTimeoutMs = 10_000;

/**
 * @throws CodedError `DICTIONARY_UNAVAILABLE` (retryable) when no address has it, `DICTIONARY_NOT_KEPT` when it cannot be
 * written; UsageError `CONFIG_FLAG_INVALID` for what is no address.
 */
export async function fetchOfficialDictionary(
  dataDir: string,
  sources: readonly string[],
  timeoutMs: number = sourceTimeoutMs,
): Promise<'present' | 'written'> {
  for (const source of sources) checkAddress(source);
  if (hasOfficialDictionary(dataDir)) return 'present';
  const failures = new Set<string>();
  for (const source of sources) {
    const got = await bytesFrom(source, timeoutMs);
    if (typeof got === 'string') failures.add(`${new URL(source).host}: ${got}`);
    else {
      await keep(officialDictionaryPath(dataDir), got);
      return 'written';
    }
  }
  const why = [...failures].join('; ');
  throw new CodedError(
    'DICTIONARY_UNAVAILABLE',
    `no address has the dictionary ${officialDictionary.id}: ${why}. Give another by --from, or the file itself to "slipstream --zstd-dictionary"`,
    { retryable: true },
  );
}

function checkAddress(source: string): void {
  if (URL.canParse(source) && /^https?:$/.test(new URL(source).protocol)) return;
  const text = `--from ${JSON.stringify(source)} is not an address: write one like https://host/path`;
  throw new UsageError('CONFIG_FLAG_INVALID', text);
}

/** The dictionary, or why it is not there. */
async function bytesFrom(source: string, timeoutMs: number): Promise<Uint8Array | string> {
  try {
    const response = await fetch(source, { signal: AbortSignal.timeout(timeoutMs) });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      return `it answers ${response.status}`;
    }
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body) {
      bytes += part.length;
      // Whatever this is, and however long it goes on.
      if (bytes > officialDictionary.bytes) return `it has more than ${officialDictionary.bytes} bytes`;
      parts.push(part);
    }
    const dictionary = Buffer.concat(parts);
    return isOfficialDictionary(dictionary)
      ? dictionary
      : `its ${bytes} bytes are something else (SHA-256 is not ${officialDictionary.sha256.slice(0, 12)}…)`;
  } catch (error) {
    const { message, cause, name } = error as Error;
    if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
    return cause instanceof Error && cause.message !== '' ? cause.message : message;
  }
}

/** Whole or not at all: a daemon that starts meanwhile reads it. */
async function keep(path: string, bytes: Uint8Array): Promise<void> {
  const unfinished = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(unfinished, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (cause) {
    await rm(unfinished, { force: true }).catch(() => {});
    throw new CodedError('DICTIONARY_NOT_KEPT', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
