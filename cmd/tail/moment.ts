// Moments as a person at a terminal gives them: `now`, a span ago, or what lib/inspection reads. Pure.

import { parseMoment } from '../terminal/time.ts';

const secondsPerUnit: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Microseconds since 1970 of `now`, of a span ago (`90s`, `1h30m`, `2d`), or of an absolute time as `parseMoment` takes
 * them. @param name of the flag, for the message. @throws CodedError `CONFIG_TIME_INVALID`.
 */
export function momentOf(text: string, name: string, nowUs: number): number {
  if (text === 'now') return nowUs;
  if (!/^(\d+[smhd])+$/.test(text)) return parseMoment(text, `--${name}`);
  const parts = [...text.matchAll(/(\d+)([smhd])/g)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * secondsPerUnit[unit], 0);
  return Math.max(0, nowUs - seconds * 1_000_000);
}
