#!/usr/bin/env node
// The command `relay-sim`: flags in, a listening relay (or a file of frames) out. What it serves and how is in
// simulator/lib; this is the only import of `commander` in the package. Prints `relay-sim listening ws://…` on one line
// when it accepts readers; other processes wait for it.

import { writeFile } from 'node:fs/promises';
import { Command, CommanderError } from 'commander';
import { CodedError, UsageError } from '../../lib/errors.ts';
import { CollectionMix } from '../lib/collection-mix.ts';
import type { DirectoryServer } from '../lib/directory-server.ts';
import { FramePool } from '../lib/frame-pool.ts';
import type { FrameSource } from '../lib/frame-source.ts';
import { FrameRecording, readFrames, writeFrames } from '../lib/frames-file.ts';
import type { SyntheticNetwork } from '../lib/network.ts';
import { NetworkHistory } from '../lib/network-history.ts';
import { noFaults, parseFaults } from '../lib/relay-faults.ts';
import { RelayServer } from '../lib/relay-server.ts';

interface Flags {
  readonly port: number;
  readonly host: string;
  readonly rate: number;
  readonly backlog: number;
  readonly seed: string;
  readonly accounts: number;
  readonly mix?: CollectionMix;
  readonly firstSeq?: number;
  readonly wallClock?: true;
  readonly recordsMax?: number;
  readonly historyBytesMax?: number;
  readonly pool?: number;
  readonly framesFile?: string;
  readonly loop?: true;
  readonly faults?: ReturnType<typeof parseFaults>;
  readonly directoryPort?: number;
  readonly writeFrames?: string;
  readonly writeDidDocuments?: string;
  readonly count: number;
}

/** Reads a whole number between bounds. */
function wholeNumber(flag: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= low && value <= high) return value;
    const problem = `--${flag} ${text}: must be a whole number from ${low} to ${high}`;
    throw new UsageError('CONFIG_FLAG_INVALID', problem);
  };
}

function rateOf(text: string): number {
  return text === 'max' ? Number.POSITIVE_INFINITY : wholeNumber('rate', 0, 10_000_000)(text);
}

const command = new Command('relay-sim')
  .description('a relay with a synthetic network behind it')
  .usage('[flags]')
  .helpOption('--help', 'this text')
  .allowExcessArguments(false)
  .exitOverride()
  // Errors are printed below, in one line.
  .configureOutput({ outputError: () => {} })
  .option('--port <n>', 'port; 0 takes a free one', wholeNumber('port', 0, 65_535), 0)
  .option('--host <host>', 'address to listen on', '127.0.0.1')
  .option('--rate <n|max>', 'frames a second; max is as fast as the fastest reader takes them', rateOf, 200)
  .option(
    '--backlog <n>',
    'frames published before the first reader comes',
    wholeNumber('backlog', 0, 1e9),
    0,
  )
  .option('--seed <text>', 'the same seed gives the same frames', '1')
  .option('--accounts <n>', 'accounts of the network', wholeNumber('accounts', 1, 100_000), 64)
  .option('--mix <list>', 'collection=weight,… (default: resembles the real network)', CollectionMix.parse)
  .option('--first-seq <n>', 'sequence of the first frame', wholeNumber('first-seq', 1, 2 ** 43))
  .option(
    '--wall-clock',
    'date frames by the clock; without it, by simulated time that follows from the seed',
  )
  .option(
    '--records-max <n>',
    'records from which on an account only deletes (default: 1500)',
    wholeNumber('records-max', 1, 1_000_000),
  )
  .option(
    '--history-bytes-max <n>',
    'bytes of frames kept for readers with a cursor (default: 256 MiB)',
    wholeNumber('history-bytes-max', 1, 2 ** 40),
  )
  .option(
    '--pool <n>',
    'load mode: make n frames, then send them over and over with new sequences',
    wholeNumber('pool', 1, 1_000_000),
  )
  .option('--frames-file <file>', 'serve recorded frames; with --pool, stamp them with new sequences')
  .option('--loop', 'start over at the end of the file')
  .option('--faults <list>', `name=number,…: ${Object.keys(noFaults).join(', ')}`, parseFaults)
  .option(
    '--directory-port <n>',
    'also be the PLC directory, and the host of did:web accounts, at this port; 0 takes a free one',
    wholeNumber('directory-port', 0, 65_535),
  )
  .option('--write-frames <file>', 'write --count frames to a file and exit')
  .option('--write-did-documents <file>', 'with it: the DID documents of their accounts, as an object')
  .option('--count <n>', 'frames to write', wholeNumber('count', 1, 10_000_000), 1000);

