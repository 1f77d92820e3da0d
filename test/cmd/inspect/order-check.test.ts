import { some, testDamages, useDamagedLog } from './damage.ts';
import { journalDamages, testJournalDamages } from './journal-damages.ts';
import { storeDamages } from './store-damages.ts';

const log = useDamagedLog();

testDamages(log, some(storeDamages));
testJournalDamages(log, some(journalDamages));
