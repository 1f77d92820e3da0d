// The same inputs to a daemon whose wall clock is set forth and back meanwhile, in every thread at other times: subscribers get every event
// in order, once and in time, and what is asked for by time is answered.

import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { Target } from '../safety/target.ts';
import { Run, runOptions } from './run.ts';

const options = runOptions(0.15);
const memoryBytesMax = 400 * 2 ** 20;
const file = resolve(import.meta.dirname, '../crash/jumping-clock-preload.ts');

it('a daemon whose clock jumps stands what strangers send', {
  timeout: options.seconds * 1000 + 180_000,
}, async () => {
  const preload = { file, env: { CRASH_SEED: options.seed } };
  await using target = await Target.start(['--workers', '1'], { preloads: [preload] });
  const { daemon } = target;
  const run = new Run(options, target.port, () => daemon.exit !== undefined);
  try {
    await target.under(memoryBytesMax, () => run.all());
  } finally {
    console.log(`fuzz, a clock that jumps: ${run.figures}`);
  }
  expect(run.failures.join('\n')).toBe('');
  await target.finish();
  expect(daemon.errors).toEqual([]);
});
