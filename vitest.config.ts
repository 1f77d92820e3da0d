// The suites, a project each. `npm test` runs `unit` and `unit-shared`; the others have an npm script each, because they want programs, both
// cores or minutes of their own. One file by hand: `npx vitest run test/log/block-cut.test.ts`.

import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { mutantPlugins } from './test/mutants/mutant-plugin.ts';
import { sharing } from './test/processes.ts';

type ProjectTest = NonNullable<TestProjectInlineConfiguration['test']>;

/** Compiled sources of the processes that tests start: each takes a third of a second without. */
const compileCache = join(tmpdir(), 'slipstream-test-compile-cache');

/** A project whose files run one at a time, because each measures or restarts whole processes. */
function serial(
  name: string,
  include: readonly string[],
  timeoutMs: number,
  pollMs: number,
  pollMsMax = 20_000,
): ProjectTest {
  return {
    name,
    include: [...include],
    testTimeout: timeoutMs,
    hookTimeout: Math.min(timeoutMs, 180_000),
    pool: 'forks',
    fileParallelism: false,
    expect: { poll: { interval: pollMs, timeout: pollMsMax } },
    // What each test measured is worth reading when it passes, too.
    disableConsoleIntercept: true,
  };
}

const unitCommon: ProjectTest = {
  env: { NODE_COMPILE_CACHE: compileCache },
  // Not what a test may take, which is seconds at most: a machine with other work is slow, and no test of ours hangs.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  pool: 'forks',
  // Much of a test is waiting for sockets: there are more files under way than cores. (Of '150%' vitest makes 100.)
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  expect: { poll: { interval: 5, timeout: 30_000 } },
};

const unit: ProjectTest = {
  ...unitCommon,
  name: 'unit',
  include: ['{test,client/test,simulator/test}/**/*.test.ts'],
  exclude: ['**/node_modules/**', ...sharing],
};

/** Processes that take one file after the other. */
const unitShared: ProjectTest = {
  ...unitCommon,
  name: 'unit-shared',
  include: [...sharing],
  isolate: false,
};

export default defineConfig({
  test: {
    projects: [
      unit,
      unitShared,
      // The status page in headless Chromium. `STATUS_PICTURE=docs/status-page.png` also takes the picture of the README.
      serial('browser', ['test/browser/**/*.browser.ts'], 60_000, 50),
      // Attacks on a running daemon. How long they may take is for machines with much other work.
      serial('safety', ['test/safety/**/*.safety.ts'], 300_000, 20, 120_000),
      // Inputs made from a grammar, to running daemons and to readers alone. FUZZ_SECONDS, FUZZ_SEED, FUZZ_FROM and FUZZ_COUNT choose the run.
      serial('fuzz', ['test/fuzz/**/*.fuzz.ts'], 240_000, 5),
      // Tests of the suite `unit` in all but time, kill -9 and other ends of real processes, and bugs that tests have to find: waiting
      // for processes is most of it. CRASH_SEED and CRASH_KILLS choose the run.
      {
        ...serial(
          'long',
          [
            'test/crash/**/*.crash.ts',
            '{test,client/test,simulator/test}/**/*.long.ts',
            'test/mutants/relay-position.mutants.ts',
          ],
          15 * 60_000,
          50,
        ),
        env: { NODE_COMPILE_CACHE: compileCache },
        fileParallelism: true,
        maxWorkers: 2,
        // Projects of one group have to have the same number of workers.
        sequence: { groupOrder: 1 },
      },
      // A soak of hundreds of subscribers. SOAK_SEED, SOAK_SECONDS and SOAK_SUBSCRIBERS choose the run.
      serial('soak', ['test/soak/**/*.soak.ts'], 15 * 60_000, 50),
      // A disk that fails at random, and a slow one. CRASH_SEED, FAULT_SECONDS and SLOW_SECONDS choose the run. Wants a C compiler.
      serial('disk', ['test/crash/*.disk.ts'], 15 * 60_000, 50),
      // Bugs that the fuzzer, and the tests of what checks commits, have to find. By hand: ten minutes.
      serial('mutants', ['test/mutants/{fuzz,verify}.mutants.ts'], 15 * 60_000, 50),
      // A cluster: NATS servers, nodes, kills of all of them. CLUSTER_SECONDS and CLUSTER_SEED choose the run. Wants a Go compiler.
      {
        ...serial('cluster', ['test/cluster/**/*.cluster.ts'], 60 * 60_000, 50),
        // Most of it is waiting: for leases, elections of servers, and kills.
        fileParallelism: true,
        maxWorkers: 2,
        sequence: { groupOrder: 2 },
      },
      // Clients in other languages, on the packages of their worlds, built by their own tools.
      serial('clients', ['test/clients/**/*.clients.ts'], 60_000, 50),
      // The three packages, packed and installed into empty projects.
      serial('packages', ['test/packages/**/*.packages.ts'], 10 * 60_000, 50),
    ].map((test) => ({ test, plugins: mutantPlugins() })),
  },
});
