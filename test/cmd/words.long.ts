// More words that stand in place of a command: each is a process of its own.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const slipstream = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const run = (...argv: string[]) => spawnSync(process.execPath, [slipstream, ...argv], { encoding: 'utf8' });

test.each([
  [['version'], 0, /^slipstream \d+\.\d+\.\d+\n$/],
  [['tail', 'help'], 0, /^Usage: slipstream tail /],
  [['start'], 2, /no command start: .*, or none for the daemon/],
  [['help', 'serve'], 0, /^Usage: slipstream serve \[--NAME VALUE\]/],
  [['ingest'], 2, /"slipstream ingest" is one of several machines: give --nats-url/],
  [['--port', '80'], 2, /unknown option '--port' \(Did you mean --listen-addr\?\)/],
  [['tail', '--collection', 'a.b.c'], 2, /Did you mean --wanted-collections\?/],
] as const)('%j', (argv, code, text) => {
  const { status, stdout, stderr } = run(...argv);
  expect(status).toBe(code);
  expect(code === 0 ? stdout : stderr).toMatch(text);
});
