// Real frames and the official dictionary lie beside the project, not in it. Tests that need them are skipped, with
// this text, where they are absent.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const sharedDir = fileURLToPath(new URL('../../../shared/', import.meta.url));

export const hasShared = existsSync(`${sharedDir}corpus/frames.bin`);
export const corpusFramesPath = `${sharedDir}corpus/frames.bin`;
export const didDocumentsPath = `${sharedDir}corpus/did-docs.json`;
export const officialDictionaryPath = `${sharedDir}dictionaries/v1-1612007021.zdict`;
/** Suffix for the names of tests that need the folder. */
export const sharedNote = hasShared ? '' : ' (skipped: ../shared is absent)';

/** What production sent for the corpus, one message a line. */
export function corpusLines(): string[] {
  return readFileSync(`${sharedDir}corpus/expected-v1.jsonl`, 'utf8').trimEnd().split('\n');
}

/** A message with its `time_us` replaced, which differs between servers. */
export function withoutTime(message: string): string {
  return message.replace(/"time_us":[0-9]+/, '"time_us":0');
}
