// What the picture of an hour under attack shows.

import type { Sample, Soak } from './attacks.ts';
import { cpuPanel, delayPanel, memoryPanel } from './daemon-panels.ts';
import { blue, drawPicture, orange, type Panel, red } from './picture.ts';

const refusedIn = ({ refused }: Sample): number =>
  Object.values(refused).reduce((sum, count) => sum + count, 0);
const panels: readonly Panel<Sample>[] = [
  memoryPanel,
  delayPanel('two honest live subscribers'),
  cpuPanel,
  {
    title: 'Connections',
    unit: '',
    lines: [
      { name: 'established', colour: blue, read: ({ connections }) => connections },
      { name: 'subscribers', colour: orange, read: ({ subscribers }) => subscribers },
    ],
  },
  {
    title: 'Refused, dropped or ended, in 5 s',
    unit: '',
    lines: [{ name: 'all reasons', colour: red, read: refusedIn }],
  },
];

/** The picture, as the text of a file. */
export function drawSoak({ samples, began, minutes }: Soak): string {
  return drawPicture({
    title: 'Memory, delays, processor time, connections and refusals of a daemon under attack',
    heading: `A soak under attack, ${began.slice(0, 10)}: grey where all attacks go on at once, light grey where one does`,
    panels,
    samples,
    seconds: minutes * 60,
    shade: ({ attacks }) => (attacks.length === 0 ? undefined : attacks.length > 1 ? '#e5e7eb' : '#f6f7f8'),
  });
}
