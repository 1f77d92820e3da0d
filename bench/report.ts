// What a benchmark found, as numbers, as a table for people and as a file for machines. It measures nothing: figures
// are made by figure-*.ts and handed over by run.ts.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One measurement of one side. */
export interface Sample {
  readonly value: number;
  /** Events behind `value`, and their bytes on the wire or in memory. */
  readonly events: number;
  readonly bytes?: number;
  /** Microseconds of processor time of the measured process, all threads, for one event (or one delivery). */
  readonly cpuUsPerEvent?: number;
  readonly peakRssBytes?: number;
  /** Processor time of the load generator, as a share of one core. */
  readonly loadCoreShare?: number;
}

/** All rounds of one side. */
export interface Side {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** In the order in which they were measured. */
  readonly values: readonly number[];
  /** Of one round. */
  readonly events: number;
  readonly bytes?: number;
  /** Median of the rounds. */
  readonly cpuUsPerEvent?: number;
  /** Largest of the rounds. */
  readonly peakRssBytes?: number;
  /** Largest of the rounds: above {@link loadCoreShareMax} the load generator may be what was measured. */
  readonly loadCoreShare?: number;
}

const loadCoreShareMax = 0.9;

/** One line of the report. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly ours: Side;
  readonly baseline?: Side;
  /** How many times better than the baseline: above 1 is better, whichever way `better` points. */
  readonly ratio?: number;
  readonly peer?: Side;
  /** As `ratio`, of the peer. */
  readonly peerRatio?: number;
}

/** What the rounds of each side gave, in the order in which they were measured; none of a side that takes no part. */
export interface Rounds<Result> {
  readonly ours: readonly Result[];
  readonly baseline?: readonly Result[];
  readonly peer?: readonly Result[];
}

/** The rounds of one figure. */
export type Measured = Rounds<Sample>;

/** Takes one figure out of rounds that measured several. */
export function pick<Result>(rounds: Rounds<Result>, sample: (result: Result) => Sample): Measured {
  const { ours, baseline = [], peer = [] } = rounds;
  return { ours: ours.map(sample), baseline: baseline.map(sample), peer: peer.map(sample) };
}

/** Makes a figure of what was measured. */
export function figureOf(name: string, unit: string, better: Figure['better'], measured: Measured): Figure {
  const ours = sideOf(measured.ours);
  const ratioTo = ({ median }: Side): number =>
    better === 'higher' ? ours.median / median : median / ours.median;
  const baseline = measured.baseline?.length ? sideOf(measured.baseline) : undefined;
  const peer = measured.peer?.length ? sideOf(measured.peer) : undefined;
  return {
    ...{ name, unit, better, ours },
    ...(baseline && { baseline, ratio: ratioTo(baseline) }),
    ...(peer && { peer, peerRatio: ratioTo(peer) }),
  };
}

