// Makes a dictionary out of events: runs the trainer of the zstd command line, measures what the result is worth, writes
// the card that goes beside it. It owns none of the events; where they come from is `cmd/train-dictionary.ts`, which
// calls it. Nothing here runs in the daemon.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { ByteWriter } from '../decode/byte-writer.ts';
import { CodedError } from '../event/coded-error.ts';
import { chooseCompressor } from './choose-compressor.ts';
import { windowLogMax } from './compressor.ts';
import { type Dictionary, parseDictionary } from './dictionary.ts';

/** Largest dictionary that is trained, in bytes. */
export const trainedBytesMax = 64 * 1024;

/** Fewest events that can tell anything; the trainer refuses far fewer by itself. */
export const trainingEventsMin = 100;

/**
 * Ids given to trained dictionaries: the private range of RFC 8878 starts at the lower bound, and up to the upper one a
 * frame spends two bytes on its id in place of four.
 */
const privateIds = { min: 32_768, max: 65_535 } as const;

/** The id for a dictionary trained on these events: the same events, the same id. */
export function trainedId(events: readonly Uint8Array[], dictionaryBytes: number): number {
  const hash = createHash('sha256').update(`${dictionaryBytes}\n`);
  for (const event of events) hash.update(event).update('\n');
  return privateIds.min + (hash.digest().readUInt32BE(0) % (privateIds.max + 1 - privateIds.min));
}

/**
 * Trains a dictionary of at most `dictionaryBytes` on the JSON of events. The same events give the same bytes with the
 * same version of zstd. Throws CODEC_TRAINER_MISSING, CODEC_TRAINING_FAILED.
 */
export async function trainDictionary(
  events: readonly Uint8Array[],
  dictionaryBytes: number,
): Promise<Dictionary> {
  if (events.length < trainingEventsMin) {
    throw new CodedError(
      'CODEC_TRAINING_FAILED',
      `${events.length} events are too few to train on: give at least ${trainingEventsMin}`,
    );
  }
  if (!(dictionaryBytes >= 1024 && dictionaryBytes <= trainedBytesMax)) {
    throw new CodedError(
      'CODEC_TRAINING_FAILED',
      `a dictionary of ${dictionaryBytes} bytes is not trained: ask for 1024 to ${trainedBytesMax}`,
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-train-'));
  try {
    await mkdir(join(folder, 'events'));
    for (const [at, event] of events.entries()) {
      await writeFile(join(folder, 'events', String(at).padStart(8, '0')), event);
    }
    const id = trainedId(events, dictionaryBytes);
    // One thread: with several, the parameters that win can differ from run to run.
    const options = ['-q', '-f', '-T1', `--maxdict=${dictionaryBytes}`, `--dictID=${id}`, '-o', 'trained'];
    await runZstd(folder, ['--train', '-r', 'events', ...options]);
    return parseDictionary(
      new Uint8Array(await readFile(join(folder, 'trained'))),
      'what "zstd --train" made',
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Version of the zstd command line, as in `1.5.4`. Throws CODEC_TRAINER_MISSING. */
export async function trainerVersion(): Promise<string> {
  return /v(\d+\.\d+\.\d+)/.exec(await runZstd('.', ['--version']))?.[1] ?? 'unknown';
}

async function runZstd(folder: string, options: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)('zstd', options, { cwd: folder })).stdout;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new CodedError(
        'CODEC_TRAINER_MISSING',
        'the zstd command line is not installed: install the package "zstd" (apt-get install zstd, brew install zstd)',
        { cause },
      );
    }
    const [reason] = String((cause as { stderr?: string }).stderr ?? cause).split('\n');
    throw new CodedError(
      'CODEC_TRAINING_FAILED',
      `"zstd --train" fails: ${reason}. Give it more or other events.`,
      {
        cause,
      },
    );
  }
}

/** What compressed events take of their JSON, 0 to 1, lower is better. */
export interface Worth {
  readonly events: number;
  readonly bytes: number;
  readonly level: number;
  readonly ratio: number;
  readonly ratioWithoutDictionary: number;
}

/** Measures a dictionary on events that it was not trained on. */
export async function measureWorth(
  dictionary: Dictionary,
  events: readonly Uint8Array[],
  level: number,
): Promise<Worth> {
  const compressor = await chooseCompressor('auto', dictionary, level);
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: windowLogMax,
    [constants.ZSTD_c_checksumFlag]: 1,
  };
  const out = new ByteWriter();
  let bytes = 0;
  let compressedBytes = 0;
  let plainBytes = 0;
  for (const event of events) {
    out.length = 0;
    compressor.compress(event, 0, event.length, out);
    bytes += event.length;
    compressedBytes += out.length;
    plainBytes += zstdCompressSync(event, { params }).length;
  }
  compressor.close();
  const rounded = (part: number): number => Math.round((part / bytes) * 10_000) / 10_000;
  return {
    events: events.length,
    bytes,
    level,
    ratio: rounded(compressedBytes),
    ratioWithoutDictionary: rounded(plainBytes),
  };
}

/** What is told about a trained dictionary, in the file beside it. */
export interface DictionaryCard {
  readonly id: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Day of the training, `YYYY-MM-DD`. */
  readonly created: string;
  /** Where the events came from, such that they can be had again. */
  readonly source: string;
  /** Program that trained it. */
  readonly trainer: string;
  readonly trainedOn: { readonly events: number; readonly bytes: number };
  readonly heldOut: Worth;
}

/** Writes `<id>.zdict` and `<id>.json` into a folder that exists; hands back the path of the first. */
export async function writeDictionary(
  folder: string,
  dictionary: Dictionary,
  card: DictionaryCard,
): Promise<string> {
  const path = join(folder, `${dictionary.id}.zdict`);
  await writeFile(path, dictionary.bytes);
  await writeFile(join(folder, `${dictionary.id}.json`), `${JSON.stringify(card, undefined, 2)}\n`);
  return path;
}
