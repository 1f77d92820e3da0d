// Every damage there is in the tables beside this file, each to a log of its own. A quarter of them is in the suite `unit`.

import { blockDamages } from './block-damages.ts';
import { testDamages, useDamagedLog } from './damage.ts';
import { journalDamages, testJournalDamages } from './journal-damages.ts';
import { segmentDamages } from './segment-damages.ts';
import { storeDamages } from './store-damages.ts';
import { subjectDamages } from './subject-damages.ts';

const log = useDamagedLog();

testDamages(log, [...blockDamages, ...storeDamages, ...segmentDamages, ...subjectDamages]);
testJournalDamages(log, journalDamages);
