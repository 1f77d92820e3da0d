// The compressor and the dictionaries that a configuration asks for. Every thread that serves subscribers has its own:
// nothing of it can be shared.

import { type Compressor, compressionLevels } from '../codec/compressor.ts';
import {
  type Dictionary,
  DictionaryStore,
  defaultDictionaryPath,
  packagedDictionaryPath,
  readDictionary,
  v2DictionaryIds,
} from '../codec/dictionary.ts';
import {
  hasOfficialDictionary,
  officialDictionary,
  officialDictionaryPath,
} from '../codec/official-dictionary.ts';
import type { Config } from '../config/config.ts';
import { type ZstdEncodings, zstdEncodings } from '../fanout/dictionary-encoding.ts';
import { type V2Encodings, v2Encodings } from '../fanout/v2-encodings.ts';
import type { DictionarySource } from '../http/dictionary-routes.ts';

/** What {@link openCodec} makes; the caller closes the compressor. */
export interface Codec {
  readonly compressor: Compressor;
  readonly dictionaries: DictionaryStore;
  /** What compressed subscribers can have. */
  readonly zstdEncodings: ZstdEncodings;
  /** Those of the second wire, the current one first; behind them those of the first. */
  readonly v2Dictionaries: DictionarySource;
  readonly v2Encodings: V2Encodings;
}

/**
 * The dictionary files to use, the first the one that events are stored with: those that are set, else the official one
 * where the data directory has it, and the package's. Most compressed clients hold the official one, and what is stored
 * costs nothing to send; who names another is served all the same. Decided once for all threads: the file may come
 * between two looks.
 */
export function dictionaryPathsOf({ zstdDictionaryPaths, dataDir }: Config): readonly string[] {
  const official = hasOfficialDictionary(dataDir) ? [officialDictionaryPath(dataDir)] : [];
  return zstdDictionaryPaths.length > 0
    ? [...zstdDictionaryPaths, ...official]
    : [...official, defaultDictionaryPath()];
}

/**
 * @param config with `zstdDictionaryPaths` of {@link dictionaryPathsOf}. @param open makes the compressor for the dictionary that events are stored with.
 * @throws CodedError of a CODEC_ code.
 */
export async function openCodec(
  config: Config,
  open: (dictionary: Dictionary) => Promise<Compressor>,
): Promise<Codec> {
  const [current, ...others] = config.zstdDictionaryPaths.map(readDictionary);
  const dictionaries = new DictionaryStore(current, others);
  const compressor = await open(current);
  const openers = new Map(
    dictionaries.additional.map((dictionary) => [dictionary.id, () => compressor.withDictionary(dictionary)]),
  );
  // A dictionary that cannot be used is to be known now, and not when a subscriber asks for it.
  for (const open of openers.values()) open().close();
  const withoutDictionary = () => compressor.withDictionary(undefined);
  const officialId = dictionaries.hasOfficial ? officialDictionary.id : undefined;
  const encodings = zstdEncodings(current.id, openers, withoutDictionary, officialId);
  const v2Dictionaries = withV2Dictionaries(dictionaries);
  // Nothing of this wire is stored: it is compressed anew for each replay, so at the level that takes a quarter less for 3 % more.
  const v2Openers = new Map(
    [...v2Dictionaries.byId].map(([id, dictionary]) => [
      id,
      () => compressor.withDictionary(dictionary, compressionLevels.min),
    ]),
  );
  return {
    compressor,
    dictionaries,
    zstdEncodings: encodings,
    v2Dictionaries,
    v2Encodings: v2Encodings(v2Openers),
  };
}

/** The package's own for the second wire, and behind them those of the first, which differ from them in their ids. */
function withV2Dictionaries(store: DictionaryStore): DictionarySource & { byId: Map<number, Dictionary> } {
  const own = v2DictionaryIds.map((id) => readDictionary(packagedDictionaryPath(id)));
  const byId = new Map<number, Dictionary>();
  for (const dictionary of [...own, store.default, ...store.additional]) {
    if (!byId.has(dictionary.id)) byId.set(dictionary.id, dictionary);
  }
  const entries = [...byId.values()].map(({ id, bytes, sha256 }) => {
    return { id, bytes: bytes.length, sha256, default: id === own[0].id };
  });
  return { byId, list: () => entries, get: (id) => byId.get(id)?.bytes };
}
