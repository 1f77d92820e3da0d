// What the picture of an hour under attack shows.

import type { Sample, Soak } from './attacks.ts';
import { blue, drawPicture, orange, type Panel, red } from './picture.ts';

const refusedIn = ({ refused }: Sample): number =>
  Object.values(refused).reduce((sum, count) => sum + count, 0);
const panels: readonly Panel<Sample>[] = [
  {
    title: 'Memory of the daemon',
    unit: 'MiB',
    lines: [
      { name: 'resident', colour: blue, read: ({ rssBytes }) => rssBytes / 2 ** 20 },
      { name: 'anonymous', colour: orange, read: ({ anonymousBytes }) => anonymousBytes / 2 ** 20 },
    ],
  },
  {
    title: 'Delay of two honest live subscribers',
    unit: 'ms',
    isLogarithmic: true,
    lines: [
      { name: 'p50', colour: blue, read: ({ p50Ms }) => p50Ms },
      { name: 'p99', colour: orange, read: ({ p99Ms }) => p99Ms },
      { name: 'longest', colour: red, read: ({ maxMs }) => maxMs },
    ],
  },
  {
    title: 'CPU of the daemon, all threads',
    unit: 'ms/s',
    lines: [{ name: 'CPU', colour: blue, read: ({ cpuMsPerSecond }) => cpuMsPerSecond }],
  },
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
