// The compressor and the dictionaries that a configuration asks for. Every thread that serves subscribers has its own:
// nothing of it can be shared.

import type { Compressor } from '../codec/compressor.ts';
import {
  type Dictionary,
  DictionaryStore,
  defaultDictionaryPath,
  readDictionary,
} from '../codec/dictionary.ts';
import type { Config } from '../config/config.ts';
import { zstdEncodings } from '../fanout/dictionary-encoding.ts';
import type { Encoding } from '../fanout/encodings.ts';

/** What {@link openCodec} makes; the caller closes the compressor. */
export interface Codec {
  readonly compressor: Compressor;
  readonly dictionaries: DictionaryStore;
  /** What compressed subscribers can ask for, by the id of the dictionary. */
  readonly zstdEncodings: ReadonlyMap<number, Encoding>;
}

/**
 * @param open makes the compressor for the dictionary that events are stored with.
 * @throws CodedError of a CODEC_ code.
 */
export async function openCodec(
  config: Config,
  open: (dictionary: Dictionary) => Promise<Compressor>,
): Promise<Codec> {
  const [current = readDictionary(defaultDictionaryPath()), ...others] =
    config.zstdDictionaryPaths.map(readDictionary);
  const dictionaries = new DictionaryStore(current, others);
  const compressor = await open(current);
  const openers = new Map(
    dictionaries.additional.map((dictionary) => [dictionary.id, () => compressor.withDictionary(dictionary)]),
  );
  // A dictionary that cannot be used is to be known now, and not when a subscriber asks for it.
  for (const open of openers.values()) open().close();
  return { compressor, dictionaries, zstdEncodings: zstdEncodings(current.id, openers) };
}
