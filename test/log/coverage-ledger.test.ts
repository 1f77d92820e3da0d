import { expect, test } from 'vitest';
import { CoverageLedger, coverageRowsMax, damagedRowsMax } from '../../lib/log/coverage-ledger.ts';

const rowAt = (toUs: number, reason: 'log_damaged' | 'relay_gap' = 'relay_gap') => ({
  reason,
  relay: '',
  fromUs: toUs - 5,
  toUs,
  count: 1,
});

test('what is damaged is known however many other rows come after it', () => {
  const ledger = new CoverageLedger();
  ledger.add([rowAt(10, 'log_damaged')]);
  for (let count = 1; count <= 2 * coverageRowsMax; count++) ledger.add([rowAt(10 + 10 * count)]);
  expect(ledger.isDamaged(8)).toBe(true);
  expect(ledger.isDamaged(18)).toBe(false);
  expect(ledger.droppedUs).toBeGreaterThan(10);
  // A thread that starts from what is known here knows it, too.
  const other = new CoverageLedger();
  other.reset(ledger.newest(Number.POSITIVE_INFINITY), ledger.droppedUs);
  expect(other.isDamaged(8)).toBe(true);
});

test('rows of damages are few, too', () => {
  const ledger = new CoverageLedger();
  for (let count = 1; count <= 2 * coverageRowsMax; count++) ledger.add([rowAt(10 * count, 'log_damaged')]);
  expect(ledger.newest(Number.POSITIVE_INFINITY).length).toBeLessThan(
    coverageRowsMax + 2 * damagedRowsMax + 1,
  );
});
