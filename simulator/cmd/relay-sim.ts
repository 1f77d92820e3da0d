// Shell of the relay simulator: flags in, a listening relay (or a file of frames) out. What it serves and how is in
// lib/simulator. Prints `relay-sim listening ws://…` on one line when it accepts readers; other processes wait for it.

import { parseArgs } from 'node:util';
import { UsageError } from '../../lib/errors.ts';
import { CollectionMix } from '../lib/collection-mix.ts';
import { FramePool } from '../lib/frame-pool.ts';
import type { FrameSource } from '../lib/frame-source.ts';
import { FrameRecording, readFrames, writeFrames } from '../lib/frames-file.ts';
import type { SyntheticNetwork } from '../lib/network.ts';
import { NetworkHistory } from '../lib/network-history.ts';
import { parseFaults } from '../lib/relay-faults.ts';
import { RelayServer } from '../lib/relay-server.ts';

const help = `relay-sim: a relay with a synthetic network behind it

usage: node simulator/cmd/relay-sim.ts [flags]

  --port N             port; 0 takes a free one (default 0)
  --host HOST          address to listen on (default 127.0.0.1)
  --rate N|max         frames a second; max is as fast as the fastest reader takes them (default 200)
  --backlog N          frames published before the first reader comes (default 0)
  --seed TEXT          the same seed gives the same frames (default 1)
  --accounts N         accounts of the network (default 64)
  --mix LIST           collection=weight,… (default: resembles the real network)
  --first-seq N        sequence of the first frame
  --wall-clock         date frames by the clock; without it, by simulated time that follows from the seed
  --pool N             load mode: make N frames, then send them over and over with new sequences
  --frames-file FILE   serve recorded frames; with --pool, stamp them with new sequences
  --loop               start over at the end of the file
  --faults LIST        name=number,…: dropAfterFrames, rewindFrames, quiet, refuseStatus, acceptDelayMs
  --write-frames FILE  write --count frames to a file and exit
  --count N            frames to write (default 1000)
  --help               this text
`;

const flags = {
  port: { type: 'string', default: '0' },
  host: { type: 'string', default: '127.0.0.1' },
  rate: { type: 'string', default: '200' },
  backlog: { type: 'string', default: '0' },
  seed: { type: 'string', default: '1' },
  accounts: { type: 'string', default: '64' },
  mix: { type: 'string' },
  'first-seq': { type: 'string' },
  'wall-clock': { type: 'boolean', default: false },
  pool: { type: 'string' },
  'frames-file': { type: 'string' },
  loop: { type: 'boolean', default: false },
  faults: { type: 'string' },
  'write-frames': { type: 'string' },
  count: { type: 'string', default: '1000' },
  help: { type: 'boolean', default: false },
} as const;

function readFlags() {
  return parseArgs({ options: flags, allowPositionals: false }).values;
}

type Flags = ReturnType<typeof readFlags>;

/** A whole number between bounds. @throws CodedError `CONFIG_FLAG_INVALID`. */
function wholeNumber(flag: string, text: string, low: number, high: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) {
    throw new UsageError(
      'CONFIG_FLAG_INVALID',
      `--${flag} ${text}: must be a whole number from ${low} to ${high}`,
    );
  }
  return value;
}

function rateOf(text: string): number {
  return text === 'max' ? Number.POSITIVE_INFINITY : wholeNumber('rate', text, 0, 10_000_000);
}

function firstSeqOf(values: Flags): { firstSeq?: number } {
  const text = values['first-seq'];
  return text === undefined ? {} : { firstSeq: wholeNumber('first-seq', text, 1, 2 ** 43) };
}

async function makeNetwork(values: Flags): Promise<SyntheticNetwork> {
  const options = {
    seed: values.seed,
    accounts: wholeNumber('accounts', values.accounts, 1, 100_000),
    ...(values.mix === undefined ? {} : { mix: CollectionMix.parse(values.mix) }),
    ...(values['wall-clock'] ? { nowMs: Date.now } : {}),
    ...firstSeqOf(values),
  };
  // Its packages are development dependencies: whoever replays a file does without them.
  const { SyntheticNetwork } = await import('../lib/network.ts');
  return new SyntheticNetwork(options);
}

async function makeSource(values: Flags): Promise<FrameSource> {
  const pool = values.pool === undefined ? undefined : wholeNumber('pool', values.pool, 1, 1_000_000);
  const file = values['frames-file'];
  if (file !== undefined) {
    const frames = await readFrames(file);
    return pool === undefined
      ? new FrameRecording(frames, values.loop)
      : FramePool.fromFrames(frames.slice(0, pool), firstSeqOf(values));
  }
  if (values.loop) {
    throw new UsageError('CONFIG_FLAG_INVALID', '--loop needs --frames-file');
  }
  const network = await makeNetwork(values);
  return pool === undefined
    ? new NetworkHistory(network, firstSeqOf(values))
    : FramePool.generate(network, pool, firstSeqOf(values));
}

async function* framesOf(network: SyntheticNetwork, count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    yield (await network.next()).bytes;
  }
}

async function serve(values: Flags): Promise<void> {
  const options = {
    port: wholeNumber('port', values.port, 0, 65_535),
    host: values.host,
    framesPerSecond: rateOf(values.rate),
    backlogFrames: wholeNumber('backlog', values.backlog, 0, 1_000_000_000),
    ...(values.faults === undefined ? {} : { faults: parseFaults(values.faults) }),
  };
  const server = await RelayServer.listen({ ...options, source: await makeSource(values) });
  const stop = (): void => void server.close().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  console.log(`relay-sim listening ${server.url}`);
}

async function main(): Promise<void> {
  const values = readFlags();
  if (values.help) {
    process.stdout.write(help);
  } else if (values['write-frames'] !== undefined) {
    const count = wholeNumber('count', values.count, 1, 10_000_000);
    await writeFrames(values['write-frames'], framesOf(await makeNetwork(values), count));
  } else {
    await serve(values);
  }
}

/** Errors of whoever called us: a flag, a file that is not there, a port that is taken. */
function isUsageError(error: unknown): error is Error {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ERR_PARSE_ARGS|CONFIG_|SIMULATOR_|ENOENT|EACCES|EISDIR|EADDR)/.test(code);
}

try {
  await main();
} catch (error) {
  if (!isUsageError(error)) {
    throw error;
  }
  console.error(`relay-sim: ${error.message.split('\n')[0]}`);
  process.exit(2);
}
