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
}

/** One line of the report. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly ours: Side;
  readonly baseline?: Side;
  /** How many times better than the baseline: above 1 is better, whichever way `better` points. */
  readonly ratio?: number;
}

/** Samples of both sides, in the order in which they were taken; a side without a baseline has none there. */
export interface Measured {
  readonly ours: readonly Sample[];
  readonly baseline: readonly Sample[];
}

/** Makes a figure of what was measured. */
export function figureOf(
  name: string,
  unit: string,
  better: Figure['better'],
  { ours, baseline }: Measured,
): Figure {
  const us = sideOf(ours);
  if (baseline.length === 0) return { name, unit, better, ours: us };
  const them = sideOf(baseline);
  const ratio = better === 'higher' ? us.median / them.median : them.median / us.median;
  return { name, unit, better, ours: us, baseline: them, ratio };
}

function sideOf(samples: readonly Sample[]): Side {
  const values = samples.map(({ value }) => value);
  const { events, bytes, peakRssBytes } = samples[0];
  return {
    median: medianOf(values),
    min: Math.min(...values),
    max: Math.max(...values),
    values,
    events,
    ...(bytes !== undefined && { bytes }),
    ...(samples[0].cpuUsPerEvent !== undefined && {
      cpuUsPerEvent: medianOf(samples.map((sample) => sample.cpuUsPerEvent as number)),
    }),
    ...(peakRssBytes !== undefined && {
      peakRssBytes: Math.max(...samples.map((sample) => sample.peakRssBytes as number)),
    }),
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Left and right edges of the table's columns, at most 110 characters a line. */
const widths = { name: 42, unit: 12, ours: 14, baseline: 14, ratio: 7, cpu: 13 };

/** The head of the table. */
export function tableHead(): string {
  return row('figure', 'unit', 'ours', 'baseline', 'ratio', 'cpu µs/event', '');
}

/** A line of the table: median and half of the range in percent, ours and the baseline's. */
export function tableRow({ name, unit, ours, baseline, ratio }: Figure): string {
  return row(
    name,
    unit,
    spread(ours),
    baseline === undefined ? '-' : spread(baseline),
    ratio === undefined ? '-' : `${short(ratio)}x`,
    pair(ours.cpuUsPerEvent, baseline?.cpuUsPerEvent, short),
    ours.peakRssBytes === undefined
      ? ''
      : `RSS ${pair(ours.peakRssBytes, baseline?.peakRssBytes, (bytes) => (bytes / 2 ** 20).toFixed(0))}`,
  );
}

function row(
  name: string,
  unit: string,
  ours: string,
  baseline: string,
  ratio: string,
  cpu: string,
  rss: string,
): string {
  const cells = [
    name.padEnd(widths.name),
    unit.padEnd(widths.unit),
    ours.padStart(widths.ours),
    baseline.padStart(widths.baseline),
    ratio.padStart(widths.ratio),
    cpu.padStart(widths.cpu),
  ];
  const line = cells.join(' ');
  // Resident memory stands under its figure: most figures have none.
  return rss === '' ? line : `${line}\n${''.padEnd(widths.name + 1)}${rss} MiB`;
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

/** Writes `<date>-<commit>.json` into a directory, made when absent; returns its path. */
export function writeReport(
  directory: string,
  origin: Origin,
  run: { readonly notes: readonly string[]; readonly figures: readonly Figure[] },
): string {
  const path = join(directory, `${origin.date.slice(0, 10)}-${origin.commit}.json`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, `${JSON.stringify({ ...origin, ...run }, null, 2)}\n`);
  return path;
}
