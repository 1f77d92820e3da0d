// The examples of the package's README: all of them compile as a consumer would compile them, and run to their end.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const entry = join(root, 'simulator/lib/simulator.ts');
const tsc = join(root, 'node_modules/.bin/tsc');
let folder: string;
let examples: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-docs-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const text = await readFile(join(root, 'simulator/README.md'), 'utf8');
  examples = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]);
  const { compilerOptions } = JSON.parse(await readFile(join(root, 'tsconfig.json'), 'utf8'));
  const options = {
    ...compilerOptions,
    noEmit: false,
    // Emitted, since not every Node knows `await using`.
    allowImportingTsExtensions: true,
    rewriteRelativeImportExtensions: true,
    paths: { 'slipstream-simulator': [entry] },
    rootDir: '/',
    outDir: join(folder, 'out'),
  };
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, include: ['*.ts'] }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

test('every example compiles and runs', async () => {
  expect(examples).toHaveLength(3);
  for (const [at, example] of examples.entries()) await writeFile(join(folder, `example${at}.ts`), example);
  const { stdout: problems } = await promisify(execFile)(tsc, ['-p', folder]).catch((error) => error);
  expect(problems).toBe('');
  const printed: string[] = [];
  for (const at of examples.keys()) {
    const file = join(folder, `run${at}.mjs`);
    const built = await readFile(join(folder, 'out', folder, `example${at}.js`), 'utf8');
    await writeFile(file, built.replace("'slipstream-simulator'", JSON.stringify(entry)));
    printed.push((await promisify(execFile)(process.execPath, [file])).stdout);
  }
  expect(printed[0]).toMatch(/^at:\/\/did:\S+\/app\.bsky\.feed\.post\/\w{13}: a frame of \d{3,} bytes\n$/);
  expect(printed[1]).toBe('3\n');
  expect(printed[2]).toMatch(/^point your server at ws:\/\/127\.0\.0\.1:\d+; it has 0 readers\n$/);
});