async function makeNetwork({ seed, accounts, mix, recordsMax, wallClock, firstSeq }: Flags) {
  // Its packages are slow to load: who replays a file does without them.
  const { SyntheticNetwork } = await import('../lib/network.ts');
  return new SyntheticNetwork({
    seed,
    accounts,
    ...(mix === undefined ? {} : { mix }),
    ...(recordsMax === undefined ? {} : { recordsMax }),
    ...(wallClock ? { nowMs: Date.now } : {}),
    ...(firstSeq === undefined ? {} : { firstSeq }),
  });
}

/** @param openDirectory is given the network, if the source is one. */
async function makeSource(
  flags: Flags,
  openDirectory: (network: SyntheticNetwork) => Promise<void>,
): Promise<FrameSource> {
  const { pool, framesFile, firstSeq, historyBytesMax } = flags;
  const numbered = firstSeq === undefined ? {} : { firstSeq };
  if (flags.directoryPort !== undefined && (framesFile !== undefined || pool !== undefined))
    throw new UsageError(
      'CONFIG_FLAG_INVALID',
      '--directory-port needs a network: no --frames-file, no --pool',
    );
  if (framesFile !== undefined) {
    const frames = await readFrames(framesFile);
    return pool === undefined
      ? new FrameRecording(frames, flags.loop ?? false)
      : FramePool.fromFrames(frames.slice(0, pool), numbered);
  }
  if (flags.loop) {
    throw new UsageError('CONFIG_FLAG_INVALID', '--loop needs --frames-file');
  }
  const network = await makeNetwork(flags);
  await openDirectory(network);
  const bounded = historyBytesMax === undefined ? {} : { historyBytesMax };
  return pool === undefined
    ? new NetworkHistory(network, { ...numbered, ...bounded })
    : FramePool.generate(network, pool, numbered);
}

async function* framesOf(network: SyntheticNetwork, count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    yield (await network.next()).bytes;
  }
}

async function writeDocuments(path: string, network: SyntheticNetwork): Promise<void> {
  const { didDocument } = await import('../lib/did-documents.ts');
  const documents = Array.from(network.records(), (record) => [record.did, didDocument(record)] as const);
  await writeFile(path, `${JSON.stringify(Object.fromEntries(documents), undefined, 1)}\n`);
}

async function serve(flags: Flags): Promise<void> {
  const { port, host, rate, backlog, faults, directoryPort } = flags;
  let directory: DirectoryServer | undefined;
  const source = await makeSource(flags, async (network) => {
    if (directoryPort === undefined) return;
    const { DirectoryServer } = await import('../lib/directory-server.ts');
    directory = await DirectoryServer.listen(network, { port: directoryPort, host });
  });
  const server = await RelayServer.listen({
    port,
    host,
    framesPerSecond: rate,
    backlogFrames: backlog,
    source,
    ...(faults === undefined ? {} : { faults }),
  });
  const stop = (): void => void server.close().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (directory !== undefined) console.log(`relay-sim directory ${directory.url}`);
  console.log(`relay-sim listening ${server.url}`);
}

async function main(): Promise<void> {
  const flags = command.parse().opts<Flags>();
  if (flags.writeFrames === undefined) {
    await serve(flags);
  } else {
    const network = await makeNetwork(flags);
    await writeFrames(flags.writeFrames, framesOf(network, flags.count));
    if (flags.writeDidDocuments !== undefined) await writeDocuments(flags.writeDidDocuments, network);
  }
}

/** Codes of commander's errors, as the daemon's; what is not here is a value that a flag does not take. */
const flagCodes: Readonly<Record<string, string>> = {
  'commander.unknownOption': 'CONFIG_UNKNOWN_FLAG',
  'commander.excessArguments': 'CONFIG_UNEXPECTED_ARGUMENT',
  'commander.optionMissingArgument': 'CONFIG_MISSING_VALUE',
};

/** An error that the caller can mend: a flag, a file that is not there, a port that is taken. Undefined: it is ours. */
function mendable(error: unknown): CodedError | undefined {
  if (error instanceof CodedError) return error;
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  if (error instanceof CommanderError) {
    const text = message.split('\n')[0].replace(/^error: /, '');
    return new UsageError(flagCodes[error.code] ?? 'CONFIG_FLAG_INVALID', text);
  }
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return undefined;
  const isOfNetwork = /^(listen|bind|getaddrinfo)$/.test(syscall);
  if (isOfNetwork)
    return new UsageError('SIMULATOR_LISTEN_FAILED', `cannot listen: ${message}`, { cause: error });
  return new UsageError('SIMULATOR_FILE_FAILED', `cannot use a file of frames: ${message}`, { cause: error });
}

try {
  await main();
} catch (error) {
  const isHelp = error instanceof CommanderError && error.exitCode === 0;
  const told = mendable(error);
  if (told === undefined) throw error;
  if (!isHelp) {
    console.error(`relay-sim: ${told.message.split('\n')[0]} (${told.code})`);
    process.exitCode = 2;
  }
}
