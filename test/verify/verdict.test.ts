import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { reasonNames, verdictOf, verdicts } from '../../lib/verify/verdict.ts';

test('docs/verification.md has every verdict and every reason, and no other', () => {
  const text = readFileSync(new URL('../../docs/verification.md', import.meta.url), 'utf8');
  const [, first, second] = text.split(/^## .*$/m);
  const rows = (part: string) =>
    part.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'));
  expect(rows(first).map((row) => row.split('`')[1])).toEqual([...verdicts]);
  let verdict = '';
  const told = rows(second).flatMap((row) => {
    const [, name, reasons] = row.split('|');
    verdict = name.trim().replaceAll('`', '') || verdict;
    return [...reasons.matchAll(/`([a-z_]+)`/g)].map(([, reason]) => `${verdict} ${reason}`);
  });
  expect(told.toSorted()).toEqual(reasonNames.map((reason) => `${verdictOf(reason)} ${reason}`).toSorted());
});
