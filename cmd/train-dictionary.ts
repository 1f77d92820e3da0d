// Shell of the dictionary trainer: flags in; a zstd dictionary, its metadata and a table of what it is worth out. What it does
// is lib/training. A command of cmd/slipstream.ts.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDictionaryPath, readDictionary } from '../lib/codec/dictionary.ts';
import { parseBytes } from '../lib/config/setting-value.ts';
import { CodedError } from '../lib/errors.ts';
import { makeMetadata, metadataText, writeDictionary } from './train-dictionary/dictionary-metadata.ts';
import { EventSample, type SplitSample } from './train-dictionary/event-sample.ts';
import { type ReadProgress, readEvents, sourceName } from './train-dictionary/event-source.ts';
import {
  privateIds,
  trainDictionary,
  trainedBytes,
  trainerName,
  trainingEventsMin,
} from './train-dictionary/trainer.ts';

const help = `train-dictionary: makes a zstd dictionary for events, and the metadata that describes it

usage: slipstream train-dictionary --from SOURCE [flags]

  --from SOURCE    ws:// or wss:// address of a Jetstream v1 server: live events, or with "?cursor=…"
                   in it a sample of everything from there to now; or a file with an event a line,
                   as "slipstream inspect export" writes
  --events N       events to sample, 1000 to 1000000 (default 100000); those of a tenth of the
                   accounts are not trained on, but measured with
  --minutes N      longest time to read from a server (default 30); then what has come is used
  --out FOLDER     where <id>.zdict and <id>.json go (default: the current folder)
  --size BYTES     of the dictionary, 1KiB to 128KiB (default 16KiB)
  --id N           of the dictionary, ${privateIds.min} to ${privateIds.max}; default: made from the events
  --against FILE   dictionary to compare with (default: the one in the package)
  --seed TEXT      which events are sampled and held out (default 1)
  --help           this text

It runs the zstd command line (apt-get install zstd). The same file and flags give the same dictionary.
Give the file to "slipstream --zstd-dictionary". Exit code: 0 done, 2 something to correct.
`;

const flags = {
  from: { type: 'string' },
  events: { type: 'string', default: '100000' },
  minutes: { type: 'string', default: '30' },
  out: { type: 'string', default: '.' },
  size: { type: 'string', default: '16KiB' },
  id: { type: 'string' },
  against: { type: 'string' },
  seed: { type: 'string', default: '1' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Fewest events to measure with. */
const heldOutEventsMin = 10;

/** Runs the command; resolves with the exit code. */
export async function train(argv: readonly string[]): Promise<number> {
  try {
    const { values } = parseArgs({ args: [...argv], options: flags, allowPositionals: false });
    if (values.help) process.stdout.write(help);
    else await run(values);
    return 0;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    console.error(`train-dictionary: ${error.message.split('\n')[0]}`);
    return 2;
  }
}

async function run(values: ReturnType<typeof parseArgs<{ options: typeof flags }>>['values']): Promise<void> {
  const { from, seed, out } = values;
  if (from === undefined || from === '')
    throw new CodedError('CONFIG_MISSING_VALUE', '--from is missing: give a server or a file');
  const eventsMax = wholeNumber('events', values.events, 1_000, 1_000_000);
  const timeoutMs = wholeNumber('minutes', values.minutes, 1, 1_440) * 60_000;
  const size = parseBytes(values.size);
  if (typeof size !== 'number' || size < trainedBytes.min || size > trainedBytes.max)
    throw invalid('size', values.size, '1KiB to 128KiB');
  const id =
    values.id === undefined ? undefined : wholeNumber('id', values.id, privateIds.min, privateIds.max);
  const against = readDictionary(values.against ?? defaultDictionaryPath());
  const trainer = await trainerName();
  const sample = new EventSample(eventsMax, seed);
  await readEvents(from, sample, { timeoutMs, liveEventsMax: eventsMax, onProgress: showProgress });
  const { train, heldOut } = enough(sample, from);
  showStep(`training on ${train.length} events, ${heldOut.length} are held out`);
  const dictionary = await trainDictionary(train, size, id);
  showStep('measuring');
  const created = new Date().toISOString().slice(0, 10);
  const source = sourceName(from);
  const metadata = await makeMetadata({
    dictionary,
    against,
    train,
    heldOut,
    source,
    seed,
    trainer,
    created,
  });
  const path = await writeDictionary(out, dictionary, metadata);
  console.log(`${metadataText(metadata)}\n\n${path}\n${join(out, `${dictionary.id}.json`)}`);
}

/** @throws CodedError `TRAINING_TOO_FEW`. */
function enough(sample: EventSample, from: string): SplitSample {
  const split = sample.split();
  if (split.train.length >= trainingEventsMin && split.heldOut.length >= heldOutEventsMin) return split;
  throw new CodedError(
    'TRAINING_TOO_FEW',
    `${sourceName(from)} has too few events: of ${sample.offered} that came, ${split.train.length} are to train on and ${split.heldOut.length}, of other accounts, to measure with; ${trainingEventsMin} and ${heldOutEventsMin} are needed, 10,000 are better`,
  );
}

function showProgress({ events, kept, bytes, seconds }: ReadProgress): void {
  const rate = Math.round(events / seconds).toLocaleString('en-US');
  const mebibytes = (bytes / 2 ** 20).toFixed(0);
  showStep(`${events} events, ${mebibytes} MiB, ${rate} a second; ${kept} in the sample`);
}

function showStep(text: string): void {
  process.stderr.write(`train-dictionary: ${text}\n`);
}

/** @throws CodedError `CONFIG_FLAG_INVALID`. */
function wholeNumber(flag: string, text: string, low: number, high: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw invalid(flag, text, `a whole number from ${low} to ${high}`);
}

function invalid(flag: string, text: string, what: string): CodedError {
  return new CodedError('CONFIG_FLAG_INVALID', `--${flag} ${text}: must be ${what}`);
}

/** Errors that end in a line and exit code 2: of whoever called us, of reading, of the trainer. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof CodedError) return true;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ERR_PARSE_ARGS|ENOENT|EACCES|ENOTDIR|EROFS|ENOSPC)/.test(code);
}
