// Columns of subjects that are damaged in a log. What the columns of single events must be is subject-check.test.ts.

import { some, testDamages, useDamagedLog } from './damage.ts';
import { subjectDamages } from './subject-damages.ts';

testDamages(useDamagedLog(), some(subjectDamages));
