// The benchmark: runs figures one after the other, each beside a plain baseline in the same run, prints a table and writes a
// file. It owns the options and the order; what is measured, and how, is in figure-*.ts.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fanoutFigures } from './figure-fanout.ts';
import { ingestFigures } from './figure-ingest.ts';
import { isolationFigures } from './figure-isolation.ts';
import { replayFigures } from './figure-replay.ts';
import { sparseFigures } from './figure-sparse.ts';
import { stageFigures } from './figure-stages.ts';
import { isLinux } from './processes.ts';
import { type Figure, readOrigin, tableHead, tableRow, writeReport } from './report.ts';
import { Session } from './session.ts';

/** What can be measured, in the order in which it is. */
const groups = [
  { name: 'stages', about: 'the stages of ingest one by one, in this process', run: stageFigures },
  { name: 'ingest', about: 'relay to log, events a second', run: ingestFigures },
  { name: 'replay', about: 'a whole log to one reader', run: replayFigures },
  { name: 'sparse', about: 'a log to readers of very little, and its size', run: sparseFigures },
  { name: 'fanout', about: 'live events to 100 and 1,000 subscribers', run: fanoutFigures },
  { name: 'isolation', about: 'live latency and ingest beside 100 replays', run: isolationFigures },
] as const;

const help = `bench: what Slipstream takes, beside a plain server for the same job

usage: npm run bench -- [flags]

  --only NAME[,NAME]   figures to measure (default: all)
  --rounds N           times that ours and the baseline take turns (default 5; 2 with --quick)
  --events N           events of each figure's log, in place of its own number
  --quick              a small run, to see that the benchmark works; the numbers mean little
  --out DIR            where the file goes (default bench/results)
  --no-write           print the table only
  --list               name the figures
  --help               this text

Ours and baseline: median, and half of the range over the rounds. Ratio: how many times better than the baseline.
CPU is that of the measured process, all threads, for an event; RSS its peak.
`;

const flags = {
  only: { type: 'string' },
  rounds: { type: 'string' },
  events: { type: 'string' },
  quick: { type: 'boolean', default: false },
  out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  'no-write': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

function readFlags() {
  return parseArgs({ options: flags, allowPositionals: false }).values;
}

type Flags = ReturnType<typeof readFlags>;

/** A mistake in the flags: told in a line. */
class UsageError extends Error {}

function wholeNumber(flag: string, text: string, low: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < low) {
    throw new UsageError(`--${flag} ${text}: must be a whole number from ${low} on`);
  }
  return value;
}

function chosenGroups({ only }: Flags): readonly (typeof groups)[number][] {
  if (only === undefined) return groups;
  return only.split(',').map((name) => {
    const group = groups.find((one) => one.name === name);
    if (group === undefined) throw new UsageError(`--only ${name}: no such figure; see --list`);
    return group;
  });
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else process.stderr.write(`bench: ${text}\n`);
}

async function measure(values: Flags): Promise<void> {
  const chosen = chosenGroups(values);
  const origin = readOrigin();
  const session = new Session(
    {
      rounds: wholeNumber('rounds', values.rounds ?? (values.quick ? '2' : '5'), 1),
      events: values.events === undefined ? undefined : wholeNumber('events', values.events, 1_000),
      quick: values.quick,
    },
    progress,
  );
  const { machine } = origin;
  console.log(`${origin.commit}${origin.dirty ? ' with changes' : ''}, node ${origin.node}`);
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.os}\n`,
  );
  console.log(tableHead());
  const figures: Figure[] = [];
  for (const { name, run } of chosen) {
    if (name !== 'stages' && !isLinux) {
      session.note(`${name}: left out, processes are measured through /proc, which Linux has`);
      continue;
    }
    const made = await run(session);
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    for (const figure of made) console.log(tableRow(figure));
    figures.push(...made);
  }
  if (values.quick) session.note('a quick run: the numbers mean little');
  console.log(`\n${session.notes.map((note) => `- ${note}`).join('\n')}`);
  if (values['no-write']) return;
  console.log(`\n${writeReport(values.out, origin, { notes: session.notes, figures })}`);
}

try {
  const values = readFlags();
  if (values.help) process.stdout.write(help);
  else if (values.list) for (const { name, about } of groups) console.log(`${name.padEnd(8)} ${about}`);
  else await measure(values);
  process.exit();
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(isUsage ? `bench: ${(error as Error).message.split('\n')[0]}` : error);
  process.exit(isUsage ? 2 : 1);
}
