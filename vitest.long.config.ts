// The long tests: kill -9 and other ends of real processes (test/crash), and a soak of hundreds of subscribers
// (test/soak). Apart from the usual suite: they take minutes and want both cores for themselves, so one file runs at a
// time. `CRASH_SEED`, `CRASH_KILLS`, `SOAK_SEED`, `SOAK_SECONDS` and `SOAK_SUBSCRIBERS` choose the run.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/crash/**/*.crash.ts', 'test/soak/**/*.soak.ts'],
    testTimeout: 15 * 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    fileParallelism: false,
    // What each test measured is worth reading when it passes, too.
    disableConsoleIntercept: true,
  },
});
