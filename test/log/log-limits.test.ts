import { expect, test } from 'vitest';
import { settings } from '../../lib/config/settings.ts';
import { limitsOf } from '../../lib/log/log-limits.ts';

const leastBytes = settings['retention-bytes'].min;

test('limits grow with the directory up to what LevelDB is quick with, and there is none for none', () => {
  const least = limitsOf(leastBytes);
  const large = limitsOf(10 * 2 ** 30);
  for (const name of Object.keys(least) as (keyof typeof least)[]) {
    expect(least[name], name).toBeGreaterThan(0);
    expect(large[name], name).toBeGreaterThan(least[name]);
  }
  const none = limitsOf(0);
  expect(none).toEqual({ ...large, keptBytesMax: 0, trimmedAboveBytes: Infinity, storedBytesMax: Infinity });
});
