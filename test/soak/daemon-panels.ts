// The panels that the pictures of all soaks have: what the daemon takes, and how late its honest subscribers are.

import type { HonestReport } from './honest-process.ts';
import { blue, orange, type Panel, red, type TimedSample } from './picture.ts';

/** What they are drawn of. */
export interface DaemonSample extends TimedSample, HonestReport {
  readonly rssBytes: number;
  readonly anonymousBytes: number;
  readonly cpuMsPerSecond: number;
}

const MiB = 2 ** 20;

export const memoryPanel: Panel<DaemonSample> = {
  title: 'Memory of the daemon',
  unit: 'MiB',
  lines: [
    { name: 'resident', colour: blue, read: ({ rssBytes }) => rssBytes / MiB },
    { name: 'anonymous', colour: orange, read: ({ anonymousBytes }) => anonymousBytes / MiB },
  ],
};

/** @param of whose delay it is, in words. */
export function delayPanel(of: string): Panel<DaemonSample> {
  return {
    title: `Delay of ${of}`,
    unit: 'ms',
    isLogarithmic: true,
    lines: [
      { name: 'p50', colour: blue, read: ({ p50Ms }) => p50Ms },
      { name: 'p99', colour: orange, read: ({ p99Ms }) => p99Ms },
      { name: 'longest', colour: red, read: ({ maxMs }) => maxMs },
    ],
  };
}

export const cpuPanel: Panel<DaemonSample> = {
  title: 'CPU of the daemon, all threads',
  unit: 'ms/s',
  lines: [{ name: 'CPU', colour: blue, read: ({ cpuMsPerSecond }) => cpuMsPerSecond }],
};
