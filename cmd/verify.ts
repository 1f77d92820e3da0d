// `slipstream verify`: checks the commits of a recording, without the daemon. Flags in; a table, or JSON, out. What it does is in
// cmd/verify/ and lib/verify.

import { type Command, newCommand } from '../lib/config/command-line.ts';
import { UsageError } from '../lib/errors.ts';
import { wholeNumber } from './command/flag-values.ts';
import { writeTo } from './command/output.ts';

const description = `Checks the commits of a recording of a relay: that each account signed them, that their lists of ops are complete, and that each continues where the one before it ended.

verified: all of it. anchored: nothing that it could follow is in the recording. partial: signed, but whether ops were left out is not known. unchecked: it could not be checked. refuted: it is not what the account signed.

FRAMES is a file of frames as they arrived, [u32 little-endian length][frame], repeated. Exit code: 0 nothing is refuted, 1 something is, 2 it could not be checked.`;

interface Flags {
  readonly didDocuments?: string;
  readonly plcUrl?: string;
  readonly didWebUrl?: string;
  readonly keyCache?: string;
  readonly list: number;
  readonly json?: true;
}

/** The command; it writes to standard output. */
export function verifyCommand(): Command {
  return newCommand('verify', description)
    .summary('check that the commits of a recording are what their accounts signed')
    .usage('FRAMES (--plc-url URL | --did-documents PATH) [options]')
    .argument('<FRAMES>', 'the recording')
    .option(
      '--plc-url <URL>',
      'the PLC directory, https://plc.directory or a replica, which is asked for keys, and for those at the time of a commit; keys of did:web accounts come from their own hosts',
    )
    .option('--key-cache <DIR>', 'with --plc-url: a folder that keeps keys for later runs, for a day')
    .option(
      '--did-web-url <URL>',
      'with --plc-url: a server to ask for did:web accounts instead of their hosts, such as the directory of relay-sim',
    )
    .option(
      '--did-documents <PATH>',
      'no network: where the keys of accounts come from: a folder with one DID document per file, <did>.json, or one file with an object that has a document for each DID',
    )
    .option('--list <N>', 'refuted commits to list', wholeNumber(0, 1_000_000), 100)
    .option('--json', 'for programs')
    .action(async (path: string, flags: Flags) => {
      process.exitCode = await verifyRecording(path, flags);
    });
}

async function verifyRecording(path: string, flags: Flags): Promise<number> {
  const { didDocuments, plcUrl, didWebUrl, keyCache, list, json } = flags;
  if ((didDocuments === undefined) === (plcUrl === undefined))
    throw new UsageError(
      'CONFIG_FLAG_INVALID',
      'say where keys come from: --plc-url URL, or --did-documents PATH',
    );
  if (plcUrl === undefined && (didWebUrl ?? keyCache) !== undefined)
    throw new UsageError('CONFIG_FLAG_INVALID', '--did-web-url and --key-cache go with --plc-url');
  // Not before: the other commands do without the WebAssembly of it.
  const { KeysOfRun } = await import('./verify/keys-of-run.ts');
  const { readRecording } = await import('./verify/recording.ts');
  const { RecordingCheck } = await import('./verify/recording-check.ts');
  const { reportTable } = await import('./verify/report.ts');
  const keys = await KeysOfRun.open({ didDocuments, plcUrl, didWebUrl, keyCache });
  try {
    const check = await RecordingCheck.create(keys.source, list);
    const report = await check.checkAll(readRecording(path));
    process.stdout.on('error', () => {});
    const text = json ? JSON.stringify(report, undefined, 2) : reportTable(report);
    await writeTo(process.stdout, `${text}\n`, 'VERIFY_OUTPUT_FAILED');
    return report.verdicts.refuted > 0 ? 1 : 0;
  } finally {
    await keys.close();
  }
}
