import { expect, it } from 'vitest';
import { pageModule } from './modules.ts';

const { bytes, count, duration, percent, rate, words } = await pageModule('format.js');
const { scaleOf } = await pageModule('chart.js');

it('rates have about three digits', () => {
  expect([0, 0.004, 0.31, 2.5, 54.27, 337.4, 12_345.6].map(rate)).toEqual([
    '0',
    '0.00',
    '0.31',
    '2.50',
    '54.3',
    '337',
    '12,346',
  ]);
});

it('counts are whole until they are large', () => {
  expect([0, 999, 12_345, 999_999, 148_203_994, 81_204_113_006].map(count)).toEqual([
    '0',
    '999',
    '12,345',
    '999,999',
    '148M',
    '81.2B',
  ]);
});

it('sizes are in binary units', () => {
  expect([0, 999, 1000, 1024, 150_000, 10 * 2 ** 30, 31_120_407_113_006].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 KiB',
    '1.0 KiB',
    '146 KiB',
    '10.0 GiB',
    '28.3 TiB',
  ]);
});

it('durations have their two largest units', () => {
  expect(
    [0, 214, 999.6, 1000, 9_960, 61_000, 60_000, 5_417_000, 86_400_000, 86_405_000, 31 * 86_400_000].map(
      duration,
    ),
  ).toEqual([
    '0 ms',
    '214 ms',
    '1,000 ms',
    '1.0 s',
    '10.0 s',
    '1 min 1 s',
    '1 min',
    '1 h 30 min',
    '1 d',
    '1 d',
    '31 d',
  ]);
});

it('shares that are not nothing do not look like it', () => {
  expect([0, 0.0004, 0.004, 0.0149, 0.37, 1].map(percent)).toEqual([
    '0 %',
    '< 0.1 %',
    '0.4 %',
    '1.5 %',
    '37 %',
    '100 %',
  ]);
});

it('reasons are words', () => {
  expect(words('too_many_ops')).toBe('too many ops');
});

it('the scale of the chart is a round number, at least the value and not twice it', () => {
  for (let value = 1; value < 1e6; value *= 1.07) {
    expect(scaleOf(value)).toBeGreaterThanOrEqual(value);
    expect(scaleOf(value)).toBeLessThanOrEqual(value * 1.6);
  }
  expect([0, 0.2, 1, 337, 552].map(scaleOf)).toEqual([1, 1, 1, 400, 600]);
});
