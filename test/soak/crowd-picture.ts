// What the picture of an hour of clients that come and go shows.

import type { CrowdReport } from './crowd-process.ts';
import { cpuPanel, type DaemonSample, delayPanel, memoryPanel } from './daemon-panels.ts';
import { blue, drawPicture, type Panel, red } from './picture.ts';

/** What is noted every few seconds. Refusals and ends are those since the note before. */
export interface CrowdSample extends DaemonSample {
  readonly crowd: CrowdReport;
  readonly subscribers: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** Clients that were not let in, however. */
export function failedOf({ failed }: CrowdReport): number {
  return Object.values(failed).reduce((sum, count) => sum + count, 0);
}

const panels: readonly Panel<CrowdSample>[] = [
  {
    title: 'Clients that are there',
    unit: '',
    lines: [{ name: 'clients', colour: blue, read: ({ crowd }) => crowd.clients }],
  },
  {
    title: 'Clients that have come so far, and those not let in or cut off',
    unit: '',
    lines: [
      { name: 'came', colour: blue, read: ({ crowd }) => crowd.opened },
      { name: 'cut off', colour: red, read: ({ crowd }) => crowd.ended + failedOf(crowd) },
    ],
  },
  memoryPanel,
  delayPanel('two live subscribers'),
  cpuPanel,
];

/** The picture, as the text of a file. */
export function drawCrowd(began: string, samples: readonly CrowdSample[]): string {
  return drawPicture({
    title: 'Clients, memory, delays and processor time of a daemon whose clients come and go',
    heading: `Clients that come and go, ${began.slice(0, 10)}: grey where there are any`,
    panels,
    samples,
    seconds: 0,
    shade: ({ crowd }) => (crowd.clients > 0 ? '#f6f7f8' : undefined),
  });
}
