// The whole thing without the internet: starts the relay simulator and a daemon that reads from it, each in a process of
// its own, subscribes like any client and prints the events, one a line, until it is stopped.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { WebSocket } from '../lib/websocket.ts';

const help = `demo: a synthetic relay, a daemon on it, and its events

usage: npm run demo -- [flags]

  --rate N|max         frames a second (default 50)
  --seed TEXT          the same seed gives the same network (default 1)
  --mix LIST           collection=weight,… (default: resembles the real network)
  --frames-file FILE   replay recorded frames instead: repeated [u32 little-endian length][frame]
  --listen-addr ADDR   where the daemon listens (default 127.0.0.1:6008)
  --events N           stop after N events
  --help               this text
`;

function readFlags() {
  return parseArgs({
    options: {
      rate: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      mix: { type: 'string' },
      'frames-file': { type: 'string' },
      'listen-addr': { type: 'string', default: '127.0.0.1:6008' },
      events: { type: 'string', default: 'Infinity' },
      help: { type: 'boolean', default: false },
    },
  }).values;
}

type Flags = ReturnType<typeof readFlags>;

const children: ChildProcess[] = [];
let exitCode = 0;

/** Starts one of the commands beside this file; `read` is called with each line it prints. */
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

function startDaemon(relayUrl: string, values: Flags): void {
  const flags = ['--ws-url', relayUrl, '--data-dir', dataDir, '--listen-addr', values['listen-addr']];
  const events = Number(values.events);
  start('slipstream.ts', [...flags, '--metrics-listen-addr', '127.0.0.1:0', '--log-format', 'json'], (line) =>
    readLog(line, events),
  );
}

async function main(): Promise<void> {
  const values = readFlags();
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  if (!(Number(values.events) >= 1))
    throw new TypeError(`--events ${values.events}: must be a number of events`);
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-demo-'));
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());
  const source =
    values['frames-file'] === undefined
      ? ['--wall-clock', '--seed', values.seed]
      : ['--frames-file', values['frames-file'], '--loop'];
  const mix = values.mix === undefined ? [] : ['--mix', values.mix];
  start('../simulator/cmd/relay-sim.ts', ['--rate', values.rate, ...source, ...mix], (line) => {
    const url = /^relay-sim listening (\S+)$/.exec(line)?.[1];
    if (url !== undefined) startDaemon(url, values);
  });
}

try {
  await main();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message.split('\n')[0] : error}`);
  process.exit(2);
}
