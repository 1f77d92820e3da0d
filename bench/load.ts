// Load on a server: the load client's processes as figures see them, and what they and the server took meanwhile.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LatencyResult } from './latency-probe.ts';
import type { LoadResult } from './load-client.ts';
import { Process, TemporaryDirectory } from './processes.ts';
import type { Sample } from './report.ts';
import type { Target } from './servers.ts';

const openMsMax = 180_000;
const replayMsMax = 10 * 60_000;
/** On top of what was to be counted: a process that has no processor answers late. */
const lateMsMax = 120_000;

/** Who subscribes. */
export interface CrowdOptions {
  /** Subscriptions, all with the same query. */
  readonly connections?: number;
  readonly query?: string;
  /** Instead: the query of each subscription. */
  readonly queries?: readonly string[];
  /** They read nothing once the server has agreed. */
  readonly stalled?: boolean;
  /** Each connects anew when it has had that many events. */
  readonly againAfter?: number;
}

/** Clients in a process of their own. They are connected when it is made, and go when it is disposed of. */
export class LoadClient<Result> implements AsyncDisposable {
  readonly #process: Process;
  readonly #directory: TemporaryDirectory | undefined;

  private constructor(process: Process, directory: TemporaryDirectory | undefined) {
    this.#process = process;
    this.#directory = directory;
  }

  /** Many subscriptions, counted. */
  static async crowd(target: Target, options: CrowdOptions): Promise<LoadClient<LoadResult>> {
    const { connections = 1, query = '', queries, stalled = false, againAfter } = options;
    const directory = queries && (await TemporaryDirectory.make());
    const path = directory && join(directory.path, 'queries');
    if (path !== undefined) writeFileSync(path, (queries as readonly string[]).join('\n'));
    const process = Process.start('bench/load-client.ts', [
      ...['--url', `${target.url}?${query}`, '--connections', String(connections)],
      ...(path === undefined ? [] : ['--queries-file', path]),
      ...(stalled ? ['--stalled'] : []),
      ...(againAfter === undefined ? [] : ['--again-after', String(againAfter)]),
    ]);
    return new LoadClient<LoadResult>(process, directory).#opened();
  }

  /** One subscription without a filter, whose events are measured for how late they come. */
  static probe(target: Target): Promise<LoadClient<LatencyResult>> {
    const process = Process.start('bench/load-client.ts', ['--url', target.url, '--latency']);
    return new LoadClient<LatencyResult>(process, undefined).#opened();
  }

  /** A crowd, and a probe beside it. */
  static async crowdAndProbe(target: Target, options: CrowdOptions): Promise<CrowdAndProbe> {
    const [crowd, probe] = await Promise.all([LoadClient.crowd(target, options), LoadClient.probe(target)]);
    const dispose = async (): Promise<void> => {
      await Promise.all([crowd[Symbol.asyncDispose](), probe[Symbol.asyncDispose]()]);
    };
    return { crowd, probe, [Symbol.asyncDispose]: dispose };
  }

  async #opened(): Promise<this> {
    try {
      await this.#process.take((line) => (line === 'open' ? line : undefined), openMsMax);
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What comes within `seconds` from now. */
  count(seconds: number): Promise<Result> {
    this.#process.say(`count ${seconds}`);
    return this.#process.json(seconds * 1000 + lateMsMax);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
    await this.#directory?.[Symbol.asyncDispose]();
  }
}

/** Two processes that come and go together. */
export interface CrowdAndProbe extends AsyncDisposable {
  readonly crowd: LoadClient<LoadResult>;
  readonly probe: LoadClient<LatencyResult>;
}

/** What clients received, and what the server took for it. */
export interface Load extends LoadResult {
  /** Processor time of the server; undefined when its process is not known. */
  readonly cpuSeconds: number | undefined;
  /** Of the server, since its start. */
  readonly peakRssBytes: number | undefined;
}

/** Runs `work`, at the end of which clients have received what it returns, and measures the server before and after. */
export async function loadOf({ process }: Target, work: () => Promise<LoadResult>): Promise<Load> {
  const cpuBefore = process?.cpuSeconds() ?? 0;
  const result = await work();
  return {
    ...result,
    cpuSeconds: process && process.cpuSeconds() - cpuBefore,
    peakRssBytes: process?.peakRssBytes(),
  };
}

/** A sample with the cost of a load. @param value null: there is none. */
export function sampleOf(load: Load, value: number | null): Sample {
  const { messages, bytes, cpuSeconds, peakRssBytes, coreShare } = load;
  return {
    value: value ?? Number.NaN,
    events: messages,
    bytes,
    ...(coreShare > 0 && { loadCoreShare: coreShare }),
    ...(cpuSeconds !== undefined && messages > 0 && { cpuUsPerEvent: (cpuSeconds * 1e6) / messages }),
    ...(peakRssBytes !== undefined && { peakRssBytes }),
  };
}

/** Messages a second, over all clients. */
export function rateOf({ messages, seconds }: LoadResult): number {
  return messages / seconds;
}

/** Has `readers` read `messages` events from a server, `repeat` times one after the other, and ends with the last one. */
export function replay(
  target: Target,
  query: string,
  messages: number,
  repeat: number,
  readers = 1,
): Promise<Load> {
  return loadOf(target, async () => {
    await using client = Process.start('bench/load-client.ts', [
      ...['--url', `${target.url}?${query}`, '--messages', String(messages), '--repeat', String(repeat)],
      ...['--connections', String(readers)],
    ]);
    return await client.json<LoadResult>(replayMsMax);
  });
}
