// The oldest Node.js: one number wherever it is written, and one line from the installed command where it is older.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
// JavaScript, which the type check of the sources does not read.
const { isSupportedNode, supportedNode } = await import(join(root, 'bin/supported-node.js'));
/** To import before a program that is to take this Node.js for an old one. */
const asOld = `data:text/javascript,${encodeURIComponent(
  'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })',
)}`;
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

test('what engines of the packages say; the client needs less: a WebSocket', () => {
  for (const folder of ['.', 'simulator']) {
    expect(JSON.parse(read(`${folder}/package.json`)).engines.node, folder).toBe('^22.21 || >=24.9');
  }
  expect(JSON.parse(read('client/package.json')).engines.node).toBe('>=22');
  expect(read('client/README.md').replaceAll(/\s+/g, ' ')).toContain('Node.js 22 or later');
  const all = [
    '18.20.0',
    '20.20.2',
    '22.9.0',
    '22.20.0',
    '22.21.0',
    '22.30.1',
    '23.11.0',
    '24.8.0',
    '24.9.0',
  ];
  expect([...all, '25.0.0', '26.10.0'].filter(isSupportedNode)).toEqual([
    ...['22.21.0', '22.30.1', '24.9.0', '25.0.0', '26.10.0'],
  ]);
});

test.each(['README.md', 'docs/deploying.md', 'simulator/README.md'])('%s says the same', (path) => {
  expect(read(path).replaceAll(/\s+/g, ' ')).toContain(`Node.js ${supportedNode}`);
});

test('an older one gets a line, and exit code 2', () => {
  const command = ['--import', asOld, join(root, 'bin/slipstream.js')];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toBe(
    `slipstream: this is Node.js 20.20.2, and ${supportedNode} is needed: see https://nodejs.org\n`,
  );
});

test('a newer Node.js is installed in a clone, and nowhere else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-bin-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(join(root, 'bin'), join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  // An npm that would be seen, and does nothing.
  await writeFile(join(folder, 'npm'), '#!/bin/sh\necho "npm $*"\n', { mode: 0o755 });
  const script = join(folder, 'bin/newer-node.js');
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, npm_command: 'ci' };
  const prepare = () => spawnSync(process.execPath, ['--import', asOld, script], { encoding: 'utf8', env });
  expect(prepare()).toMatchObject({ status: 0, stdout: '', stderr: '' });
  await mkdir(join(folder, 'cmd'));
  await writeFile(join(folder, 'cmd/slipstream.ts'), '');
  expect(prepare().stdout).toMatch(
    /^Node\.js 20\.20\.2 .* too old: .*\nnpm install --no-save --loglevel=error node@/,
  );
});

test('a clone runs its sources', () => {
  const command = [join(root, 'bin/slipstream.js'), '--no-such-flag'];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toContain('CONFIG_UNKNOWN_FLAG');
});

test('the command is read by a Node.js that knows nothing new: no import at its top, no syntax later than of 2020', () => {
  const text = read('bin/slipstream.js');
  expect(text).not.toMatch(/^import[^(]/m);
  expect(text).not.toMatch(/\?\?=|\|\|=|^await /m);
});
