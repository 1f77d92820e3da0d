import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{test,client/test,simulator/test}/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    // Most of a test is waiting for sockets, so every core has a file to run.
    maxWorkers: '100%',
    expect: { poll: { interval: 5, timeout: 15_000 } },
  },
});
