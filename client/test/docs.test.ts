// The examples of the package's README: all of them compile as a consumer would compile them, and the first runs.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { postEvent, V1Server } from './v1-server.ts';

const root = resolve(import.meta.dirname, '../..');
const entry = join(root, 'client/lib/subscribe.ts');
let folder: string;
let examples: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-docs-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const text = await readFile(join(root, 'client/README.md'), 'utf8');
  examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]);
});
afterAll(() => rm(folder, { recursive: true }));

test('every example compiles', async () => {
  expect(examples.length).toBeGreaterThan(3);
  for (const [at, example] of examples.entries()) await writeFile(join(folder, `example${at}.ts`), example);
  const { compilerOptions } = JSON.parse(await readFile(join(root, 'tsconfig.json'), 'utf8'));
  const options = { ...compilerOptions, paths: { 'slipstream-client': [entry] } };
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, include: ['*.ts'] }),
  );
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { stdout } = await promisify(execFile)(tsc, ['-p', folder]).catch((error) => error);
  expect(stdout).toBe('');
});

test('the first example runs', async () => {
  await using server = await V1Server.listen();
  server.publish(postEvent('shown', 1));
  const file = join(folder, 'first.ts');
  const text = examples[0].replace("'slipstream-client'", JSON.stringify(entry));
  await writeFile(file, text.replace('ws://localhost:6008', server.url));
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [data] = await once(child.stdout, 'data');
  child.kill();
  expect(String(data)).toMatch(/^did:plc:a{24} app\.bsky\.feed\.post \{.*text: 'shown'/);
  expect(server.queries[0].getAll('wantedCollections')).toEqual(['app.bsky.feed.post', 'app.bsky.graph.*']);
});
