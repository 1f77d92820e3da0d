// The words that stand in place of a command; more of them in words.long.ts.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const slipstream = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const run = (...argv: string[]) => spawnSync(process.execPath, [slipstream, ...argv], { encoding: 'utf8' });

test.each([
  [['help'], 0, /^Usage: slipstream \[--NAME VALUE\]/],
  [['help', 'tail'], 0, /^Usage: slipstream tail /],
  [['tali'], 2, /no command tali \(Did you mean tail\?\): .*, or none for the daemon/],
  [['serve', '--nats-ulr', 'x'], 2, /Did you mean --nats-url\?/],
] as const)('%j', (argv, code, text) => {
  const { status, stdout, stderr } = run(...argv);
  expect(status).toBe(code);
  expect(code === 0 ? stdout : stderr).toMatch(text);
});
