// What is attacked: the daemon as a process, fed by a relay and watched by two subscribers in another. `under` runs an
// attack and holds the daemon to its promises: every event comes, in time, and memory stays within a bound.

import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { Daemon, type DaemonOptions } from '../crash/daemon.ts';
import type { Report } from './network-process.ts';

/** Least events a second that the subscribers have to see meanwhile; the relay's frames make some 800. */
const eventsPerSecondMin = 250;
/**
 * How late an event may be at worst, beside the time for which who makes, serves and reads it waited for a core: a daemon that hangs
 * is later. What was seen on a machine of its own is 0.2 to 1.3 s.
 */
const lagMsMax = 10_000;
/** How long a new subscriber may wait to be let in meanwhile: the same. */
const handshakeMsMax = 10_000;
/** The daemon cuts a stop off after ten seconds. */
const stopMsMax = 40_000;
/** An attack begins when nothing is later than this any more of what the one before has left, or after a while. */
const restedLagMs = 1_000;
const restMsMax = 20_000;
/**
 * What the youngest objects of two threads may take, three parts of 8 MiB each, whatever is done to the daemon: how full they are when an
 * attack begins is chance, and on a busy machine they are collected later.
 */
const youngBytesMax = 2 * 3 * 8 * 2 ** 20;
/** Shortest time that is measured. */
const measureMsMin = 300;

/** What a daemon may have. */
interface Means extends Pick<DaemonOptions, 'openFiles' | 'env' | 'preloads'> {
  /** Makes a log for it to begin with. */
  readonly prepare?: (dataDir: string) => Promise<unknown>;
}

/** See the file comment. */
export class Target implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly port: number;
  readonly #network: ChildProcess;
  readonly dataDir: string;

  private constructor(daemon: Daemon, address: string, network: ChildProcess, dataDir: string) {
    this.daemon = daemon;
    this.port = Number(new URL(address).port);
    this.#network = network;
    this.dataDir = dataDir;
  }

  /** @param means of the daemon, if it is to have other than usual. */
  static async start(flags: readonly string[], { prepare, ...means }: Means = {}): Promise<Target> {
    const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-safety-'));
    await prepare?.(dataDir);
    const network = fork(resolve(import.meta.dirname, 'network-process.ts'));
    const relayUrl = await answer<string>(network);
    const daemon = new Daemon({ dataDir, relayUrl, flags, ...means });
    const address = await daemon.started;
    if (address === undefined) throw new Error(`the daemon did not start: ${daemon.lines.join('\n')}`);
    // A log that is there already has what no relay had: who watches begins behind it.
    network.send({ subscribe: `${address}/subscribe?${prepare === undefined ? 'cursor=0&' : ''}` });
    const target = new Target(daemon, address, network, dataDir);
    // Everything has run once before memory is measured.
    await sleep(500);
    await target.#report();
    return target;
  }

  /** Runs an attack. @param memoryBytesMax how much more memory it may cost at any moment, beside what is young. */
  async under(memoryBytesMax: number, attack: () => Promise<void>): Promise<void> {
    const startLagMs = await this.#rested();
    const before = residentBytes(this.daemon.pid);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentBytes(this.daemon.pid));
    }, 20);
    const startMs = performance.now();
    const waitedBeforeMs = this.#waitedMs();
    try {
      await attack();
      await sleep(Math.max(0, measureMsMin - (performance.now() - startMs)));
    } finally {
      clearInterval(watch);
      expect(this.daemon.exit, this.daemon.lines.join('\n')).toBeUndefined();
    }
    const seconds = (performance.now() - startMs) / 1000;
    const waitedMs = this.#waitedMs() - waitedBeforeMs;
    const { events, worstLagMs, problem } = await this.#report();
    const grown = Math.round((most - before) / 2 ** 20);
    const figures = `${events} events in ${seconds.toFixed(1)} s, at most ${Math.round(worstLagMs)} ms late, of that at most ${Math.round(waitedMs)} for want of a core, ${grown} of ${memoryBytesMax / 2 ** 20} MiB more`;
    if (process.env.SAFETY_FIGURES) console.log(`${expect.getState().currentTestName}: ${figures}`);
    expect(problem).toBeUndefined();
    expect(events, figures).toBeGreaterThanOrEqual(eventsPerSecondMin * (seconds - waitedMs / 1000));
    expect(worstLagMs, figures).toBeLessThan(lagMsMax + startLagMs + waitedMs);
    expect(most - before, figures).toBeLessThan(memoryBytesMax + youngBytesMax);
  }

  /** That a new subscriber, who is let in by `handshake`, does not wait for long. */
  admits(handshake: () => Promise<unknown>): Promise<void> {
    return admitsInTime([this.daemon.pid, this.#network.pid], handshake);
  }

  /** Stops everything; every event of the relay has to have come, and the daemon ends as it should. */
  async finish(): Promise<void> {
    const finished = answer<Report>(this.#network);
    this.#network.send('finish');
    expect((await finished).problem).toBeUndefined();
    const stopped = Promise.race([this.daemon.stop(), sleep(stopMsMax, 'does not end', { ref: false })]);
    expect(await stopped, this.daemon.lines.join('\n')).toEqual({ code: 0, signal: null });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#network.kill('SIGKILL');
    await this.daemon.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** How late events are then. */
  async #rested(): Promise<number> {
    let lagMs = 0;
    for (const endMs = performance.now() + restMsMax; performance.now() < endMs; await sleep(100)) {
      const { events, worstLagMs } = await this.#report();
      if (events === 0) continue;
      lagMs = worstLagMs;
      if (lagMs < restedLagMs) break;
    }
    return lagMs;
  }

  /** For how long the daemon, who feeds it and who watches it have waited for a core so far, and this process. */
  #waitedMs(): number {
    return (
      waitedForCoreMs(this.daemon.pid) + waitedForCoreMs(this.#network.pid) + waitedForCoreMs(process.pid)
    );
  }

  #report(): Promise<Report> {
    const reported = answer<Report>(this.#network);
    this.#network.send('report');
    return reported;
  }
}

/** The same where there is no target. @param pids of those whom it needs, beside this process. */
export async function admitsInTime(
  pids: readonly (number | undefined)[],
  handshake: () => Promise<unknown>,
): Promise<void> {
  const waitedMs = (): number =>
    [process.pid, ...pids].reduce<number>((sum, pid) => sum + waitedForCoreMs(pid), 0);
  const [startMs, waitedBeforeMs] = [performance.now(), waitedMs()];
  await handshake();
  const tookMs = performance.now() - startMs;
  expect(tookMs).toBeLessThan(handshakeMsMax + waitedMs() - waitedBeforeMs);
}

/** For how long the threads of a process could have gone on and had no core; 0 where the system does not tell. */
function waitedForCoreMs(pid: number | undefined): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
      const [, waitedNs] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ');
      return sum + Number(waitedNs) / 1e6;
    }, 0);
  } catch {
    return 0;
  }
}

/** Resident memory of a process without mapped files; 0 where the system does not tell. */
export function residentBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((done) => child.once('message', (message) => done(message as T)));
}
