// Texts, numbers and times as a person at a terminal reads them. Pure.

/** Text for a terminal: on one line, cut to a length, without what a terminal would act on. */
export function printable(text: string, charactersMax: number): string {
  const cut = text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}~`;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
}

/** `1,234,567`. */
export function grouped(number: number): string {
  return number.toLocaleString('en-US');
}

/** `2026-01-31T12:00:00.123456Z`, for `timeUs` in microseconds since 1970. */
export function formatMoment(timeUs: number): string {
  const ms = Math.floor(timeUs / 1000);
  const us = String(timeUs - ms * 1000).padStart(3, '0');
  // Times from a damaged log may lie beyond what a date can be.
  if (Math.abs(ms) > 8.64e15 || Number.isNaN(ms)) return 'no date';
  return new Date(ms).toISOString().replace('Z', `${us}Z`);
}

/** `3 d 4 h`, `4 h 5 min`, `5 min 6 s` or `6.7 s`: the two largest units. */
export function formatSpan(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

const units = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `1023 B`, `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let size = bytes / 1024;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(size < 100 ? 1 : 0)} ${units[unit]}`;
}
