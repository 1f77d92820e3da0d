import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  isVouched,
  numberOf,
  reasonNames,
  reasonOfNumber,
  verdictOf,
  verdicts,
} from '../../lib/event/verdict.ts';

test('docs/verification.md has every verdict and every reason, and no other', () => {
  const text = readFileSync(new URL('../../docs/verification.md', import.meta.url), 'utf8');
  const [first, second] = text.split(/^## .*$/m).slice(-2);
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

test('every reason has a number of its own, which fits a byte, and those that are stored are never changed', () => {
  const numbers = reasonNames.map(numberOf);
  expect(numbers.toSorted((a, b) => a - b)).toEqual(reasonNames.map((_, at) => at));
  expect(numbers.map(reasonOfNumber)).toEqual(reasonNames);
  expect(reasonOfNumber(255)).toBe('not_asked');
  const known = { not_asked: 0, too_late: 1, continuous: 3, after_unchecked: 7, repeat: 23, bad_tree: 35 };
  for (const [reason, number] of Object.entries(known)) expect(reasonOfNumber(number)).toBe(reason);
});

test('signed and complete is what is verified or anchored, and nothing else', () => {
  const told = reasonNames.filter((reason) => isVouched(numberOf(reason)));
  expect(told).toEqual(['continuous', 'first_sight', 'gap', 'fork', 'after_unchecked']);
  expect(isVouched(200)).toBe(false);
});
