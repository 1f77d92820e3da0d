// Makes a dictionary out of events by the trainer of the zstd command line. It owns the program's call and the id that
// the result gets; which events, and how well the result compresses, is for others. Nothing here runs in the daemon.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Dictionary, parseDictionary } from '../../lib/codec/dictionary.ts';
import { CodedError, UsageError } from '../../lib/errors.ts';

/** Sizes of dictionaries that are trained, in bytes. A zstd frame's window is 128 KiB: what is farther is not reached. */
export const trainedBytes = { min: 1024, max: 128 * 1024 } as const;

/** Fewest events that can tell anything; the trainer refuses far fewer by itself. */
export const trainingEventsMin = 100;

/**
 * Ids that may be given: the private range of RFC 8878. Those up to `shortMax` take two bytes of a zstd frame in place of
 * four, so trained dictionaries get them unless another is asked for.
 */
export const privateIds = { min: 32_768, shortMax: 65_535, max: 2 ** 31 - 1 } as const;

/** The id for a dictionary trained on these events: the same events, the same id. */
export function trainedId(events: readonly Uint8Array[], dictionaryBytes: number): number {
  const hash = createHash('sha256').update(`${dictionaryBytes}\n`);
  for (const event of events) hash.update(event).update('\n');
  return privateIds.min + (hash.digest().readUInt32BE() % (privateIds.shortMax + 1 - privateIds.min));
}

/**
 * Trains a dictionary of at most `dictionaryBytes` on the JSON of events. The same events give the same bytes with the
 * same version of zstd. Throws TRAINING_TOO_FEW, TRAINING_TOOL_MISSING, TRAINING_FAILED.
 */
export async function trainDictionary(
  events: readonly Uint8Array[],
  dictionaryBytes: number,
  id: number = trainedId(events, dictionaryBytes),
): Promise<Dictionary> {
  if (events.length < trainingEventsMin) {
    throw new UsageError(
      'TRAINING_TOO_FEW',
      `${events.length} events are too few to train on: give at least ${trainingEventsMin}, better 10,000`,
    );
  }
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-train-'));
  try {
    const names = events.map((_, at) => `${at}`);
    for (const [at, event] of events.entries()) await writeFile(join(folder, names[at]), event);
    // By a list, for a folder has an order of its own.
    await writeFile(join(folder, 'list'), names.join('\n'));
    // One thread: with several, the parameters that win can differ from run to run.
    const options = ['-q', '-f', '-T1', `--maxdict=${dictionaryBytes}`, `--dictID=${id}`, '-o', 'trained'];
    await runZstd(folder, ['--train', '--filelist=list', ...options]);
    const bytes = new Uint8Array(await readFile(join(folder, 'trained')));
    return parseDictionary(bytes, 'what "zstd --train" made');
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    const reason = (cause as Error).message;
    throw new UsageError('TRAINING_FAILED', `cannot train in ${folder}: ${reason}`, { cause });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Name and version of the trainer, as in `zstd 1.5.4`. Throws TRAINING_TOOL_MISSING. */
export async function trainerName(): Promise<string> {
  return `zstd ${/v(\d+\.\d+\.\d+)/.exec(await runZstd('.', ['--version']))?.[1] ?? 'unknown'}`;
}

async function runZstd(folder: string, options: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)('zstd', options, { cwd: folder })).stdout;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new UsageError(
        'TRAINING_TOOL_MISSING',
        'the zstd command line is not installed: install the package "zstd" (apt-get install zstd, brew install zstd)',
        { cause },
      );
    }
    const [reason] = String((cause as { stderr?: string }).stderr ?? cause).split('\n');
    throw new UsageError(
      'TRAINING_FAILED',
      `"zstd --train" fails: ${reason}. Give it more or other events.`,
      {
        cause,
      },
    );
  }
}
