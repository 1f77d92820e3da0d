// `slipstream dictionaries fetch` as it is run, against addresses of this test; what a daemon makes of what it keeps is in
// test/clients and test/worker.

import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fetchOfficialDictionary, officialSources } from '../../cmd/dictionaries/fetch.ts';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { officialDictionary, officialDictionaryPath } from '../../lib/codec/official-dictionary.ts';
import { hasShared, sharedNote, officialDictionaryPath as sharedPath } from '../support/shared.ts';

const slipstream = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const folder = mkdtempSync(join(tmpdir(), 'slipstream-fetch-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the server has, by path. */
const pages = new Map<string, Uint8Array>([
  ['/other', readFileSync(defaultDictionaryPath())],
  ['/zeros', new Uint8Array(officialDictionary.bytes)],
  ['/long', new Uint8Array(4 * officialDictionary.bytes)],
]);
if (hasShared) pages.set('/official', readFileSync(sharedPath));
let asked: string[];
let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer(({ url = '' }, response) => {
    asked.push(url);
    // One that never answers.
    if (url === '/silent') return;
    const page = pages.get(url);
    response.writeHead(page === undefined ? 404 : 200).end(page);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let dataDir: string;
beforeEach(() => {
  asked = [];
  dataDir = mkdtempSync(join(folder, 'data-'));
});

/** Runs the command; its exit code and what it wrote. */
function run(...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const argv = [slipstream, 'dictionaries', ...flags];
  const env = { ...process.env, SLIPSTREAM_DATA_DIR: dataDir };
  return new Promise((resolve) =>
    execFile(process.execPath, argv, { env }, (error, stdout, stderr) =>
      resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr }),
    ),
  );
}

test.skipIf(!hasShared)(
  `the first address that has it; once it is there none is asked${sharedNote}`,
  async () => {
    const from = ['/none', '/other', '/zeros', '/long', '/official', '/none'].flatMap((path) => [
      '--from',
      origin + path,
    ]);
    const first = await run('fetch', ...from);
    expect(first).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('restart the daemon'),
    });
    expect(asked).toEqual(['/none', '/other', '/zeros', '/long', '/official']);
    const path = officialDictionaryPath(dataDir);
    expect(readFileSync(path)).toEqual(readFileSync(sharedPath));
    expect(readdirSync(join(dataDir, 'dictionaries'))).toEqual([`${officialDictionary.id}.zdict`]);
    expect(await run('fetch', ...from)).toMatchObject({ code: 0, stdout: `${path} is there already\n` });
    expect(asked).toHaveLength(5);
    // A damaged one is got again.
    writeFileSync(path, 'damaged');
    expect(await run('fetch', '--from', `${origin}/official`)).toMatchObject({ code: 0 });
    expect(readFileSync(path)).toEqual(readFileSync(sharedPath));
  },
);

describe('what is not the dictionary', () => {
  test('is not kept, and every address says why', async () => {
    const from = ['/none', '/other', '/zeros', '/long'].flatMap((path) => ['--from', origin + path]);
    const { code, stdout, stderr } = await run('fetch', ...from);
    expect([code, stdout]).toEqual([1, '']);
    for (const why of ['answers 404', '16384 bytes are something else', 'more than 112640 bytes'])
      expect(stderr).toContain(why);
    expect(stderr).toContain('--zstd-dictionary');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(join(dataDir, 'dictionaries'))).toBe(false);
  });

  test('is no reason to stop with --if-possible; a wrong flag is', async () => {
    const missing = await run('fetch', '--if-possible', '--from', `${origin}/none`);
    expect(missing).toMatchObject({ code: 0, stderr: expect.stringContaining('continuing without it') });
    expect(await run('fetch', '--if-possible', '--from', 'here')).toMatchObject({ code: 2 });
    expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining('dictionaries fetch') });
  });

  test('an address that never answers is left', async () => {
    const fetching = fetchOfficialDictionary(dataDir, [`${origin}/silent`, 'http://127.0.0.1:1/'], 50);
    await expect(fetching).rejects.toMatchObject({
      code: 'DICTIONARY_UNAVAILABLE',
      retryable: true,
      message: expect.stringContaining('no answer within 0.05 s'),
    });
  });
});

test.skipIf(!hasShared)(`a folder that cannot be written to is told${sharedNote}`, async () => {
  const file = join(dataDir, 'file');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(file, '');
  await expect(fetchOfficialDictionary(file, [`${origin}/official`])).rejects.toMatchObject({
    code: 'DICTIONARY_NOT_KEPT',
    message: expect.stringContaining(file),
  });
});

test('the addresses are raw ones of public repositories, at https', () => {
  for (const source of officialSources) expect(source).toMatch(/^https:\/\/raw\.githubusercontent\.com\//);
});
