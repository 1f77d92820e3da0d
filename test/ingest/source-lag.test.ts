import { expect, test } from 'vitest';
import { SourceLag } from '../../lib/ingest/source-lag.ts';

test('a few frames that lie about their time do not count', () => {
  const lag = new SourceLag();
  expect(lag.usualUs).toBe(0);
  for (let at = 0; at < 15; at++) lag.add(at % 3 === 0 ? 1e15 : 2_000_000 + at);
  expect(lag.usualUs).toBeGreaterThan(2_000_000);
  expect(lag.usualUs).toBeLessThan(3_000_000);
});

test('it follows when all are late, and when they are no longer', () => {
  const lag = new SourceLag();
  for (let at = 0; at < 15; at++) lag.add(100);
  for (let at = 0; at < 8; at++) lag.add(3_600_000_000);
  expect(lag.usualUs).toBe(3_600_000_000);
  for (let at = 0; at < 15; at++) lag.add(-50);
  expect(lag.usualUs).toBe(0);
});

test('frames without a time change nothing', () => {
  const lag = new SourceLag();
  lag.add(500);
  lag.add(undefined);
  expect(lag.usualUs).toBe(500);
});
