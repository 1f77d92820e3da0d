// Numbers, sizes, times and reasons as people read them. Pure; used by everything that draws.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat('en', { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** @param {number} value */
export function count(value) {
  return value < 1e6 ? whole.format(value) : compact.format(value);
}

/**
 * A rate: three digits or so, whatever its size.
 * @param {number} value
 */
export function rate(value) {
  if (value === 0) return '0';
  return (value >= 100 ? whole : value >= 10 ? oneDigit : twoDigits).format(value);
}

/** @param {number} share of 1 */
export function percent(share) {
  const value = share * 100;
  if (value === 0) return '0 %';
  return value < 0.1 ? '< 0.1 %' : `${(value >= 10 ? whole : oneDigit).format(value)} %`;
}

/** @param {number} value */
export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let scaled = value;
  while (scaled >= 1000 && at < units.length - 1) {
    scaled /= 1024;
    at++;
  }
  return `${at === 0 || scaled >= 100 ? whole.format(scaled) : oneDigit.format(scaled)} ${units[at]}`;
}

/**
 * A length of time in its two largest units.
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1000) return `${whole.format(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 10) return `${oneDigit.format(seconds)} s`;
  const parts = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['min', Math.floor(seconds / 60) % 60],
    ['s', Math.floor(seconds) % 60],
  ];
  const first = parts.findIndex(([, value]) => value !== 0);
  return parts
    .slice(first, first + 2)
    .filter(([, value]) => value !== 0)
    .map(([unit, value]) => `${value} ${unit}`)
    .join(' ');
}

/** @satisfies {Intl.DateTimeFormatOptions} */
const hourAndMinute = /** @type {const} */ ({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const time = new Intl.DateTimeFormat('en', { ...hourAndMinute, second: '2-digit' });
const dayAndTime = new Intl.DateTimeFormat('en', { ...hourAndMinute, day: 'numeric', month: 'short' });

/**
 * A time of day.
 * @param {number} us
 */
export function clock(us) {
  return time.format(us / 1000);
}

/**
 * A day and a time of day.
 * @param {number} us
 */
export function moment(us) {
  return dayAndTime.format(us / 1000);
}

/**
 * A reason code as words: underscores become spaces.
 * @param {string} reason
 */
export function words(reason) {
  return reason.replaceAll('_', ' ');
}
