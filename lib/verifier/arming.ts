// Whether what is refuted is dropped, and keys are waited for: only while nearly all commits can be checked. Else the directory is down, or
// the keys of most accounts are not known yet, and waiting would hold up the network for what is said of none of it.

import { type Reason, verdictOf } from '../event/verdict.ts';

/** Commits that are looked at together. */
const windowCommits = 1_024;
/** So many windows in a row, with so few unchecked in each, arm; one with more than that disarms. */
const armingWindows = 4;
const armingUncheckedMax = windowCommits / 100;
const armedUncheckedMax = windowCommits / 20;

/** Unchecked for what the commit is, and not for want of anything of ours. */
const ofCommits: ReadonlySet<Reason> = new Set(['not_asked', 'repeat', 'unreadable', 'odd_commit', 'no_key']);

/** See the file comment. */
export class Arming {
  #isArmed = false;
  #commits = 0;
  #unchecked = 0;
  #goodWindows = 0;

  get isArmed(): boolean {
    return this.#isArmed;
  }

  /** A commit was answered so. */
  note(reason: Reason): void {
    if (verdictOf(reason) === 'unchecked' && !ofCommits.has(reason)) this.#unchecked++;
    if (++this.#commits < windowCommits) return;
    const isGood = this.#unchecked <= armingUncheckedMax;
    this.#goodWindows = isGood ? this.#goodWindows + 1 : 0;
    if (this.#isArmed) this.#isArmed = this.#unchecked <= armedUncheckedMax;
    else this.#isArmed = this.#goodWindows >= armingWindows;
    this.#commits = this.#unchecked = 0;
  }
}
