// `slipstream inspect`: looks into a log while no daemon has it open. Flags in; a table, a verdict or events out. What it
// tells is gathered in cmd/inspect/.

import { hasOfficialDictionary, officialDictionaryPath } from '../lib/codec/official-dictionary.ts';
import { type Command, newCommand } from '../lib/config/command-line.ts';
import { settings } from '../lib/config/settings.ts';
import { CodedError, UsageError } from '../lib/errors.ts';
import { usualDataDir } from './command/data-dir.ts';
import { momentForms, parseMoment, repeated, wholeNumber } from './command/flag-values.ts';
import { writeTo } from './command/output.ts';
import { coverageTable, readLogCoverage } from './inspect/coverage.ts';
import { exportLines } from './inspect/export.ts';
import { reasonOf } from './inspect/problem.ts';
import { ClosedLog } from './inspect/reader.ts';
import { repairLog } from './inspect/repair.ts';
import { summarizeLog } from './inspect/summary.ts';
import { summaryTable } from './inspect/table.ts';
import { damageLine, repairText, verdictJson, verdictText } from './inspect/verdict.ts';
import { verifyFiles, verifyLog } from './inspect/verification.ts';

const description = `Looks into the log of a daemon that is not running. Only repair changes anything.

Exit code: 0 intact, 1 damaged, 2 could not be inspected (wrong flag, no log, a daemon has it open).`;

interface SummaryFlags {
  readonly top: number;
  readonly json?: true;
}
interface VerifyFlags {
  readonly zstdDictionary?: readonly string[];
  readonly json?: true;
}
interface ExportFlags {
  readonly from?: number;
  readonly to?: number;
  readonly limit?: number;
}

/** The command; it writes to standard output and standard error. */
export function inspectCommand(): Command {
  const command = newCommand('inspect', description)
    .summary('what a log holds, whether it is intact, and its events')
    .option(
      '--data-dir <DIR>',
      `folder of the log (default: the daemon's, "${settings['data-dir'].default}" or as its variables say)`,
    );
  /** An action on the log, whose result is the exit code. */
  const onLog =
    <Flags>(work: (log: ClosedLog, flags: Flags) => Promise<number>) =>
    async (flags: Flags): Promise<void> => {
      const dataDir = command.opts().dataDir ?? usualDataDir(process.env);
      process.exitCode = await withLog(dataDir, (log) => work(log, flags));
    };
  const usage = '[--data-dir DIR] [options]';
  const moment = (name: string) => (text: string) => parseMoment(text, name, Date.now() * 1000);
  const summaryCommand = newCommand(
    'summary',
    'What the log holds: times, sizes, blocks, relays, kinds, collections.',
  )
    .usage(usage)
    .option('--top <N>', 'collections to list', wholeNumber(), 20)
    .option('--json', 'for programs')
    .action(onLog(summary));
  const verifyCommand = newCommand(
    'verify',
    'Reads everything and checks it: checksums, zstd frames, every event against its columns, both encodings against each other, segments, gaps; one line for each problem.',
  )
    .usage(usage)
    .option(
      '--zstd-dictionary <FILE>',
      'a dictionary that the log was written with, can be repeated; those of the package and of the data directory are known',
      repeated,
    )
    .option('--json', 'for programs')
    .action(async (flags: VerifyFlags) => {
      process.exitCode = await verify(command.opts().dataDir ?? usualDataDir(process.env), flags);
    });
  const repairCommand = newCommand(
    'repair',
    'Writes the log again without what is damaged, and keeps the damaged one in a folder damaged-<time> of the data directory. Needs as much free space as the log takes.',
  )
    .usage(usage)
    .action(async () => {
      process.exitCode = await repair(command.opts().dataDir ?? usualDataDir(process.env));
    });
  const coverageCommand = newCommand(
    'coverage',
    'Where events may be missing, or have come twice, and why: the coverage ledger, oldest first.',
  )
    .usage(usage)
    .option('--json', 'for programs')
    .action(onLog(coverage));
  const exportCommand = newCommand('export', 'Events as JSON, one a line, oldest first.')
    .usage(usage)
    .option('--from <TIME>', `first moment wanted: ${momentForms}`, moment('--from'))
    .option('--to <TIME>', 'first moment no longer wanted', moment('--to'))
    .option('--limit <N>', 'most events', wholeNumber())
    .action(onLog(exportEvents));
  return command
    .addCommand(summaryCommand, { isDefault: true })
    .addCommand(verifyCommand)
    .addCommand(repairCommand)
    .addCommand(coverageCommand)
    .addCommand(exportCommand);
}

