// `slipstream demo`: the whole thing without the internet. A relay with a synthetic network and a daemon on it, each in a process of
// its own, and what the daemon delivers: on a terminal below a banner, else as JSON, until it is stopped.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, newCommand } from '../lib/config/command-line.ts';
import { wholeNumber } from './command/flag-values.ts';
import { requireNode } from './command/runtime.ts';
import { DemoProcesses, type DemoSource } from './demo/processes.ts';
import { showOnTerminal, writeJson } from './demo/view.ts';

/** How long a socket that is being closed may keep the process. */
const lingerMsMax = 500;

interface Flags extends DemoSource {
  readonly listenAddr: string;
  readonly metricsListenAddr: string;
  readonly events?: number;
}

/** The command; it listens to signals, and writes to standard output and standard error. */
export function demoCommand(): Command {
  return newCommand(
    'demo',
    'Runs a daemon on a synthetic network, all of it on this machine, and shows its events.',
  )
    .summary('a daemon on a synthetic network, to try it out on this machine')
    .option('--rate <N|max>', 'frames a second', '50')
    .option('--seed <TEXT>', 'the same seed gives the same network', '1')
    .option('--mix <LIST>', 'collection=weight,… (default: resembles the real network)')
    .option(
      '--frames-file <FILE>',
      'replay recorded frames instead: repeated [u32 little-endian length][frame]',
    )
    .option('--listen-addr <ADDR>', 'where the daemon listens', '127.0.0.1:6008')
    .option('--metrics-listen-addr <ADDR>', 'where its metrics are', '127.0.0.1:6009')
    .option('--events <N>', 'stop after N events', wholeNumber(1))
    .action(demo);
}

async function demo(flags: Flags): Promise<void> {
  requireNode('the demo', process.versions);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-demo-'));
  const processes = new DemoProcesses(stop);
  try {
    const started = await processes.start(flags, [
      ...['--data-dir', dataDir, '--listen-addr', flags.listenAddr],
      ...['--metrics-listen-addr', flags.metricsListenAddr],
    ]);
    const view = { rate: flags.rate, eventsMax: flags.events ?? Number.POSITIVE_INFINITY };
    const show = process.stdout.isTTY ? showOnTerminal : writeJson;
    if (started !== undefined) await show({ ...started, ...view }, stop.signal);
  } finally {
    stop.abort();
    await processes.stop();
    await rm(dataDir, { recursive: true, force: true });
    setTimeout(() => process.exit(), lingerMsMax).unref();
  }
  if (processes.failure !== undefined) throw processes.failure;
}
