// Dictionaries and contents that the codec's tests run on: our own dictionary always, the one of the v1 clients when the
// shared folder is there. Contents are synthetic and come from a seed.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Dictionary, defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';

const officialPath = resolve(import.meta.dirname, '../../../shared/dictionaries/v1-1612007021.zdict');

if (!existsSync(officialPath)) {
  console.warn(`skipped: checks with the dictionary of v1 clients, because ${officialPath} is absent`);
}

/** Name and dictionary, one entry for each that this machine has. */
export const sampleDictionaries: [string, Dictionary][] = [
  ['own', readDictionary(defaultDictionaryPath())],
  ...(existsSync(officialPath) ? [['official', readDictionary(officialPath)] as [string, Dictionary]] : []),
];

/** Deterministic unsigned 32-bit integers. */
export function seededIntegers(seed: number): () => number {
  const random = new SeededRandom(String(seed), 'test');
  return () => random.uint32();
}

/** `bytes` of text that looks like events behind each other, with unpredictable identifiers. */
export function eventText(bytes: number, seed: number): Buffer {
  const next = seededIntegers(seed);
  let text = '';
  while (text.length < bytes) {
    const name = next().toString(36);
    text += `{"did":"did:plc:${name}${next().toString(36)}","time_us":17${next()}00,"kind":"commit","commit":{"rev":"3l${name}","operation":"create","collection":"app.bsky.feed.like","rkey":"3l${next().toString(36)}"}}`;
  }
  return Buffer.from(text.slice(0, bytes));
}

/** `bytes` that no compressor makes smaller. */
export function noise(bytes: number, seed: number): Buffer {
  const next = seededIntegers(seed);
  const buffer = Buffer.alloc(bytes);
  for (let index = 0; index < bytes; index++) buffer[index] = next() >>> 24;
  return buffer;
}
