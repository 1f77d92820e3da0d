// How late the event loop of the main thread comes to a timer, as metrics: what a subscriber or a relay waits for besides its own work.
// prom-client's way to measure it wakes the thread a hundred times a second, half of all its waits at the network's rate, and counts
// the interval as delay; so these names are ours. Measured from the first scrape on: without one there is no timer.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { gauge, type Metric } from './metric.ts';

/** Between two measurements. A delay that is shorter may fall between them. */
const intervalMs = 250;
const nsPerMs = 1e6;
const nsPerSecond = 1e9;

/** See the file comment. */
export class LoopLag {
  readonly #nowMs: () => number;
  /** What has come since the last scrape, in nanoseconds. */
  #measured: RecordableHistogram = createHistogram();
  /** What came before the last scrape. */
  #read: RecordableHistogram | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A scrape begins: its metrics are of what has been measured since the one before. */
  take(): void {
    const emptied = this.#read ?? createHistogram();
    emptied.reset();
    this.#read = this.#measured;
    this.#measured = emptied;
    if (this.#timer !== undefined) return;
    this.#dueMs = this.#nowMs() + intervalMs;
    this.#timer = setInterval(() => this.#measure(), intervalMs).unref();
  }

  metrics(): Metric[] {
    const of = (name: string, help: string, read: (from: RecordableHistogram) => number): Metric =>
      gauge(`nodejs_eventloop_lag_${name}_seconds`, help, () => {
        const { count = 0 } = this.#read ?? {};
        return count === 0 ? undefined : read(this.#read as RecordableHistogram) / nsPerSecond;
      });
    const what = 'How late the event loop came to timers since the last scrape';
    return [
      of('min', `${what}: least`, ({ min }) => min),
      of('max', `${what}: most`, ({ max }) => max),
      of('mean', `${what}: mean`, ({ mean }) => mean),
      of('stddev', `${what}: standard deviation`, ({ stddev }) => stddev),
      of('p50', `${what}: median`, (from) => from.percentile(50)),
      of('p90', `${what}: 90th percentile`, (from) => from.percentile(90)),
      of('p99', `${what}: 99th percentile`, (from) => from.percentile(99)),
    ];
  }

  #measure(): void {
    const nowMs = this.#nowMs();
    // A histogram begins at 1.
    this.#measured.record(Math.max(1, Math.round((nowMs - this.#dueMs) * nsPerMs)));
    this.#dueMs = nowMs + intervalMs;
  }
}
