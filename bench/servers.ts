// The servers of a benchmark, each a process of its own: the simulated relay, our daemon and the baseline, the last two
// behind one interface. It starts them and reads their counters; what a figure makes of it is the figure's.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { officialDictionaryPath } from '../lib/codec/official-dictionary.ts';
import type { LocalProcess } from './local-process.ts';
import { Process } from './processes.ts';
import type { RelayFrames } from './relay-frames.ts';

const pollMs = 100;
const ingestMsMax = 30 * 60_000;
const daemon = 'cmd/slipstream.ts';
const builtDaemon = 'dist/cmd/slipstream.js';
/** A benchmark comes from one address and wants everything; only the flags that the daemon has are given. */
const noLimits: Readonly<Record<string, string>> = {
  '--max-subscribers-per-address': '0',
  '--max-sub-rate': '0',
};

/** What a relay does. */
export interface RelayOptions {
  /** Frames a second, from the start on; Infinity: as many as are taken. */
  readonly rate?: number;
  /** Frames that are there at the start. */
  readonly backlog?: number;
  /** Default: a free one. */
  readonly port?: number;
}

/** A running relay. It ends when disposed of. */
export class Relay implements AsyncDisposable {
  readonly url: string;
  readonly #process: Process;
  readonly #frames: RelayFrames;

  private constructor(url: string, process: Process, frames: RelayFrames) {
    this.url = url;
    this.#process = process;
    this.#frames = frames;
  }

  static async start(frames: RelayFrames, options: RelayOptions): Promise<Relay> {
    const { rate = 0, backlog = 0, port = 0 } = options;
    const process = Process.start('bench/relay.ts', [
      ...['--frames-file', frames.path, '--port', String(port)],
      ...['--rate', String(rate), '--backlog', String(backlog)],
    ]);
    const url = await process.take((line) => /^relay listening (\S+)$/.exec(line)?.[1]);
    return new Relay(url, process, frames);
  }

  /** Frames a second from now on; Infinity: as many as are taken. */
  async setRate(rate: number): Promise<void> {
    await this.#ask(`rate ${rate}`);
  }

  /** Publishes so many frames at once. */
  async publish(frames: number): Promise<void> {
    await this.#ask(`publish ${frames}`);
  }

  /** Events of the frames that have been published so far. */
  async publishedEvents(): Promise<number> {
    return this.#frames.eventsOf(await this.#ask('head'));
  }

  #ask(line: string): Promise<number> {
    this.#process.say(line);
    return this.#process.take((answer) => {
      const head = /^head (\d+)$/.exec(answer)?.[1];
      return head === undefined ? undefined : Number(head);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process.stop();
  }
}

/** What load is put on: it listens, and its process can be measured where that is known. */
export interface Target extends AsyncDisposable {
  /** `ws://…/subscribe`. */
  readonly url: string;
  readonly process: LocalProcess | undefined;
}

/** The same server, where it speaks the second wire. */
export function onSecondWire({ url, process }: Target): Target {
  const second = url.replace('/subscribe', '/xrpc/network.bsky.jetstream.subscribeEvents');
  return { url: second, process, [Symbol.asyncDispose]: async () => {} };
}

/** Our daemon with one of its compressors, or the plain server that it is compared with. */
export type ServerKind = 'node' | 'wasm' | 'baseline';

/** What a server is started with. */
export interface ServerOptions {
  readonly relay: Relay;
  readonly dataDir: string;
  /** Sequence at the relay to start after; live, or after what the log has, without. */
  readonly cursor?: number;
  /** Further flags of our daemon. */
  readonly flags?: readonly string[];
  /** What ours does in a cluster, when that is not everything. */
  readonly command?: 'serve' | undefined;
  /** Ours as {@link buildDaemon} made it, and not its sources. */
  readonly isBuilt?: boolean;
  /** A file that ours finds as the dictionary of Jetstream v1. */
  readonly dictionary?: string | undefined;
}

