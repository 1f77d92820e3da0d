// The curve of the last minute, as two paths of an SVG.

import { byId, setText } from './elements.js';
import { rate } from './format.js';

const width = 600;
const height = 140;
const seconds = 60;

/**
 * Draws a history of rates, one a second, oldest first.
 * @param {readonly number[]} history
 */
export function drawChart(history) {
  const values = history.slice(-seconds);
  const top = scaleOf(Math.max(...values, 0));
  // The newest value is at the right edge; a short history begins somewhere in the middle.
  const step = width / (seconds - 1);
  const points = values.map((value, at) => {
    const x = width - (values.length - 1 - at) * step;
    return `${x.toFixed(1)} ${(height - (value / top) * (height - 1)).toFixed(1)}`;
  });
  const line = points.length === 0 ? '' : `M${points.join('L')}`;
  const left = (width - (values.length - 1) * step).toFixed(1);
  byId('chart-line').setAttribute('d', line);
  byId('chart-area').setAttribute('d', line === '' ? '' : `${line}V${height}H${left}Z`);
  setText(byId('chart-max'), rate(top));
  byId('chart').setAttribute('aria-label', describe(values));
}

/** @param {readonly number[]} values */
function describe(values) {
  if (values.length === 0) return 'Events per second in the last minute: nothing yet';
  const [now, low, high] = [values[values.length - 1], Math.min(...values), Math.max(...values)].map(rate);
  return `Events per second in the last minute: now ${now}, lowest ${low}, highest ${high}`;
}

/**
 * The next round number from `value` up, so that the scale stays while rates vary.
 * @param {number} value
 */
export function scaleOf(value) {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((round) => round * power >= value) ?? 10;
  return factor * power;
}
