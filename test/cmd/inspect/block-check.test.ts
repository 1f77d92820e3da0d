import { blockDamages } from './block-damages.ts';
import { some, testDamages, useDamagedLog } from './damage.ts';

testDamages(useDamagedLog(), some(blockDamages));
