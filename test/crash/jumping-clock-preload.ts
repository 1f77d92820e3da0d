// Loaded into the daemon before its own code: its wall clock is set again and again, by up to a day, forth and back, as CRASH_SEED
// has it; between, it is right for a while.

import { SeededRandom } from '../../lib/seeded-random.ts';

const random = new SeededRandom(process.env.CRASH_SEED ?? '1', 'clock');
const dayMs = 86_400_000;
const now = Date.now;
let offsetMs = 0;
Date.now = () => now() + offsetMs;
setInterval(() => {
  offsetMs = random.chance(0.4) ? 0 : random.between(-dayMs, dayMs);
}, 700).unref();
