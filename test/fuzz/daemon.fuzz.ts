// Everything that a stranger can send, to two daemons over real sockets: one with a worker thread, one without. Both serve two
// subscribers at rate meanwhile, who have to get every event in time and once. FUZZ_SECONDS, FUZZ_SEED, FUZZ_FROM and FUZZ_COUNT
// choose the run.

import { expect, it } from 'vitest';
import { mutantPreloads } from '../mutants/mutant-plugin.ts';
import { Target } from '../safety/target.ts';
import { Run, runOptions } from './run.ts';

/** The rest is for readers.fuzz.ts and clock.fuzz.ts. */
const share = 0.6;
/** What all inputs together may cost a daemon at any moment: heads, answers that are read slowly, what Node collects late. */
const memoryBytesMax = 400 * 2 ** 20;
const options = runOptions(share);
const timeoutMs = options.seconds * 1000 + 180_000;

it.concurrent.each(['1', '0'])(
  'a daemon with %s workers stands all that strangers send',
  { timeout: timeoutMs },
  async (workers) => {
    await using target = await Target.start(['--workers', workers], { preloads: mutantPreloads() });
    const { daemon } = target;
    const run = new Run(options, target.port, () => daemon.exit !== undefined);
    try {
      await target.under(memoryBytesMax, () => run.all());
    } finally {
      console.log(`fuzz, ${workers} workers: ${run.figures}`);
    }
    expect(run.failures.join('\n')).toBe('');
    await target.finish();
    expect(daemon.errors).toEqual([]);
  },
);
