import { expect, test } from 'vitest';
import { openFilesMax, shareOpenFiles } from '../lib/open-files.ts';

const total = (limit: number, listeners: number, wanted: number): number => {
  const { tablesMax, plainSocketsMax, subscribersMax } = shareOpenFiles(limit, listeners, wanted);
  return 2 * tablesMax + listeners * plainSocketsMax + subscribersMax;
};

test('with many files everybody has what is wanted', () => {
  for (const limit of [65_536, 1_048_576, Number.POSITIVE_INFINITY]) {
    expect(shareOpenFiles(limit, 4, 50_000)).toEqual({
      tablesMax: 74,
      plainSocketsMax: 1024,
      subscribersMax: 50_000,
    });
  }
});

test('with few of them subscribers have what is left, and some are left over', () => {
  expect(shareOpenFiles(1024, 1, 50_000).subscribersMax).toBe(684);
  for (const limit of [320, 512, 1024, 4096, 16_384, 60_000]) {
    for (const listeners of [1, 2, 4])
      expect(total(limit, listeners, 50_000)).toBeLessThanOrEqual(limit - 100);
  }
});

test('too few are refused, with how many it takes', () => {
  expect(() => shareOpenFiles(200, 4, 50_000)).toThrow(
    expect.objectContaining({ code: 'CONFIG_OPEN_FILES', exitCode: 2 }),
  );
  const text = (() => {
    try {
      shareOpenFiles(200, 4, 50_000);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  const least = Number(/at least|to (\d+)/.exec(text)?.[1]);
  expect(shareOpenFiles(least, 4, 50_000).subscribersMax).toBeGreaterThanOrEqual(1);
});

test('the limit of this process is a number', () => {
  expect(openFilesMax()).toBeGreaterThan(100);
});
