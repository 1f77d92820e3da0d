// The daemon's process begins anew with what can only be told to one that begins: once, as the same process. What is set by hand stays.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-lean-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

/** Arguments of the daemon's process, and its variables, once it has started. */
async function startedWith(own: readonly string[], env: NodeJS.ProcessEnv): Promise<[string[], string[]]> {
  // Nobody listens there.
  const flags = ['--ws-url', 'ws://127.0.0.1:9', '--data-dir', dataDir, '--log-format', 'json'];
  const addresses = ['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'];
  const child = spawn(process.execPath, [...own, program, ...flags, ...addresses], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes('"msg":"started"')) continue;
      const read = (what: string): string[] =>
        readFileSync(`/proc/${child.pid}/${what}`, 'latin1').split('\0');
      return [read('cmdline'), read('environ')];
    }
    throw new Error('the daemon has not started');
  } finally {
    child.kill('SIGKILL');
  }
}

test.runIf(process.platform === 'linux')('the same process begins anew, with its flags', async () => {
  const { MALLOC_ARENA_MAX: _, ...env } = process.env;
  const [flags, variables] = await startedWith(['--stack-trace-limit=7'], env);
  expect(flags.slice(1, 7)).toEqual([
    '--max-semi-space-size=4',
    expect.stringMatching(/^--v8-pool-size=[1-4]$/),
    '--incremental-marking-soft-trigger=70',
    '--incremental-marking-hard-trigger=85',
    '--stack-trace-limit=7',
    program,
  ]);
  expect(variables).toContainEqual(expect.stringMatching(/^MALLOC_ARENA_MAX=[1-4]$/));
});

test.runIf(process.platform === 'linux')(
  'where there is little memory V8 has less, and malloc keeps less',
  async () => {
    const { MALLOC_ARENA_MAX: _, ...env } = process.env;
    writeFileSync(join(dataDir, 'limit'), String(128 * 2 ** 20));
    const preload = ['--import', join(import.meta.dirname, '../safety/container-preload.ts')];
    const [flags, variables] = await startedWith(preload, { ...env, CONTAINER: dataDir });
    expect(flags.slice(1)).toEqual(
      expect.arrayContaining(['--max-semi-space-size=2', '--max-old-space-size=48']),
    );
    expect(variables).toContain('MALLOC_MMAP_THRESHOLD_=65536');
  },
);

test.runIf(process.platform === 'linux')('what is set by hand stays as it is', async () => {
  const [flags] = await startedWith([], { ...process.env, MALLOC_ARENA_MAX: '3' });
  expect(flags[1]).toBe(program);
});

test.runIf(process.platform === 'linux')('what NODE_OPTIONS sets stays as it is', async () => {
  const { MALLOC_ARENA_MAX: _, ...env } = process.env;
  const [flags] = await startedWith([], { ...env, NODE_OPTIONS: '--max_semi_space_size=32' });
  expect(flags.slice(1, 2)).toEqual([expect.stringMatching(/^--v8-pool-size=/)]);
  expect(flags).not.toContainEqual(expect.stringMatching(/semi/));
});

// Some versions of Node abort the process there, and the others warn.
test('a program file that is not where it is said to be is not tried', async () => {
  const { MALLOC_ARENA_MAX: _, ...env } = process.env;
  const lean = pathToFileURL(resolve(import.meta.dirname, '../../cmd/lean-process.ts')).href;
  const script = `process.execPath = 'no-such-node'; (await import('${lean}')).leanProcess(); console.log('goes on');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const [exitCode] = await once(child, 'close');
  expect([exitCode, output]).toEqual([0, 'goes on\n']);
});
