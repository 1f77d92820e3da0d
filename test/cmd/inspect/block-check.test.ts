import { blockDamages } from './block-damages.ts';
import { testDamages, useDamagedLog } from './damage.ts';

testDamages(useDamagedLog(), blockDamages);
