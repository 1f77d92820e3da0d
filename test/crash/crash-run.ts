// One data directory through many lives of the daemon: a relay under load on one side, live subscribers on the other,
// and at the end the comparison of what the log holds with what the relay had and the subscribers saw.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Daemon, type DaemonOptions, type Exit } from './daemon.ts';
import { type Delivery, DeliveryCheck } from './delivery-check.ts';
import { LiveSubscriber } from './live-subscriber.ts';
import { compareReplays } from './log-comparison.ts';
import { ObservedRelay } from './observed-relay.ts';
import { until } from './until.ts';

/** Longest wait for the daemon to take what the relay has, and to end. */
const catchUpMsMax = 240_000;
/** A round and more of the pool: every topic occurs among the events that follow a replay. */
const lastFrames = 1500;

/** What a run is about. */
export interface CrashRunOptions {
  readonly seed: string;
  /** Frames that the relay can go back. */
  readonly backlogFrames?: number;
  /** What live subscribers are promised. */
  readonly live?: Delivery;
  readonly flags?: readonly string[];
}

/** How a daemon is started within a run. */
export type LifeOptions = Pick<DaemonOptions, 'flags' | 'preloads' | 'env'>;

/** See the file comment. */
export class CrashRun {
  readonly seed: string;
  readonly relay: ObservedRelay;
  readonly dataDir: string;
  readonly subscribers: readonly LiveSubscriber[];
  /** What happened last, for the message of a failure. */
  moment = 'the start';
  lives = 0;
  daemon: Daemon | undefined;
  /** The daemon may meet errors, and end by them. */
  errorsExpected = false;
  readonly #live: Delivery;
  readonly #flags: readonly string[];
  readonly #startedAtMs = performance.now();
  #following: Promise<unknown> = Promise.resolve();

  private constructor(options: CrashRunOptions, relay: ObservedRelay, dataDir: string) {
    this.seed = options.seed;
    this.relay = relay;
    this.dataDir = dataDir;
    this.#live = options.live ?? 'exactly once';
    this.#flags = options.flags ?? [];
    this.subscribers = [false, true].map((compressed) => {
      const check = new DeliveryCheck(relay.history, this.#live);
      return new LiveSubscriber(compressed ? 'live, compressed' : 'live', check, compressed);
    });
  }

  /** A relay that publishes nothing yet, an empty data directory, no daemon. */
  static async begin(options: CrashRunOptions): Promise<CrashRun> {
    const relay = await ObservedRelay.listen(options.seed, options.backlogFrames);
    return new CrashRun(options, relay, await mkdtemp(join(tmpdir(), 'slipstream-crash-')));
  }

  /** Starts the next life. Subscribers follow once it listens. */
  start(options: LifeOptions = {}): Daemon {
    const { dataDir } = this;
    const flags = [...this.#flags, ...(options.flags ?? [])];
    const daemon = new Daemon({ ...options, flags, dataDir, relayUrl: this.relay.url });
    this.lives++;
    this.daemon = daemon;
    this.#following = daemon.started.then(async (address) => {
      if (address !== undefined) await Promise.all(this.subscribers.map((one) => one.follow(address)));
    });
    return daemon;
  }

  /** Starts a life and waits until it reads from the relay. */
  async connect(options: LifeOptions = {}): Promise<Daemon> {
    const { server } = this.relay;
    const before = server.accepted;
    const daemon = this.start(options);
    await this.until(() => server.accepted > before && server.connections > 0, 'the daemon connects');
    await this.#following;
    return daemon;
  }

  /** Kills the daemon and reads what it sent. */
  async kill(): Promise<void> {
    await this.daemon?.kill();
    await this.settle();
  }

  /** Waits for the daemon to end by itself or by a kill, then reads what it sent. */
  async ended(): Promise<Exit> {
    const daemon = this.daemon as Daemon;
    daemon.endExpected = true;
    await this.until(() => daemon.exit !== undefined, 'the daemon ends');
    await this.settle();
    return daemon.exit as Exit;
  }

  /** Stops the daemon as an operator does. */
  async stop(): Promise<void> {
    const { code, signal } = await (this.daemon as Daemon).stop();
    await this.settle();
    if (code !== 0) throw this.#failure(`the stop ended with ${code ?? signal}`);
  }

  /** Everything that the last daemon sent has been judged. */
  async settle(): Promise<void> {
    await this.#following;
    await Promise.all(this.subscribers.map((one) => one.settled()));
    this.check();
  }

  /** @throws when anything is wrong so far. */
  check(): void {
    const daemon = this.errorsExpected ? undefined : this.daemon;
    if (daemon?.exit !== undefined && !daemon.endExpected) {
      throw this.#failure(`the daemon ended with ${daemon.exit.code ?? daemon.exit.signal}`);
    }
    const error = daemon?.lines.find((line) => line.includes('"level":"error"'));
    if (error !== undefined) throw this.#failure('the daemon met an error');
    for (const { name, check } of this.subscribers) {
      if (check.failure !== undefined) throw this.#failure(`${name}: ${check.failure}`);
    }
  }

  /** Waits for a condition, and checks all the while. */
  async until(isTrue: () => boolean, what: string): Promise<void> {
    const isTrueAndRight = (): boolean => {
      this.check();
      return isTrue();
    };
    await until(isTrueAndRight, catchUpMsMax, () => this.#failure(`waited for: ${what}`).message);
  }

  /** Waits until the live subscribers have everything that the relay made available. */
  async caughtUp(): Promise<void> {
    // Asked again each time: a daemon that has yet to connect may come too late for some frames.
    const isThere = (): boolean => {
      this.relay.noteEnd();
      return this.subscribers.every(({ check }) => check.hasAll());
    };
    await this.until(isThere, 'all events of the relay');
  }

  /**
   * Ends the run: stops the daemon once it has caught up, starts it again, reads its whole log in several ways and
   * compares. Returns a line of figures.
   * @param log whether it still has its first event.
   */
  async finish(log: 'whole' | 'trimmed' = 'whole'): Promise<string> {
    const { relay } = this;
    this.moment = 'the final comparison';
    relay.server.setRate(0);
    if (this.daemon === undefined || this.daemon.exit !== undefined) this.start();
    await this.caughtUp();
    await this.stop();
    const address = await (await this.connect()).started;
    await compareReplays(this, address as string, log, this.#live, () => relay.server.publish(lastFrames));
    await this.stop();
    const events = relay.expectedEvents;
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    return `${this.lives} lives, ${events} events, ${Math.round(events / seconds)}/s, ${seconds.toFixed(1)} s, seed ${this.seed}`;
  }

  /** Leaves nothing behind; the data directory stays when `CRASH_KEEP` is set. */
  async end(): Promise<void> {
    await this.daemon?.kill();
    await this.relay.server.close();
    if (process.env.CRASH_KEEP === undefined) await rm(this.dataDir, { recursive: true });
  }

  fail(what: string): never {
    throw this.#failure(what);
  }

  #failure(what: string): Error {
    const { seed, lives, moment } = this;
    const events = this.subscribers.map(({ check }) => check.events).join(' and ');
    const lines = (this.daemon?.lines ?? []).slice(-8).join('\n');
    return new Error(
      `${what}\n  in life ${lives}, at ${moment}; CRASH_SEED=${seed}\n  ${events} events live, of ${this.relay.expectedEvents}\n  the daemon's log:\n${lines}`,
    );
  }
}