function sideOf(samples: readonly Sample[]): Side {
  const values = samples.map(({ value }) => value);
  const present = (key: keyof Sample): number[] =>
    samples.map((sample) => sample[key]).filter((value) => value !== undefined);
  const cpu = present('cpuUsPerEvent');
  const rss = present('peakRssBytes');
  const load = present('loadCoreShare');
  const { events, bytes } = samples[0];
  return {
    ...{ median: medianOf(values), min: Math.min(...values), max: Math.max(...values), values, events },
    ...(bytes !== undefined && { bytes }),
    ...(cpu.length > 0 && { cpuUsPerEvent: medianOf(cpu) }),
    ...(rss.length > 0 && { peakRssBytes: Math.max(...rss) }),
    ...(load.length > 0 && { loadCoreShare: Math.max(...load) }),
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Of the table's columns, in characters; at most 110 a line. */
const widths = [42, 12, 14, 14, 7, 13] as const;

/** The head of the table. */
export function tableHead(): string {
  return row(['figure', 'unit', 'ours', 'baseline', 'ratio', 'cpu µs/event']);
}

/**
 * A line of the table: median and half of the range in percent, ours and the baseline's. Under it what else is known of
 * the processes, and the peer; a figure whose name is indented comes from the same processes as the one above.
 */
export function tableRow({ name, unit, ours, baseline, ratio, peer, peerRatio }: Figure): string {
  const isFirst = !name.startsWith(' ');
  const lines = [
    row([
      ...[name, unit, spread(ours), baseline ? spread(baseline) : '-', ratio ? `${short(ratio)}x` : '-'],
      isFirst ? pair(ours.cpuUsPerEvent, baseline?.cpuUsPerEvent, short) : '',
    ]),
  ];
  const indented = (text: string): void => void lines.push(`${''.padEnd(widths[0] + 1)}${text}`);
  const processes = processText(ours, baseline);
  if (isFirst && processes !== '') indented(processes);
  if (peer !== undefined) {
    const parts = [`peer ${spread(peer)}, ${short(peerRatio ?? 0)}x`];
    if (isFirst && peer.cpuUsPerEvent !== undefined) parts.push(`cpu ${short(peer.cpuUsPerEvent)}`);
    if (isFirst) parts.push(processText(peer, undefined));
    indented(parts.filter((part) => part !== '').join(', '));
  }
  return lines.join('\n');
}

function processText(one: Side, other: Side | undefined): string {
  const parts: string[] = [];
  const rss = pair(one.peakRssBytes, other?.peakRssBytes, (bytes) => (bytes / 2 ** 20).toFixed(0));
  if (rss !== '') parts.push(`RSS ${rss} MiB`);
  const load = pair(one.loadCoreShare, other?.loadCoreShare, (share) => (share * 100).toFixed(0));
  const atLimit = Math.max(one.loadCoreShare ?? 0, other?.loadCoreShare ?? 0) > loadCoreShareMax;
  if (load !== '') parts.push(`load generator ${load} % of a core${atLimit ? ': MAY BE THE LIMIT' : ''}`);
  return parts.join(', ');
}

function row([name, unit, ...numbers]: readonly string[]): string {
  const [nameWidth, unitWidth, ...numberWidths] = widths;
  const cells = numbers.map((text, at) => text.padStart(numberWidths[at]));
  return [name.padEnd(nameWidth), unit.padEnd(unitWidth), ...cells].join(' ').trimEnd();
}

function spread({ median, min, max }: Side): string {
  const percent = median === 0 ? 0 : ((max - min) / 2 / median) * 100;
  return `${short(median)} ±${percent.toFixed(0)}%`;
}

function pair(
  ours: number | undefined,
  baseline: number | undefined,
  text: (value: number) => string,
): string {
  if (ours === undefined) return '';
  return baseline === undefined ? text(ours) : `${text(ours)} / ${text(baseline)}`;
}

/** Three significant digits, thousands and millions as letters. */
export function short(value: number): string {
  for (const [factor, letter] of [
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= factor * 0.9995) return `${threeDigits(value / factor)}${letter}`;
  }
  return threeDigits(value);
}

function threeDigits(value: number): string {
  if (value === 0) return '0';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Where and from what figures come. */
export interface Origin {
  readonly commit: string;
  /** Whether files differed from the commit. */
  readonly dirty: boolean;
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly os: string;
  };
  readonly node: string;
}

/** Looks at the machine and at the repository that this file is in. */
export function readOrigin(): Origin {
  const [cpu] = cpus();
  return {
    commit: git('rev-parse', '--short=12', 'HEAD') || 'unknown',
    dirty: git('status', '--porcelain') !== '',
    date: new Date().toISOString(),
    machine: {
      cpu: cpu?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
      os: `${type()} ${release()}`,
    },
    node: process.version,
  };
}

function git(...args: readonly string[]): string {
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const { stdout } = spawnSync('git', args, { cwd, encoding: 'utf8' });
  return (stdout ?? '').trim();
}

/**
 * Writes `<date>-<commit>.json` into a directory, made when absent; returns its path.
 * @param part what of all figures was measured, for the name: a part never takes the place of the whole.
 */
export function writeReport(
  directory: string,
  origin: Origin,
  run: { readonly notes: readonly string[]; readonly figures: readonly Figure[] },
  part: string,
): string {
  const path = join(directory, `${origin.date.slice(0, 10)}-${origin.commit}${part}.json`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, `${JSON.stringify({ ...origin, ...run }, null, 2)}\n`);
  return path;
}
