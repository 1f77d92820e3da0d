// Loaded into the daemon before its own code: its wall clock is set again and again, by up to a day, forth and back, as CRASH_SEED
// has it; between, it is right for a while. Not before it listens, in each thread: to one that starts with a wrong clock nothing says so.

import { Server } from 'node:net';
import { SeededRandom } from '../../lib/seeded-random.ts';

const random = new SeededRandom(process.env.CRASH_SEED ?? '1', 'clock');
const dayMs = 86_400_000;
const now = Date.now;
let offsetMs = 0;
Date.now = () => now() + offsetMs;

const { listen } = Server.prototype;
let hasBegun = false;
Server.prototype.listen = function (this: Server, ...how: unknown[]): Server {
  if (!hasBegun) {
    setInterval(() => {
      offsetMs = random.chance(0.4) ? 0 : random.between(-dayMs, dayMs);
    }, 700).unref();
  }
  hasBegun = true;
  return Reflect.apply(listen, this, how);
};
