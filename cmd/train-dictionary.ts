// `slipstream train-dictionary`: flags in; a zstd dictionary, its metadata and a report of how well it compresses out. What
// it does is in cmd/train-dictionary/.

import { type Command, InvalidArgumentError, newCommand, Option } from '../lib/config/command-line.ts';
import { parseBytes } from '../lib/config/setting-value.ts';
import { wholeNumber } from './command/flag-values.ts';
import { privateIds, trainedBytes } from './train-dictionary/trainer.ts';
import { makeDictionary, type TrainingRequest } from './train-dictionary/training.ts';

const description = `Makes a zstd dictionary for events, and the metadata that describes it.

It runs the zstd command line (apt-get install zstd). The same file and flags give the same dictionary. Give the file to "slipstream --zstd-dictionary". Exit code: 0 done, 2 something to correct.`;

/** The command; it writes two files, to standard output and to standard error. */
export function trainCommand(): Command {
  return newCommand('train-dictionary', description)
    .summary('make a zstd dictionary of real events')
    .option(
      '--from <SOURCE>',
      'ws:// or wss:// address of a Jetstream v1 server: live events, or with "?cursor=…" in it a sample of everything from there to now; or a file with an event a line, as "slipstream inspect export" writes',
    )
    .option(
      '--events <N>',
      'events to sample, 1000 to 1000000; those of a tenth of the accounts are not trained on, but measured with',
      wholeNumber(1_000, 1_000_000),
      100_000,
    )
    .option(
      '--minutes <N>',
      'longest time to read from a server; then what has come is used',
      wholeNumber(1, 1_440),
      30,
    )
    .option('--out <FOLDER>', 'where <id>.zdict and <id>.json go', '.')
    .addOption(
      new Option('--size <BYTES>', 'of the dictionary, 1KiB to 128KiB')
        .argParser(sizeOf)
        .default(16 * 1024, '16KiB'),
    )
    .option(
      '--id <N>',
      `of the dictionary, ${privateIds.min} to ${privateIds.max}; default: made from the events`,
      wholeNumber(privateIds.min, privateIds.max),
    )
    .option('--against <FILE>', 'dictionary to compare with (default: the one in the package)')
    .option('--seed <TEXT>', 'which events are sampled and held out', '1')
    .action(async (request: TrainingRequest) => console.log(await makeDictionary(request)));
}

function sizeOf(text: string): number {
  const size = parseBytes(text);
  if (typeof size === 'number' && size >= trainedBytes.min && size <= trainedBytes.max) return size;
  throw new InvalidArgumentError('Must be 1KiB to 128KiB.');
}
