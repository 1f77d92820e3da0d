// Draws a soak as SVG: panels one under the other over one axis of time, each with its unit and legend, and behind them what went on.
// Plain, without a library, in colours that do with light and dark pages. What is in the panels is its callers'.

/** What every sample has. */
export interface TimedSample {
  readonly seconds: number;
}

export interface Line<S extends TimedSample> {
  readonly name: string;
  readonly colour: string;
  readonly read: (sample: S) => number;
}

export interface Panel<S extends TimedSample> {
  readonly title: string;
  readonly unit: string;
  /** Each mark ten times the one before. */
  readonly isLogarithmic?: boolean;
  readonly lines: readonly Line<S>[];
}

export interface Picture<S extends TimedSample> {
  /** What it shows, for who does not see it. */
  readonly title: string;
  readonly heading: string;
  readonly panels: readonly Panel<S>[];
  readonly samples: readonly S[];
  /** Of the axis, at least. */
  readonly seconds: number;
  /** The colour behind the panels up to a sample, from the one before. */
  readonly shade: (sample: S) => string | undefined;
}

export const [blue, orange, red, grey] = ['#2563eb', '#ea7a0c', '#d92d20', '#6b7280'];

const [width, left, right, top] = [960, 70, 20, 40];
const [panelHeight, panelGap] = [120, 46];
const plotWidth = width - left - right;

/** The picture, as the text of a file. */
export function drawPicture<S extends TimedSample>(picture: Picture<S>): string {
  const { title, heading, panels, samples, shade } = picture;
  const seconds = Math.max(picture.seconds, samples.at(-1)?.seconds ?? 1);
  const x = (at: number): number => left + (at / seconds) * plotWidth;
  const height = top + panels.length * (panelHeight + panelGap) + 30;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="${grey}">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(left, 20, heading, 'start'),
  ];
  for (const [at, panel] of panels.entries()) {
    const y = top + at * (panelHeight + panelGap) + 18;
    parts.push(shades(samples, shade, x, y), drawPanel(panel, samples, x, y));
  }
  const bottom = top + panels.length * (panelHeight + panelGap) - panelGap + 18;
  for (const mark of marks(seconds / 60, 6))
    parts.push(text(x(mark * 60), bottom + 16, `${short(mark)}`, 'middle'));
  parts.push(text(left + plotWidth / 2, bottom + 34, 'minutes', 'middle'), '</svg>');
  return `${parts.join('\n')}\n`;
}

function drawPanel<S extends TimedSample>(
  { title, unit, isLogarithmic = false, lines }: Panel<S>,
  samples: readonly S[],
  x: (at: number) => number,
  y: number,
): string {
  const most = Math.max(1, ...samples.flatMap((sample) => lines.map(({ read }) => read(sample))));
  const end = isLogarithmic ? 10 ** Math.ceil(Math.log10(most)) : most * 1.05;
  const part = (value: number): number =>
    isLogarithmic ? Math.log10(Math.max(1, value)) / Math.max(1, Math.log10(end)) : value / end;
  const place = (value: number): number => y + panelHeight * (1 - part(value));
  const places = isLogarithmic
    ? Array.from({ length: Math.round(Math.log10(end)) + 1 }, (_, at) => 10 ** at)
    : marks(end, 4);
  const parts = [text(left, y - 6, unit === '' ? title : `${title} (${unit})`, 'start')];
  for (const mark of places) {
    parts.push(
      `<path d="M${left} ${place(mark).toFixed(1)}H${width - right}" stroke="#d1d5db" stroke-width="0.5"/>`,
      text(left - 6, place(mark) + 4, short(mark), 'end'),
    );
  }
  for (const [at, { name, colour, read }] of lines.entries()) {
    const points = samples.map(
      (sample) => `${x(sample.seconds).toFixed(1)},${place(read(sample)).toFixed(1)}`,
    );
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.2"/>`);
    const legend = width - right - (lines.length - at) * 90;
    parts.push(
      `<path d="M${legend} ${y - 10}h16" stroke="${colour}" stroke-width="2"/>`,
      text(legend + 20, y - 6, name, 'start'),
    );
  }
  return parts.join('\n');
}

function shades<S extends TimedSample>(
  samples: readonly S[],
  shade: (sample: S) => string | undefined,
  x: (at: number) => number,
  y: number,
): string {
  return samples
    .map((sample, at) => {
      const fill = shade(sample);
      if (fill === undefined) return '';
      const from = x(samples[at - 1]?.seconds ?? 0);
      return `<rect x="${from.toFixed(1)}" y="${y}" width="${(x(sample.seconds) - from + 0.3).toFixed(1)}" height="${panelHeight}" fill="${fill}"/>`;
    })
    .join('');
}

/** Round numbers from 0 to `end`, about so many. */
function marks(end: number, count: number): number[] {
  const rough = end / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, at) => at * step);
}

function short(value: number): string {
  return Number(value.toFixed(2)).toLocaleString('en');
}

function text(x: number, y: number, words: string, anchor: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`;
}
