// What a metric is to the files that define them: a name, a help text, and a way to read its samples when they are asked for. The
// tables are daemon-metrics.ts, subscriber-metrics.ts and v1-metrics.ts; making Prometheus text of them is metrics.ts's.

/** One value, and the values of the labels in their order. */
export type Sample = readonly [labels: readonly string[], value: number];

/** One metric. Its labels have closed sets of values. */
export interface Metric {
  /** Whole, as Prometheus sees it. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: readonly string[];
  /** Samples as of now; none when there is nothing to tell. Counters are sums since start. */
  readonly read: () => Iterable<Sample>;
}

/** Reads one number, or nothing. */
type ReadOne = () => number | undefined;

/** A sum since start. */
export function counter(name: string, help: string, read: ReadOne): Metric {
  return { name, type: 'counter', help, labels: [], read: () => one(read()) };
}

/** Sums since start, by labels. */
export function counters(
  name: string,
  help: string,
  labels: readonly string[],
  read: () => Iterable<Sample>,
): Metric {
  return { name, type: 'counter', help, labels, read };
}

/** How something stands. */
export function gauge(name: string, help: string, read: ReadOne): Metric {
  return { name, type: 'gauge', help, labels: [], read: () => one(read()) };
}

/** How things stand, by labels. */
export function gauges(
  name: string,
  help: string,
  labels: readonly string[],
  read: () => Iterable<Sample>,
): Metric {
  return { name, type: 'gauge', help, labels, read };
}

/** Samples of one label. */
export function byName(counts: Iterable<readonly [string, number]>): Sample[] {
  return Array.from(counts, ([name, value]): Sample => [[name], value]);
}

/** All samples together. */
export function sum(samples: Iterable<Sample>): number {
  let total = 0;
  for (const [, value] of samples) total += value;
  return total;
}

function one(value: number | undefined): Sample[] {
  return value === undefined ? [] : [[[], value]];
}
