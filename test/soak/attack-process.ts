// A process of its own for attackers. Forked by attacks.ts, which says which attacks go on from now.

import { SeededRandom } from '../../lib/seeded-random.ts';
import { attacks } from './attack-list.ts';

/** What attacks.ts sends: all that go on. */
export interface AttackRequest {
  readonly port: number;
  readonly seed: string;
  readonly names: readonly string[];
}

const stops = new Map<string, () => void>();

process.on('message', ({ port, seed, names }: AttackRequest) => {
  for (const [name, stop] of stops) if (!names.includes(name)) stop();
  for (const name of names) {
    if (stops.has(name)) continue;
    let isOver = false;
    stops.set(name, () => {
      isOver = true;
      stops.delete(name);
    });
    attacks[name]({ port, random: new SeededRandom(seed, name), isOver: () => isOver }).catch(
      (error: unknown) => {
        if (!isOver) process.send?.(`${name}: ${error}`);
      },
    );
  }
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
