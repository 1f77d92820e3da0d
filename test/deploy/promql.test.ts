import { expect, test } from 'vitest';
import { readQuery } from './promql.ts';

test('finds metrics, matchers and labels, and takes no word for a metric', () => {
  const text =
    'histogram_quantile(0.99, sum by (le, a) (rate(x_bucket{b="1", c=~"$d|e,{}"}[5m]))) > 2 and on (i) y unless z';
  expect(readQuery(text)).toEqual({
    selectors: [
      {
        metric: 'x_bucket',
        matchers: [
          { label: 'b', operator: '=', value: '1' },
          { label: 'c', operator: '=~', value: '$d|e,{}' },
        ],
      },
      { metric: 'y', matchers: [] },
      { metric: 'z', matchers: [] },
    ],
    groupLabels: ['le', 'a', 'i'],
  });
  expect(readQuery('sum(a) by (b) / 2 * 24 * 3600')).toMatchObject({ groupLabels: ['b'] });
});

test('refuses what Prometheus would', () => {
  for (const text of [
    'sum(x',
    'x)',
    'rat(x[5m])',
    'x{a}',
    'x{a="b"',
    '{a="b"}',
    'x[5q]',
    'sum by (a (x)',
    'x & y',
  ]) {
    expect(() => readQuery(text), text).toThrow();
  }
});
