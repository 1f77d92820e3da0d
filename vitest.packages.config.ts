// The three packages as a user gets them: packed, installed in empty projects, and run there. Apart from the usual suite: it
// needs a registry, and without one every test is skipped and says so, except in CI.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/packages/**/*.packages.ts'],
    testTimeout: 10 * 60_000,
    hookTimeout: 10 * 60_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
