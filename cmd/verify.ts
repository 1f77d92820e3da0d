// `slipstream verify`: checks the commits of a recording, without the daemon. Flags in; a table, or JSON, out. What it does is in
// cmd/verify/ and lib/verify.

import { type Command, newCommand } from '../lib/config/command-line.ts';
import { UsageError } from '../lib/errors.ts';
import { wholeNumber } from './command/flag-values.ts';
import { writeTo } from './command/output.ts';

const description = `Checks the commits of a recording of a relay: that each account signed them, that their lists of ops are complete, and that each goes on where the one before it ended.

verified: all of it. anchored: it goes on from nothing that is in the recording. partial: signed, and whether ops were left out is not known. unchecked: it could not be checked. refuted: it is not what the account signed.

FRAMES is a file of frames as they came, [u32 little-endian length][frame], repeated. Exit code: 0 nothing is refuted, 1 something is, 2 it could not be looked into.`;

interface Flags {
  readonly didDocuments?: string;
  readonly list: number;
  readonly json?: true;
}

/** The command; it writes to standard output. */
export function verifyCommand(): Command {
  return newCommand('verify', description)
    .summary('whether the commits of a recording are what their accounts signed')
    .usage('FRAMES --did-documents PATH [options]')
    .argument('<FRAMES>', 'the recording')
    .option(
      '--did-documents <PATH>',
      'where the keys of accounts come from: a folder with a DID document a file, <did>.json, or a file with all of them, an object with a document for each DID',
    )
    .option('--list <N>', 'refuted commits to list', wholeNumber(0, 1_000_000), 100)
    .option('--json', 'for programs')
    .action(async (path: string, flags: Flags) => {
      process.exitCode = await verifyRecording(path, flags);
    });
}

async function verifyRecording(path: string, { didDocuments, list, json }: Flags): Promise<number> {
  if (didDocuments === undefined) {
    throw new UsageError('CONFIG_MISSING_VALUE', 'say where keys come from: --did-documents PATH');
  }
  // Not before: the other commands do without the WebAssembly of it.
  const { DocumentFiles } = await import('./verify/document-files.ts');
  const { readRecording } = await import('./verify/recording.ts');
  const { RecordingCheck } = await import('./verify/recording-check.ts');
  const { reportTable } = await import('./verify/report.ts');
  const check = await RecordingCheck.create(await DocumentFiles.open(didDocuments), list);
  const report = await check.checkAll(readRecording(path));
  process.stdout.on('error', () => {});
  const text = json ? JSON.stringify(report, undefined, 2) : reportTable(report);
  await writeTo(process.stdout, `${text}\n`, 'VERIFY_OUTPUT_FAILED');
  return report.verdicts.refuted > 0 ? 1 : 0;
}
