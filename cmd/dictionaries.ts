// `slipstream dictionaries fetch`: flags in; the dictionary of Jetstream v1 in the data directory out. How it gets there is
// in cmd/dictionaries/.

import {
  officialDictionary,
  officialDictionaryPath,
  sharesOfJson,
} from '../lib/codec/official-dictionary.ts';
import { type Command, newCommand } from '../lib/config/command-line.ts';
import { CodedError, UsageError } from '../lib/errors.ts';
import { usualDataDir } from './command/data-dir.ts';
import { repeated } from './command/flag-values.ts';
import { fetchOfficialDictionary, officialSources } from './dictionaries/fetch.ts';

const description = `Downloads the zstd dictionary ${officialDictionary.id} that clients of Jetstream v1 carry, once, and keeps it in the data directory. The daemon uses it from its next start on: for these clients compressed events then take ${sharesOfJson.official} of the size of their JSON, and ${sharesOfJson.none} without it.

It comes from the public repositories where it is published, and is kept only if its SHA-256 is right. It is not part of this package because it is made of posts of real people.`;

interface FetchFlags {
  readonly dataDir?: string;
  readonly from?: readonly string[];
  readonly ifPossible?: true;
}

/** The command; it writes a file, and to standard output. */
export function dictionariesCommand(): Command {
  const command = newCommand('dictionaries', description).summary(
    'download the zstd dictionary of Jetstream v1 for its clients',
  );
  const fetchCommand = newCommand('fetch', description)
    .summary('download the dictionary, unless it is there')
    .option('--data-dir <DIR>', "of the daemon (default: as its variables say, else './data')")
    .option(
      '--from <URL>',
      `where to get it, can be repeated (default: where it is published, ${officialSources.length} addresses of ${hostsOf(officialSources)})`,
      repeated,
    )
    .option('--if-possible', 'exit with 0 even if it cannot be downloaded, for a step before a start')
    .action(fetchInto);
  return command.addCommand(fetchCommand).action(() => {
    throw new UsageError('CONFIG_UNEXPECTED_ARGUMENT', 'say what to do: "slipstream dictionaries fetch"');
  });
}

function hostsOf(addresses: readonly string[]): string {
  return [...new Set(addresses.map((address) => new URL(address).host))].join(', ');
}

async function fetchInto({
  dataDir = usualDataDir(process.env),
  from,
  ifPossible,
}: FetchFlags): Promise<void> {
  try {
    const outcome = await fetchOfficialDictionary(dataDir, from ?? officialSources);
    const path = officialDictionaryPath(dataDir);
    console.log(
      outcome === 'present'
        ? `${path} is there already`
        : `${path} has been written: restart the daemon, and compressed clients of Jetstream v1 get this dictionary`,
    );
  } catch (error) {
    if (ifPossible !== true || !(error instanceof CodedError) || error.exitCode === 2) throw error;
    console.error(`dictionaries fetch: ${error.message} (${error.code}); continuing without it`);
  }
}
