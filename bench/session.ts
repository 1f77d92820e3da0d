// One run of the benchmark: what was asked for, the order in which the sides take turns, how servers are started, and the
// frames that several figures share. Figures get it from run.ts; it knows none of them.

import { Peer, type PeerOptions } from './peer.ts';
import { TemporaryDirectory } from './processes.ts';
import { RelayFrames } from './relay-frames.ts';
import type { Rounds } from './report.ts';
import { daemonFlagNames, Server, type ServerKind, type ServerOptions, unlimitedFlags } from './servers.ts';

/** What the command line asks for. */
export interface SessionOptions {
  readonly rounds: number;
  /** Small enough for a check that the benchmark works; the numbers mean little. */
  readonly quick: boolean;
  /** Events of a figure's log, in place of the figure's own number. */
  readonly events: number | undefined;
  /** Fan-out workers of our daemon; its default without. */
  readonly workers: number | undefined;
  /** Our daemon as the package has it, and not as a clone runs it. */
  readonly isBuilt: boolean;
  /** A file that our daemon has as the dictionary of Jetstream v1. */
  readonly dictionary: string | undefined;
}

/** A kind of server, or the peer. */
export type SideKind = ServerKind | 'peer';

const usualFrames = 2000;
const quickFrames = 300;

/** See the file comment. */
export class Session {
  readonly quick: boolean;
  /** Another server that takes part in live figures and in replays from memory. */
  peer: Peer | undefined;
  /** What readers of the numbers should know. */
  readonly notes: string[] = [];
  readonly #options: SessionOptions;
  readonly progress: (text: string) => void;
  readonly #daemonFlags: ReadonlySet<string>;
  #frames: Promise<RelayFrames> | undefined;

  /** @param progress told what is being measured. */
  constructor(options: SessionOptions, progress: (text: string) => void) {
    this.#options = options;
    if (options.workers !== undefined)
      this.note(`ours: ${options.workers} workers, unless a row says otherwise`);
    this.quick = options.quick;
    this.progress = progress;
    this.#daemonFlags = daemonFlagNames(options.isBuilt);
    this.note(options.isBuilt ? 'ours: built, as the package is' : 'ours: the sources, as in a clone');
    if (options.dictionary !== undefined) this.note('ours: with the dictionary of Jetstream v1');
  }

  /** Waits for a peer, which takes part from then on. */
  async meet(options: PeerOptions): Promise<void> {
    this.peer = await Peer.meet(options, await this.frames(), this.progress);
    this.note(`peer: ${this.peer.url}`);
    if (!this.peer.readsOurs) {
      this.note(
        'peer: it reads a relay of its own, so its rate is not that of the row, and ratios mean little',
      );
    }
  }

  /** Whether our daemon can be told how many workers it has. */
  get hasWorkers(): boolean {
    return this.#daemonFlags.has('--workers');
  }

  /** Starts a server; ours without limits on subscribers, and with the workers that were asked for. */
  start(
    kind: ServerKind,
    options: ServerOptions & { readonly workers?: number; readonly more?: readonly string[] },
  ): Promise<Server> {
    const workers = options.workers ?? this.#options.workers;
    const flags = [...unlimitedFlags(this.#daemonFlags), ...(options.more ?? [])];
    if (workers !== undefined) flags.push('--workers', String(workers));
    const { isBuilt, dictionary } = this.#options;
    return Server.start(kind, { ...options, flags, isBuilt, dictionary });
  }

  /** How many events a figure works on. */
  events(usual: number, quick: number): number {
    return this.#options.events ?? (this.quick ? quick : usual);
  }

  note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }

  /** Frames like the network's, made on first use. */
  frames(): Promise<RelayFrames> {
    this.#frames ??= this.makeFrames({ frames: this.quick ? quickFrames : usualFrames });
    return this.#frames;
  }

  /** Frames of a figure's own, in a file that is removed at the end. */
  async makeFrames(options: Parameters<typeof RelayFrames.make>[1]): Promise<RelayFrames> {
    this.progress(`making ${options.frames} frames`);
    return RelayFrames.make((await TemporaryDirectory.make()).path, options);
  }

  /** Measures all sides in turn, ours first, as often as asked for. */
  async alternate<Result>(
    name: string,
    ours: () => Promise<Result>,
    baseline?: () => Promise<Result>,
    peer?: () => Promise<Result>,
  ): Promise<Rounds<Result>> {
    const rounds = { ours: [] as Result[], baseline: [] as Result[], peer: [] as Result[] };
    for (let round = 1; round <= this.#options.rounds; round++) {
      this.progress(`${name}, round ${round} of ${this.#options.rounds}`);
      rounds.ours.push(await ours());
      if (baseline !== undefined) rounds.baseline.push(await baseline());
      if (peer !== undefined) rounds.peer.push(await peer());
    }
    return rounds;
  }

  /** As {@link alternate}, for a measurement that is the same for every side; the peer takes part if there is one. */
  eachSide<Result>(name: string, measure: (kind: SideKind) => Promise<Result>): Promise<Rounds<Result>> {
    const peer = this.peer && (() => measure('peer'));
    return this.alternate(
      name,
      () => measure('node'),
      () => measure('baseline'),
      peer,
    );
  }
}
