// More ways to call the command wrongly: each is a process of its own.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const command = resolve(import.meta.dirname, '../cmd/relay-sim.ts');

test.each([
  ['CONFIG_FLAG_INVALID', '--port', '65536'],
  ['CONFIG_FLAG_INVALID', '--loop'],
  ['CONFIG_MISSING_VALUE', '--rate'],
  ['CONFIG_UNEXPECTED_ARGUMENT', 'serve'],
  ['SIMULATOR_MIX_INVALID', '--mix', 'nothing'],
  ['SIMULATOR_FAULT_INVALID', '--faults', 'explode=1'],
  ['SIMULATOR_FILE_FAILED', '--frames-file', '/'],
  ['SIMULATOR_LISTEN_FAILED', '--host', '192.0.2.1'],
])('answers with one line, %s and status 2: %s %s', (code, ...flags) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...flags], { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toMatch(new RegExp(`^relay-sim: [^\\n]+ \\(${code}\\)\\n$`));
  expect(stdout).toBe('');
});
