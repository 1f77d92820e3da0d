// One run of the benchmark: what was asked for, the order in which two sides take turns, and the frames that several
// figures share. Figures get it from run.ts; it knows none of them.

import { TemporaryDirectory } from './processes.ts';
import { RelayFrames } from './relay-frames.ts';
import type { Measured, Sample } from './report.ts';

/** What the command line asks for. */
export interface SessionOptions {
  readonly rounds: number;
  /** Small enough for a check that the benchmark works; the numbers mean little. */
  readonly quick: boolean;
  /** Events of a figure's log, in place of the figure's own number. */
  readonly events: number | undefined;
}

const usualFrames = 2000;
const quickFrames = 300;

/** See the file comment. */
export class Session {
  readonly quick: boolean;
  /** What readers of the numbers should know. */
  readonly notes: string[] = [];
  readonly #options: SessionOptions;
  readonly progress: (text: string) => void;
  #frames: Promise<RelayFrames> | undefined;

  /** @param progress told what is being measured. */
  constructor(options: SessionOptions, progress: (text: string) => void) {
    this.#options = options;
    this.quick = options.quick;
    this.progress = progress;
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

  /** Measures both sides in turn, ours first, as often as asked for. */
  async alternate(
    name: string,
    ours: () => Promise<Sample>,
    baseline: (() => Promise<Sample>) | undefined,
  ): Promise<Measured> {
    const measured = { ours: [] as Sample[], baseline: [] as Sample[] };
    for (let round = 1; round <= this.#options.rounds; round++) {
      this.progress(`${name}, round ${round} of ${this.#options.rounds}`);
      measured.ours.push(await ours());
      if (baseline !== undefined) measured.baseline.push(await baseline());
    }
    return measured;
  }
}
