// The benchmark: runs figures one after the other, each beside a plain baseline in the same run, prints a table and writes a
// file. It owns the options and the order; what is measured, and how, is in figure-*.ts.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { clusterFigures } from './figure-cluster.ts';
import { fanoutFigures } from './figure-fanout.ts';
import { filterFigures } from './figure-filters.ts';
import { ingestFigures } from './figure-ingest.ts';
import { isolationFigures } from './figure-isolation.ts';
import { memoryFigures } from './figure-memory.ts';
import { ratioFigures } from './figure-ratio.ts';
import { realRateFigures } from './figure-real-rate.ts';
import { redialFigures } from './figure-redial.ts';
import { replayFigures } from './figure-replay.ts';
import { smallMachineFigures } from './figure-small-machine.ts';
import { sparseFigures } from './figure-sparse.ts';
import { stageFigures } from './figure-stages.ts';
import { stormFigures } from './figure-storm.ts';
import { sustainedFigures } from './figure-sustained.ts';
import { verifyFigures } from './figure-verify.ts';
import { wireFigures } from './figure-wires.ts';
import { workerFigures } from './figure-workers.ts';
import type { PeerOptions } from './peer.ts';
import { isLinux } from './processes.ts';
import { type Figure, readOrigin, tableHead, tableRow, writeReport } from './report.ts';
import { buildDaemon } from './servers.ts';
import { Session } from './session.ts';

interface Group {
  readonly name: string;
  readonly about: string;
  readonly run: (session: Session) => Promise<Figure[]> | Figure[];
}

/** What is measured, in the order in which it is. */
const groups: readonly Group[] = [
  { name: 'stages', about: 'the stages of ingest one by one, in this process', run: stageFigures },
  { name: 'verify', about: 'the check of a commit, and its stages', run: verifyFigures },
  { name: 'ratio', about: 'size and cost of compressed events, by level and dictionary', run: ratioFigures },
  { name: 'ingest', about: 'relay to log, events a second', run: ingestFigures },
  { name: 'replay', about: 'a whole log to one reader', run: replayFigures },
  { name: 'sparse', about: 'a log to readers of very little, and its size', run: sparseFigures },
  { name: 'real-rate', about: 'what 500 events a second cost, and 12 subscribers', run: realRateFigures },
  { name: 'fanout', about: 'live events to 100 and 1,000 subscribers', run: fanoutFigures },
  { name: 'wires', about: 'the second wire beside our first one', run: wireFigures },
  { name: 'sustained', about: 'the highest rate for 1,000 subscribers', run: sustainedFigures },
  { name: 'filters', about: 'live events to 100, 1,000 and 10,000 filters', run: filterFigures },
  { name: 'memory', about: 'of 10,000 idle and 1,000 stalled subscribers', run: memoryFigures },
  { name: 'workers', about: 'live delivery and ingest with 0, 1 and 2 workers', run: workerFigures },
  { name: 'isolation', about: 'live latency and ingest beside 100 replays', run: isolationFigures },
  { name: 'cluster', about: 'a log on NATS beside a daemon alone', run: clusterFigures },
];

/** Those that want a machine of their own, control groups or many open files: measured when they are named. */
const namedGroups: readonly Group[] = [
  { name: 'storm', about: '10,000 subscribers cut off at once, beside 1,000 live', run: stormFigures },
  { name: 'small-machine', about: 'the real rate with 128 MB and half a core', run: smallMachineFigures },
  { name: 'redial', about: '10,000 who come back every minute with a cursor', run: redialFigures },
];

