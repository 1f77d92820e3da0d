// The wall clock as far as it can be believed: what a day of wrong time would do to the log (events stamped a day ahead,
// retention that takes everything) is not undone when the clock is right again. So a large step is followed only once it
// has lasted; until then time goes on as the monotonic clock does. A machine that slept is no such case: its uptime says
// for how long. It owns what the time is; clock.ts makes strictly rising stamps of it.

import { uptime } from 'node:os';

/** Steps up to this size are followed at once: NTP slews, and steps of a second or so when a machine has started. */
export const stepMsMax = 10_000;
/** How long a larger step has to last before it is followed: a wrong server or a slip of the hand is seen to in less. */
export const believedAfterMs = 5 * 60_000;
/** Longest time between the newest event of a log and a start that is taken for a pause, and not for a wrong clock. */
export const downtimeMsMax = 30 * 24 * 3_600_000;

/** What happened to the wall clock, in milliseconds since 1970. */
export interface ClockFinding {
  /**
   * - `stepped`: it was set to another time, which is not followed yet
   * - `followed`: it stayed there, and is followed now
   * - `returned`: it is back
   */
  readonly what: 'stepped' | 'followed' | 'returned';
  readonly wallMs: number;
  /** What the log went by at that moment. */
  readonly trustedMs: number;
}

/** The clocks of a machine, in milliseconds. */
export interface MachineClocks {
  readonly wallMs: () => number;
  /** Goes on whatever the wall clock does, perhaps not while the machine sleeps; the same in all threads. */
  readonly monotonicMs: () => number;
  /** Goes on while the machine sleeps. Asked only when there is a step. */
  readonly uptimeMs: () => number;
}

const [seconds, nanoseconds] = process.hrtime();
/** `performance.now` begins at another moment in every thread; `hrtime` does not. */
const originMs = seconds * 1000 + nanoseconds / 1e6 - performance.now();
const monotonicMs = (): number => originMs + performance.now();
const machineClocks: MachineClocks = { wallMs: () => Date.now(), monotonicMs, uptimeMs };

/** A step that is not followed yet. */
interface Doubt {
  readonly sinceMs: number;
  readonly stepMs: number;
}

/** See the file comment. Time moves when it is asked for. */
export class TrustedTime {
  /** Large steps since start. */
  steps = 0;
  readonly #clocks: MachineClocks;
  readonly #report: (finding: ClockFinding) => void;
  /** Trusted minus monotonic time. In memory that other threads read. */
  readonly #offset = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT));
  /** Uptime minus monotonic time: more of it is sleep. */
  #asleepMs: number;
  #doubt: Doubt | undefined;

  /**
   * @param newestUs `time_us` of the newest stored event, 0 for a new log: a wall clock that is before it, or far behind it, is
   * not followed at once.
   * @param report told of large steps, within the call that asks for the time: it must not ask for it itself.
   */
  constructor(newestUs: number, report: (finding: ClockFinding) => void, clocks = machineClocks) {
    this.#clocks = clocks;
    this.#report = report;
    const wallMs = clocks.wallMs();
    const newestMs = newestUs / 1000;
    const isLikely = newestUs === 0 || (wallMs >= newestMs - stepMsMax && wallMs <= newestMs + downtimeMsMax);
    const monotonicMs = clocks.monotonicMs();
    this.#offset[0] = (isLikely ? wallMs : newestMs) - monotonicMs;
    this.#asleepMs = clocks.uptimeMs() - monotonicMs;
    this.nowMs();
  }

  /** The time, in whole milliseconds since 1970. It can go back: by a small step, or one that has been followed. */
  nowMs(): number {
    const wallMs = this.#clocks.wallMs();
    const monotonicMs = this.#clocks.monotonicMs();
    const stepMs = wallMs - monotonicMs - this.#offset[0];
    if (Math.abs(stepMs) > stepMsMax) return this.#step();
    if (this.#doubt !== undefined) {
      this.#doubt = undefined;
      this.#report({ what: 'returned', wallMs, trustedMs: wallMs - stepMs });
    }
    this.#offset[0] += stepMs;
    return wallMs;
  }

  /** How far the wall clock is ahead of the time, negative when it is behind; 0 while it is followed. */
  get aheadMs(): number {
    return this.#doubt?.stepMs ?? 0;
  }

  /** For {@link TrustedTime.reader} in another thread. */
  get memory(): SharedArrayBuffer {
    return this.#offset.buffer;
  }

  /** The time in another thread than the one that decides what it is. */
  static reader(memory: SharedArrayBuffer, monotonicMs = machineClocks.monotonicMs): () => number {
    const offset = new Float64Array(memory);
    return () => Math.floor(monotonicMs() + offset[0]);
  }

  /** The time when the wall clock says another. */
  #step(): number {
    // Read once more: between the two readings the process may have stood still.
    const wallMs = this.#clocks.wallMs();
    const monotonicMs = this.#clocks.monotonicMs();
    const sleptMs = this.#clocks.uptimeMs() - monotonicMs - this.#asleepMs;
    if (sleptMs > 0) {
      this.#asleepMs += sleptMs;
      this.#offset[0] += sleptMs;
    }
    const trustedMs = monotonicMs + this.#offset[0];
    const stepMs = wallMs - trustedMs;
    const finding = { wallMs, trustedMs: Math.floor(trustedMs) };
    if (Math.abs(stepMs) <= stepMsMax) {
      if (this.#doubt !== undefined) this.#report({ what: 'returned', ...finding });
      this.#doubt = undefined;
    } else if (this.#doubt === undefined || Math.abs(stepMs - this.#doubt.stepMs) > stepMsMax) {
      this.#doubt = { sinceMs: monotonicMs, stepMs };
      this.steps++;
      this.#report({ what: 'stepped', ...finding });
      return finding.trustedMs;
    } else if (monotonicMs - this.#doubt.sinceMs < believedAfterMs) {
      return finding.trustedMs;
    } else {
      this.#doubt = undefined;
      this.#report({ what: 'followed', ...finding });
    }
    this.#offset[0] += stepMs;
    return wallMs;
  }
}

/** 0 where the system does not tell it: then sleep looks like a step. */
function uptimeMs(): number {
  try {
    return uptime() * 1000;
  } catch {
    return 0;
  }
}
