// The dictionary that clients of Jetstream v1 carry: its identity, and where a data directory keeps it. It is not part of the
// package, because it is made of posts of real people; `slipstream dictionaries fetch` gets it (cmd/dictionaries/).

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the official dictionary is. Nothing else is taken for it. */
export const officialDictionary = {
  id: 1612007021,
  bytes: 112_640,
  sha256: 'b8d77b46933aceecbdd5275a01241efc985c970c78162b8150cf67a26522f70c',
} as const;

/**
 * What events take of the size of their JSON with it, and without a dictionary, for people: on 52 real events at the usual level
 * (bench/figure-ratio.ts).
 */
export const sharesOfJson = { official: '45 %', none: '68 %' } as const;

/** Where a data directory keeps it. */
export function officialDictionaryPath(dataDir: string): string {
  return join(dataDir, 'dictionaries', `${officialDictionary.id}.zdict`);
}

export function isOfficialDictionary(bytes: Uint8Array): boolean {
  return (
    bytes.length === officialDictionary.bytes &&
    createHash('sha256').update(bytes).digest('hex') === officialDictionary.sha256
  );
}

/** Whether the data directory has it, whole. What cannot be read, or is something else, is as good as absent. */
export function hasOfficialDictionary(dataDir: string): boolean {
  const path = officialDictionaryPath(dataDir);
  try {
    return statSync(path).size === officialDictionary.bytes && isOfficialDictionary(readFileSync(path));
  } catch {
    return false;
  }
}