const help = `bench: what Slipstream takes, beside a plain server for the same job

usage: npm run bench -- [flags]

  --only NAME[,NAME]   figures to measure (default: all but storm, small-machine and redial)
  --rounds N           times that the sides take turns (default 5; 1 with --quick)
  --events N           events of each figure's log, in place of its own number
  --workers N          fan-out workers of our daemon (default: the daemon's)
  --sources            our daemon as a clone runs it, and not as the package has it, built into dist: Node's compiler takes 6 MB
  --dictionary FILE    the dictionary of Jetstream v1, as its clients have it: put where our daemon looks for it
  --quick              a small run, to see that the benchmark works; the numbers mean little
  --out DIR            where the file goes (default bench/results)
  --no-write           print the table only
  --list               name the figures
  --help               this text

another server of the v1 wire, beside ours in the figures real-rate, fanout, sustained and replay

  --peer URL           ws://HOST:PORT[/subscribe]; it runs already, or is started while this waits for it
  --peer-pid N         its process on this machine: its processor time and memory are measured too
  --relay-port N       keeps a relay for it on that port, at the rate of each figure; without it the peer
                       reads a relay of its own, at that one's rate

  A peer that waits for its relay, and is then the process that it was started as:
    (until curl -sf 127.0.0.1:7012/xrpc/_health; do sleep 1; done; exec PEER --ws-url ws://127.0.0.1:7012/…) &
    npm run bench -- --only fanout,sustained,replay --relay-port 7012 --peer ws://127.0.0.1:6008 --peer-pid $!

Ours and baseline: median, and half of the range over the rounds. Ratio: how many times better than the baseline.
CPU is that of the measured process, all threads, for an event; RSS its peak. A load generator that takes more than
90 % of a core may be the limit of what it measures.
`;

const flags = {
  only: { type: 'string' },
  rounds: { type: 'string' },
  events: { type: 'string' },
  workers: { type: 'string' },
  sources: { type: 'boolean', default: false },
  dictionary: { type: 'string' },
  peer: { type: 'string' },
  'peer-pid': { type: 'string' },
  'relay-port': { type: 'string' },
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

function wholeNumber<Text extends string | undefined>(
  flag: string,
  text: Text,
  low: number,
): Text extends undefined ? undefined : number;
function wholeNumber(flag: string, text: string | undefined, low: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < low) {
    throw new UsageError(`--${flag} ${text}: must be a whole number from ${low} on`);
  }
  return value;
}

function chosenGroups({ only }: Flags): readonly Group[] {
  if (only === undefined) return groups;
  return only.split(',').map((name) => {
    const group = [...groups, ...namedGroups].find((one) => one.name === name);
    if (group === undefined) throw new UsageError(`--only ${name}: no such figure; see --list`);
    return group;
  });
}

/** Of a file's name, when it does not hold all that there is. */
function partOf({ only, quick }: Flags): string {
  return `${only === undefined ? '' : `-${only.replaceAll(',', '-')}`}${quick ? '-quick' : ''}`;
}

function peerOf(values: Flags): PeerOptions | undefined {
  const pid = wholeNumber('peer-pid', values['peer-pid'], 1);
  const relayPort = wholeNumber('relay-port', values['relay-port'], 1);
  const { peer: url } = values;
  if (url === undefined) {
    if (pid !== undefined || relayPort !== undefined)
      throw new UsageError('--peer-pid and --relay-port need --peer');
    return undefined;
  }
  if (!URL.canParse(url) || new URL(url).protocol !== 'ws:') {
    throw new UsageError(`--peer ${url}: must be a URL that begins with ws://`);
  }
  return { url, pid, relayPort };
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else process.stderr.write(`bench: ${text}\n`);
}

async function measure(values: Flags): Promise<void> {
  const chosen = chosenGroups(values);
  const origin = readOrigin();
  if (!values.sources && isLinux) buildDaemon();
  const session = new Session(
    {
      rounds: wholeNumber('rounds', values.rounds ?? (values.quick ? '1' : '5'), 1),
      events: wholeNumber('events', values.events, 1_000),
      workers: wholeNumber('workers', values.workers, 0),
      isBuilt: !values.sources && isLinux,
      dictionary: values.dictionary,
      quick: values.quick,
    },
    progress,
  );
  const peer = peerOf(values);
  if (peer !== undefined) await session.meet(peer);
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
  console.log(`\n${writeReport(values.out, origin, { notes: session.notes, figures }, partOf(values))}`);
}

try {
  const values = readFlags();
  if (values.help) process.stdout.write(help);
  else if (values.list)
    for (const { name, about } of [...groups, ...namedGroups]) console.log(`${name.padEnd(13)} ${about}`);
  else await measure(values);
  process.exit();
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(isUsage ? `bench: ${(error as Error).message.split('\n')[0]}` : error);
  process.exit(isUsage ? 2 : 1);
}
