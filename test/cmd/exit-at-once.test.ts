import { spawnSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const source = resolve(import.meta.dirname, '../../cmd/exit-at-once.ts');
// A thread that never ends, which `process.exit` would wait for.
const script = `
  import { rmSync } from 'node:fs';
  import { Worker } from 'node:worker_threads';
  import { once } from 'node:events';
  import { exitAtOnce } from ${JSON.stringify(source)};
  const worker = new Worker("import { parentPort } from 'node:worker_threads'; parentPort.postMessage(0); for (;;);", { eval: true });
  await once(worker, 'message');
  if (process.argv.includes('gone')) rmSync(process.execPath);
  exitAtOnce(7);`;

/** A program file of our own, which may be deleted. */
function withProgram<T>(work: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-exit-'));
  const path = join(folder, 'node');
  try {
    try {
      linkSync(process.execPath, path);
    } catch {
      copyFileSync(process.execPath, path);
    }
    return work(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.runIf(process.platform === 'linux').each(['there', 'gone'])(
  'a process ends with its exit code while its program file is %s',
  (state) => {
    const { status, signal, stderr } = withProgram((path) =>
      spawnSync(path, ['--input-type=module', '-e', script, state], { encoding: 'utf8' }),
    );
    expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
  },
);
