// The status page in a real browser. Apart from the usual suite: it needs Chromium, and without one every test is
// skipped and says so. `STATUS_PICTURE=docs/status-page.png` also takes the picture of the README.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/browser/**/*.browser.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { interval: 50, timeout: 20_000 } },
  },
});
