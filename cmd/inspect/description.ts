// What a log says about itself: its format, and the key of its hashes. reader.ts asks when it opens a log.

import { CodedError } from '../../lib/errors.ts';
import { didHashKeyBytes } from '../../lib/event/did-hash.ts';
import type { Database } from '../../lib/level/database.ts';
import { descriptionKey, formatVersion } from '../../lib/log/block-format.ts';

/** What the log says about itself. */
export interface LogDescription {
  readonly format: number;
  readonly didHashKey: Uint8Array;
}

/** Undefined when it is missing or makes no sense. @throws CodedError `LOG_NEWER_FORMAT`. */
export async function readDescription(store: Database, dataDir: string): Promise<LogDescription | undefined> {
  let description: { format?: unknown; didHashKey?: unknown };
  try {
    const value = await store.get(descriptionKey);
    description = Object(JSON.parse(Buffer.from(value ?? []).toString()));
  } catch {
    return undefined;
  }
  const { format } = description;
  if (typeof format === 'number' && format > formatVersion) {
    throw new CodedError(
      'LOG_NEWER_FORMAT',
      `the log in ${dataDir} has format ${format}, this version reads those up to ${formatVersion}: use the version that wrote it`,
    );
  }
  const didHashKey = Buffer.from(String(description.didHashKey), 'hex');
  const isKnown = typeof format === 'number' && format >= 1;
  return isKnown && didHashKey.length === didHashKeyBytes ? { format, didHashKey } : undefined;
}
