import { expect, test } from 'vitest';
import type { ProblemCode } from '../../../cmd/inspect/problem.ts';
import { check, testDamages, useDamagedLog } from './damage.ts';
import { journalDamages } from './journal-damages.ts';
import { edit } from './raw-log.ts';
import { storeDamages } from './store-damages.ts';

const log = useDamagedLog();

testDamages(log, storeDamages);

test.each(journalDamages)('in the journal: $title', async ({ expected, change }) => {
  const { dataDir, written } = log;
  await edit(dataDir, 'journal', (db) => change(db, written));
  const { problems } = await check(dataDir);
  const meant = new Set<ProblemCode>(expected);
  // The block that follows a strange one follows nothing that is known.
  problems.counts.delete('event_time');
  if (!meant.has('journal_gap')) problems.counts.delete('journal_gap');
  expect(new Set(problems.counts.keys())).toEqual(meant);
});