/** Opens a log for `work`. Whatever keeps it from an end is exit code 2: 1 says that the log is damaged. */
async function withLog(dataDir: string, work: (log: ClosedLog) => Promise<number>): Promise<number> {
  try {
    const log = await ClosedLog.open(dataDir);
    try {
      return await work(log);
    } finally {
      await log.close();
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new UsageError(error.code, error.message, { cause: error });
  }
}

async function summary(log: ClosedLog, { top, json }: SummaryFlags): Promise<number> {
  const found = await summarizeLog(log, top);
  await send([json ? JSON.stringify(found, undefined, 2) : summaryTable(found), '\n']);
  const { damagedBlocks, readError, format } = found;
  return damagedBlocks > 0 || readError !== undefined || format === undefined ? 1 : 0;
}

/** Checks the files, then, if LevelDB may have them, what is in them. */
async function verify(dataDir: string, { zstdDictionary = [], json }: VerifyFlags): Promise<number> {
  const startMs = performance.now();
  const damages = await verifyFiles(dataDir);
  if (damages.length > 0 && json === undefined)
    await send(damages.map((damage) => `${damageLine(damage)}\n`));
  if (damages.some(({ isFatal }) => isFatal)) {
    const clean = { clean: false, problems: damages.length, files: damages };
    await send([
      json ? JSON.stringify(clean, undefined, 2) : 'DAMAGED: run "slipstream inspect repair"',
      '\n',
    ]);
    return 1;
  }
  return withLog(dataDir, async (log) => {
    const fetched = hasOfficialDictionary(dataDir) ? [officialDictionaryPath(dataDir)] : [];
    const result = await verifyLog(log, [...zstdDictionary, ...fetched]);
    const seconds = (performance.now() - startMs) / 1000;
    await send([json ? verdictJson(result) : verdictText(result, seconds), '\n']);
    return result.problems.total + damages.length > 0 ? 1 : 0;
  });
}

async function repair(dataDir: string): Promise<number> {
  await send([repairText(await repairLog(dataDir)), '\n']);
  return 0;
}

async function coverage(log: ClosedLog, { json }: { readonly json?: true }): Promise<number> {
  const found = await readLogCoverage(log);
  await send([json ? JSON.stringify(found, undefined, 2) : coverageTable(found), '\n']);
  return found.damaged > 0 ? 1 : 0;
}

async function exportEvents(log: ClosedLog, { from, to, limit }: ExportFlags): Promise<number> {
  const infinity = Number.POSITIVE_INFINITY;
  const range = { fromUs: from ?? 0, toUs: to ?? infinity, eventsMax: limit ?? infinity };
  let damaged = 0;
  const lines = exportLines(log, range, (error) => {
    damaged++;
    console.error(`inspect: left out: ${reasonOf(error)} (${error.code})`);
  });
  await send(lines);
  return damaged > 0 ? 1 : 0;
}

/** Writes to standard output until nobody reads any more. @throws CodedError `INSPECT_OUTPUT_FAILED`. */
async function send(chunks: Iterable<string> | AsyncIterable<Uint8Array>): Promise<void> {
  process.stdout.on('error', () => {});
  for await (const chunk of chunks) {
    if (!(await writeTo(process.stdout, chunk, 'INSPECT_OUTPUT_FAILED'))) return;
  }
}
