// The servers of a benchmark, each a process of its own: the simulated relay, our daemon and the baseline, the last two
// behind one interface. It starts them, reads their counters and runs the load client against them; what a figure
// makes of it is the figure's.

import { setTimeout as delay } from 'node:timers/promises';
import type { LoadResult } from './load-client.ts';
import { Process } from './processes.ts';
import type { RelayFrames } from './relay-frames.ts';

const pollMs = 100;
const ingestMsMax = 30 * 60_000;
const replayMsMax = 10 * 60_000;

/** What a relay does. */
export interface RelayOptions {
  /** Frames a second, from the start on. */
  readonly rate?: number;
  /** Frames that are there at the start. */
  readonly backlog?: number;
}

/** A running relay. */
export interface Relay extends AsyncDisposable {
  readonly url: string;
}

/** Starts a relay. It ends when disposed of. */
export async function startRelay(
  frames: RelayFrames,
  { rate = 0, backlog = 0 }: RelayOptions,
): Promise<Relay> {
  const flags = ['--frames-file', frames.path, '--pool', String(frames.pool.size)];
  const process = Process.start('cmd/relay-sim.ts', [
    ...flags,
    '--rate',
    String(rate),
    '--backlog',
    String(backlog),
  ]);
  const url = await process.take((line) => /^relay-sim listening (\S+)$/.exec(line)?.[1]);
  return { url, [Symbol.asyncDispose]: () => process.stop() };
}

/** Our daemon with one of its compressors, or the plain server that it is compared with. */
export type ServerKind = 'native' | 'wasm' | 'baseline';

/** What a server is started with. */
export interface ServerOptions {
  readonly relay: Relay;
  readonly dataDir: string;
  /** Sequence at the relay to start after; live, or after what the log has, without. */
  readonly cursor?: number;
}

/** A running server. */
export class Server implements AsyncDisposable {
  readonly process: Process;
  /** `ws://…/subscribe`. */
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
    { relay, dataDir, cursor }: ServerOptions,
  ): Promise<Server> {
    const process = Process.start('cmd/slipstream.ts', [
      ...['--ws-url', relay.url, '--data-dir', dataDir, '--compressor', compressor, '--log-format', 'json'],
      ...['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'],
      ...(cursor === undefined ? [] : ['--override-relay-cursor', String(cursor)]),
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

  /** A metric without labels; NaN when there is none of that name. */
  async metric(name: string): Promise<number> {
    const response = await fetch(this.#metricsUrl).catch((cause) => {
      throw new Error(`${this.#metricsUrl} does not answer: has the server ended?`, { cause });
    });
    const text = await response.text();
    const value = new RegExp(`^slipstream_${name} (\\S+)$`, 'm').exec(text)?.[1];
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

/** One run of the load client that ends with the last event. */
export interface Replay extends LoadResult {
  /** Of the server, meanwhile. */
  readonly cpuSeconds: number;
}

/** Replays a server's log to one client, `repeat` times one after the other. @param messages that come each time. */
export async function replay(
  server: Server,
  query: string,
  messages: number,
  repeat: number,
): Promise<Replay> {
  const before = server.process.cpuSeconds();
  await using client = Process.start('bench/load-client.ts', [
    ...['--url', `${server.url}?${query}`, '--messages', String(messages), '--repeat', String(repeat)],
  ]);
  const result = await client.json<LoadResult>(replayMsMax);
  return { ...result, cpuSeconds: server.process.cpuSeconds() - before };
}
