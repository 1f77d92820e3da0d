// zstd dictionaries as the daemon knows them: read from a file, checked, named by their id, offered for download.
// It owns identity and bounds; the inside of a dictionary is dictionary-layout.ts, compressing is the compressors'.
// lib/worker and the commands read dictionaries, the HTTP listener serves a `DictionaryStore`.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../errors.ts';
import { dictionaryLayout } from './dictionary-layout.ts';
import { officialDictionary } from './official-dictionary.ts';

/** Smallest file that can be a dictionary, in bytes: header, tables, eight bytes of content. */
const dictionaryBytesMin = 32;

/** Largest dictionary accepted, in bytes: every client loads it, and content beyond the 128 KiB window is rarely reached. */
export const dictionaryBytesMax = 1024 * 1024;

/**
 * Most dictionaries beside the one that events are stored with: each that is in use costs a compression of every event
 * in every thread that serves subscribers. The official one comes on top, where the data directory has it.
 */
const additionalDictionariesMax = 4;

/** Id of the dictionary that comes with the package, trained on synthetic events by `cmd/train-dictionary.ts`. */
export const defaultDictionaryId = 53328;

/**
 * Ids of the dictionaries that come with the package for the second wire, the current one first. One that is replaced stays behind
 * it for as long as clients may hold it.
 */
export const v2DictionaryIds = [37694] as const;

/** A checked dictionary. `bytes` is shared and never written to. */
export interface Dictionary {
  readonly id: number;
  readonly bytes: Uint8Array;
  /** SHA-256 of `bytes` in lower-case hex. */
  readonly sha256: string;
}

/**
 * Checks the bytes of a dictionary; `name` says in errors where they came from. Keeps `bytes`, which the caller must
 * not change afterwards. Throws CODEC_DICTIONARY_INVALID.
 */
export function parseDictionary(bytes: Uint8Array, name: string): Dictionary {
  const refuse = (why: string): never => {
    throw new UsageError(
      'CODEC_DICTIONARY_INVALID',
      `${name} is not a usable zstd dictionary: ${why}. Give a file made by "zstd --train".`,
    );
  };
  if (bytes.length < dictionaryBytesMin)
    refuse(`it has ${bytes.length} bytes, fewer than ${dictionaryBytesMin}`);
  if (bytes.length > dictionaryBytesMax)
    refuse(`it has ${bytes.length} bytes, more than ${dictionaryBytesMax}`);
  if (dictionaryLayout(bytes) === undefined) refuse('magic number or tables are wrong');
  const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
  if (id === 0) refuse('its id is 0, which no zstd frame can name');
  return { id, bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Reads and checks a dictionary file. Throws CODEC_DICTIONARY_UNREADABLE, CODEC_DICTIONARY_INVALID. */
export function readDictionary(path: string): Dictionary {
  let bytes: Uint8Array;
  try {
    const { size } = statSync(path);
    // A plain array: `slice` of a Buffer would be a view. A file over the bound is not read, only refused by its size.
    bytes =
      size > dictionaryBytesMax ? new Uint8Array(dictionaryBytesMax + 1) : new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new UsageError(
      'CODEC_DICTIONARY_UNREADABLE',
      `cannot read the zstd dictionary ${path}: ${(cause as Error).message}. Check the path and its permissions.`,
      { cause },
    );
  }
  return parseDictionary(bytes, path);
}

/**
 * Path of the dictionary that comes with the package for the first wire: `dictionaries/` is two levels above the sources and three above
 * the built files, which live under `dist/`.
 */
export function defaultDictionaryPath(): string {
  return packagedDictionaryPath(defaultDictionaryId);
}

/** The same of any that comes with the package. */
export function packagedDictionaryPath(id: number): string {
  const candidates = ['../../dictionaries/', '../../../dictionaries/'].map((folder) =>
    fileURLToPath(new URL(`${folder}${id}.zdict`, import.meta.url)),
  );
  return candidates.find((path) => existsSync(path)) ?? candidates[0];
}

/** What the listener tells about one dictionary; `bytes` is its length. */
export interface DictionaryEntry {
  readonly id: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly default: boolean;
}

/** The dictionaries that clients can download and ask for: the one that events are stored with, and others. */
export class DictionaryStore {
  readonly default: Dictionary;
  /** The others, each once. */
  readonly additional: readonly Dictionary[];
  readonly #byId = new Map<number, Dictionary>();
  readonly #entries: readonly DictionaryEntry[];

  /**
   * @param current the one that events are stored with.
   * @param others additional ones, in the order to list them. The same dictionary twice counts once; the same id with
   * other bytes throws CODEC_DICTIONARY_CONFLICT, more than `additionalDictionariesMax` CODEC_DICTIONARY_TOO_MANY.
   */
  constructor(current: Dictionary, others: readonly Dictionary[] = []) {
    this.default = current;
    for (const dictionary of [current, ...others]) {
      const known = this.#byId.get(dictionary.id);
      if (known !== undefined && known.sha256 !== dictionary.sha256) {
        throw new UsageError(
          'CODEC_DICTIONARY_CONFLICT',
          `two different zstd dictionaries have the id ${dictionary.id} (sha256 ${known.sha256} and ${dictionary.sha256}): train one of them again with another id`,
        );
      }
      if (known === undefined) this.#byId.set(dictionary.id, dictionary);
    }
    this.additional = [...this.#byId.values()].slice(1);
    const counted = this.additional.filter(({ sha256 }) => sha256 !== officialDictionary.sha256);
    if (counted.length > additionalDictionariesMax) {
      throw new UsageError(
        'CODEC_DICTIONARY_TOO_MANY',
        `${counted.length + 1} zstd dictionaries are given: at most ${additionalDictionariesMax + 1} are served at once`,
      );
    }
    this.#entries = [...this.#byId.values()].map(({ id, bytes, sha256 }) => ({
      id,
      bytes: bytes.length,
      sha256,
      default: id === current.id,
    }));
  }

  /** All of them, the default first. */
  list(): readonly DictionaryEntry[] {
    return this.#entries;
  }

  /** Whether clients of Jetstream v1 can read zstd frames of one of them. */
  get hasOfficial(): boolean {
    return this.#byId.get(officialDictionary.id)?.sha256 === officialDictionary.sha256;
  }

  /** The bytes of one, shared: never written to. */
  get(id: number): Uint8Array | undefined {
    return this.#byId.get(id)?.bytes;
  }
}
