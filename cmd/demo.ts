// The whole thing without the internet: starts the relay simulator and a daemon that reads from it, each in a process of
// its own, subscribes like any client and prints the events, one a line, until it is stopped.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { newCommand } from '../lib/config/command-line.ts';
import { WebSocket } from '../lib/websocket.ts';
import { exitCodeOf } from './command/exit-code.ts';
import { wholeNumber } from './command/flag-values.ts';
import { refuseFlagsOfNpm } from './command/npm-flags.ts';

interface Flags {
  readonly rate: string;
  readonly seed: string;
  readonly mix?: string;
  readonly framesFile?: string;
  readonly listenAddr: string;
  readonly events?: number;
}

const program = newCommand('demo', 'A synthetic relay, a daemon on it, and its events.')
  .usage('(npm run demo -- [options])')
  .option('--rate <N|max>', 'frames a second', '50')
  .option('--seed <TEXT>', 'the same seed gives the same network', '1')
  .option('--mix <LIST>', 'collection=weight,… (default: resembles the real network)')
  .option(
    '--frames-file <FILE>',
    'replay recorded frames instead: repeated [u32 little-endian length][frame]',
  )
  .option('--listen-addr <ADDR>', 'where the daemon listens', '127.0.0.1:6008')
  .option('--events <N>', 'stop after N events', wholeNumber(1))
  .action(run);

const children: ChildProcess[] = [];
let exitCode = 0;

/** Starts a command in a process of its own; `read` is called with each line it prints. */
function start(command: string, flags: readonly string[], read: (line: string) => void): void {
  const path = fileURLToPath(new URL(command, import.meta.url));
  const child = spawn(process.execPath, [path, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', read);
  child.once('exit', (code) => {
    exitCode ||= code ?? 1;
    void stop();
  });
}

let stopping: Promise<void> | undefined;
let dataDir = '';

function stop(): Promise<void> {
  stopping ??= (async () => {
    const gone = children.map(
      (child) =>
        new Promise<void>((resolve) =>
          child.exitCode === null ? child.once('exit', () => resolve()) : resolve(),
        ),
    );
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(gone);
    await rm(dataDir, { recursive: true, force: true });
    process.exit(exitCode);
  })();
  return stopping;
}

function printEvents(address: string, count: number): void {
  const url = `ws://${address.startsWith(':') ? `127.0.0.1${address}` : address}/subscribe`;
  console.error(`demo: try  websocat '${url}?wantedCollections=app.bsky.feed.post'`);
  let left = count;
  const socket = new WebSocket(`${url}?cursor=0`);
  socket.on('message', (data) => {
    if (left-- > 0) console.log(data.toString());
    if (left === 0) void stop();
  });
  socket.on('error', (error) => console.error(`demo: ${error.message}`));
  socket.on('close', () => void stop());
}

/** The daemon's log: where it listens, and what goes wrong. */
function readLog(line: string, count: number): void {
  const entry = JSON.parse(line);
  if (entry.msg === 'started') printEvents(entry.listen, count);
  else if (entry.level === 'error') console.error(`demo: ${entry.msg}`);
}

function startDaemon(relayUrl: string, { listenAddr, events = Number.POSITIVE_INFINITY }: Flags): void {
  const flags = ['--ws-url', relayUrl, '--data-dir', dataDir, '--listen-addr', listenAddr];
  start('slipstream.ts', [...flags, '--metrics-listen-addr', '127.0.0.1:0', '--log-format', 'json'], (line) =>
    readLog(line, events),
  );
}

async function run(flags: Flags): Promise<void> {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-demo-'));
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
  const source =
    flags.framesFile === undefined
      ? ['--wall-clock', '--seed', flags.seed]
      : ['--frames-file', flags.framesFile, '--loop'];
  const mix = flags.mix === undefined ? [] : ['--mix', flags.mix];
  start('../simulator/cmd/relay-sim.ts', ['--rate', flags.rate, ...source, ...mix], (line) => {
    const url = /^relay-sim listening (\S+)$/.exec(line)?.[1];
    if (url !== undefined) startDaemon(url, flags);
  });
}

try {
  refuseFlagsOfNpm(program, process.env);
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error, 'demo');
}
