// Attacks on a running daemon: half a minute. One file at a time, since each measures what the daemon still does meanwhile.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/safety/**/*.safety.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { interval: 5, timeout: 15_000 } },
  },
});
