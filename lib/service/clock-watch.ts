// Tells of large steps of the wall clock: a line of the log with both times, and a row of the coverage ledger once there
// is somebody to take it. What is followed, and when, is lib/event/trusted-time.ts.

import type { CoverageFinding } from '../event/coverage.ts';
import { believedAfterMs, type ClockFinding } from '../event/trusted-time.ts';
import type { Logger } from '../logger.ts';

/** Shortest time between two rows: a clock that is set every second is one trouble. */
const rowIntervalMs = 60_000;

const texts: Readonly<Record<ClockFinding['what'], string>> = {
  stepped:
    'the clock of this machine was set by a large step, or is far from the newest event of the log: events go on from the ' +
    `log's time, and the clock is followed once it has stayed there for ${believedAfterMs / 60_000} minutes; look at NTP`,
  followed: 'the clock of this machine has stayed where it was set, and is followed now',
  returned: 'the clock of this machine is back at the time of the log',
};

/** See the file comment. */
export class ClockWatch {
  /** Where rows go; set once ingest is there, which a step at the start waits for. */
  cover: ((finding: CoverageFinding) => void) | undefined;
  readonly #logger: Logger;
  #rowAtMs = -Infinity;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Called within a reading of the clock, perhaps by the block builder: what it does to the log comes after that. */
  readonly report = ({ what, wallMs, trustedMs }: ClockFinding): void => {
    this.#logger.warn({ reason: what, clock: textOf(wallMs), log: textOf(trustedMs) }, texts[what]);
    const nowMs = performance.now();
    if (what === 'returned' || nowMs - this.#rowAtMs < rowIntervalMs) return;
    this.#rowAtMs = nowMs;
    setImmediate(() => this.cover?.({ reason: 'clock_step', relay: '', detail: what }));
  };
}

/** A clock can say anything, also what no date can. */
function textOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms);
}