/** Makes our daemon as the package has it. @throws when that fails. */
export function buildDaemon(): void {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { status } = spawnSync('npm', ['run', '-s', 'build'], {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error('the daemon cannot be built');
}

/** The names of our daemon's flags, with their dashes. */
export function daemonFlagNames(isBuilt: boolean): ReadonlySet<string> {
  const path = fileURLToPath(new URL(`../${isBuilt ? builtDaemon : daemon}`, import.meta.url));
  const { stdout } = spawnSync(process.execPath, [path, '--help'], { encoding: 'utf8' });
  return new Set(Array.from(stdout.matchAll(/^ +(--[a-z-]+)/gm), ([, name]) => name));
}

/** Flags that take the limits on subscribers off, of those that the daemon has. */
export function unlimitedFlags(names: ReadonlySet<string>): string[] {
  return Object.entries(noLimits).flatMap(([name, value]) => (names.has(name) ? [name, value] : []));
}

/** A running server. */
export class Server implements Target {
  readonly process: Process;
  readonly url: string;
  readonly #metricsUrl: string;

  private constructor(process: Process, address: string, metricsAddress: string) {
    this.process = process;
    this.url = `ws://${address}/subscribe`;
    this.#metricsUrl = `http://${metricsAddress}/metrics`;
  }

  /** Resolves when it listens, right before it connects to the relay. */
  static start(kind: ServerKind, options: ServerOptions): Promise<Server> {
    return kind === 'baseline' ? Server.#startBaseline(options) : Server.#startOurs(kind, options);
  }

  static async #startOurs(
    compressor: ServerKind,
    { relay, dataDir, cursor, command, isBuilt = false, dictionary, flags = [] }: ServerOptions,
  ): Promise<Server> {
    if (dictionary !== undefined) {
      const path = officialDictionaryPath(dataDir);
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(dictionary, path);
    }
    const process = Process.start(isBuilt ? builtDaemon : daemon, [
      ...(command === undefined ? [] : [command]),
      ...['--ws-url', relay.url, '--data-dir', dataDir, '--compressor', compressor, '--log-format', 'json'],
      ...['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'],
      ...(cursor === undefined ? [] : ['--override-relay-cursor', String(cursor)]),
      ...flags,
    ]);
    const started = await process.take((line) => {
      const entry = JSON.parse(line);
      return entry.msg === 'started' ? (entry as { listen: string; metrics: string }) : undefined;
    });
    return new Server(process, started.listen, started.metrics);
  }

  static async #startBaseline({ relay, dataDir, cursor }: ServerOptions): Promise<Server> {
    const process = Process.start('bench/baseline-server.ts', [
      ...['--ws-url', relay.url, '--data-dir', dataDir],
      ...(cursor === undefined ? [] : ['--cursor', String(cursor)]),
    ]);
    const address = await process.take((line) => /^baseline listening (\S+)$/.exec(line)?.[1]);
    return new Server(process, address, address);
  }

  /** A metric without labels, `slipstream_` left out; NaN when there is none of that name. */
  async metric(name: string): Promise<number> {
    const response = await fetch(this.#metricsUrl).catch((cause) => {
      throw new Error(`${this.#metricsUrl} does not answer: has the server ended?`, { cause });
    });
    const text = await response.text();
    const value = new RegExp(`^(?:slipstream_)?${name} (\\S+)$`, 'm').exec(text)?.[1];
    return Number(value ?? Number.NaN);
  }

  /** Resolves when that many events are stored, to {@link pollMs}. @throws when that takes too long. */
  async stored(events: number): Promise<void> {
    const late = performance.now() + ingestMsMax;
    for (;;) {
      const stored = await this.metric('log_stored_events');
      if (stored >= events) return;
      if (performance.now() > late) throw new Error(`${stored} of ${events} events after ${ingestMsMax} ms`);
      await delay(pollMs);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process.stop();
  }
}
