import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lookedMsMax } from '../../lib/level/table-guard.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, makeLog, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { payloadsOf, SampleLog, seededRandom } from '../support/events.ts';
import type { FileChange } from './damage-child.ts';
import { digestOf } from './damaged-log.ts';
import type { RunningOutcome } from './running-damage-child.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1e6);
const damagesMax = Number(process.env.DAMAGES ?? 3);
let dataDir: string;
let honest: Set<string>;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-running-log-'));
  const sizes = Array.from({ length: 30 }, (_, block) => (block % 3 === 0 ? 256 : 30));
  const { sample } = await makeLog(dataDir, 5, sizes);
  const digests = sample.events.map((event) => digestOf(JSON.stringify(event)));
  honest = new Set(digests);
});
afterAll(() => rmSync(dataDir, { recursive: true }));

function tables(): { file: string; size: number }[] {
  return ['blocks', 'journal'].flatMap((folder) =>
    readdirSync(join(dataDir, folder))
      .filter((name) => name.endsWith('.ldb'))
      .map((name) => `${folder}/${name}`)
      .map((file) => ({ file, size: statSync(join(dataDir, file)).size })),
  );
}

function tryAll(damages: readonly FileChange[]): RunningOutcome[] {
  const child = join(import.meta.dirname, 'running-damage-child.ts');
  const run = spawnSync(process.execPath, [child, dataDir, JSON.stringify(damages)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const outcomes = run.stdout.split('\n').filter(Boolean);
  const unfinished = JSON.stringify(damages[outcomes.length]);
  expect(run, `seed ${seed}, ${unfinished}: ${run.stderr}`).toMatchObject({ status: 0, signal: null });
  return outcomes.map((line) => JSON.parse(line));
}

test('tables that are damaged while the log is open end no process and nothing but what they had', {
  timeout: 600_000,
}, () => {
  const random = seededRandom(seed);
  const files = tables();
  const below = (end: number): number => Math.floor(random() * end);
  const pages = files.flatMap(({ file, size }) =>
    Array.from({ length: Math.ceil(size / 4096) }, (_, page) => ({
      file,
      kind: 'page' as const,
      offset: page * 4096,
    })),
  );
  const damages: FileChange[] = [pages[0], pages[Math.ceil(files[0].size / 4096) - 1]];
  while (damages.length < damagesMax) {
    const { file, size } = files[below(files.length)];
    const byte = random() < 0.5 ? below(size) : size - 1 - below(Math.min(size, 1500));
    const kind = (['page', 'bit', 'cut'] as const)[below(3)];
    if (kind === 'page') damages.push(pages[below(pages.length)]);
    else damages.push({ file, kind, offset: kind === 'bit' ? 8 * byte + below(8) : byte });
  }
  if (process.env.DAMAGES === 'all') damages.splice(0, damages.length, ...pages);
  for (const [at, outcome] of tryAll(damages).entries()) {
    const told = `seed ${seed}, ${JSON.stringify(damages[at])}: ${outcome.errors.join('\n')}`;
    const { errors, served, again, appended } = outcome;
    for (const digest of [...served, ...again])
      expect(honest.has(digest) || appended.includes(digest), told).toBe(true);
    for (const error of errors) expect(error, told).toMatch(/the log is damaged|cannot read/);
    expect(
      errors.some((error) => error.startsWith('then') || error.startsWith('again')),
      told,
    ).toBe(false);
    expect(outcome.errorsAfter, told).toEqual([]);
    // What is new is all there, and so is most of the rest.
    expect(
      appended.slice(0, 279).every((digest) => served.includes(digest)),
      told,
    ).toBe(true);
    if (damages[at].kind !== 'cut') expect(served.length, told).toBeGreaterThan(honest.size / 2);
  }
});

test('a value that is wrong at start is set aside then, and the rest is served', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'slipstream-wrong-value-'));
  cpSync(dataDir, copy, { recursive: true });
  const [{ file, size }] = tables();
  const bytes = readFileSync(join(copy, file));
  bytes[size >> 1] ^= 1;
  writeFileSync(join(copy, file), bytes);
  const told: string[] = [];
  const options = { dataDir: copy, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
  const log = await LevelLog.open({
    ...options,
    onDamage: ({ path, offset }) => told.push(`${path} ${offset}`),
  });
  const served: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1e6);
    for (const { messages } of slices) served.push(...payloadsOf(messages, 0x81).map(digestOf));
    timeUs = throughUs;
  }
  expect(told).toEqual([expect.stringContaining(file)]);
  expect(served.every((digest) => honest.has(digest))).toBe(true);
  expect(served.length).toBeGreaterThan(honest.size / 2);
  expect(served.length).toBeLessThan(honest.size);
  expect(log.coverage.newest(10).map(({ reason }) => reason)).toEqual(['log_damaged']);
  await log.close();
  rmSync(copy, { recursive: true });
});

test('a table that LevelDB has made since the log was opened is known, too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-new-table-'));
  const options = { dataDir: folder, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
  const log = await LevelLog.open(options);
  const sample = new SampleLog(seededRandom(3), { didHashKey: log.didHashKey });
  for (let block = 0; block < 20; block++) await log.append(withRealFrames(sample.block(256)));
  await log.flush();
  const [name] = readdirSync(join(folder, 'blocks')).filter((file) => file.endsWith('.ldb'));
  const table = openSync(join(folder, 'blocks', name), 'r+');
  writeSync(table, Buffer.alloc(4096), 0, 4096, 0);
  closeSync(table);
  for (const untilMs = performance.now() + 2 * lookedMsMax; performance.now() < untilMs; );
  const offset = new RegExp(`${name}, at offset 0: .*run "slipstream inspect repair"`);
  await expect(log.read(0, 'json', 1e6)).rejects.toThrow(offset);
  // Its description was in there: it is known, and is written again.
  await log.append(withRealFrames(sample.block(256)));
  expect((await log.read(0, 'json', 1e6)).slices.length).toBeGreaterThan(0);
  expect(log.tableDamages).toBe(1);
  await log.close();
  const again = await LevelLog.open(options);
  expect(again.didHashKey).toEqual(log.didHashKey);
  await again.close();
  rmSync(folder, { recursive: true });
});

test('a start that is killed while it mends a table costs nothing more', async () => {
  const [{ file, size }] = tables();
  const source = pathToFileURL(join(import.meta.dirname, '../../lib/log/level-log.ts')).href;
  const sample = pathToFileURL(join(import.meta.dirname, '../cmd/inspect/sample-log.ts')).href;
  const killer = join(import.meta.dirname, '../cmd/inspect/kill-at-rename.ts');
  const counts: number[] = [];
  for (let renames = 1; ; renames++) {
    const copy = mkdtempSync(join(tmpdir(), 'slipstream-killed-mending-'));
    cpSync(dataDir, copy, { recursive: true });
    const table = openSync(join(copy, file), 'r+');
    writeSync(table, Buffer.alloc(8192), 0, 8192, size >> 1);
    closeSync(table);
    const options = { dataDir: copy, retentionBytes: 0, tailBytesMax: 0, fsync: false };
    const code = `
      import { LevelLog } from '${source}';
      import { compressor } from '${sample}';
      await LevelLog.open({ ...${JSON.stringify(options)}, compressor });
      process.exit();`;
    const { signal, stderr } = spawnSync(
      process.execPath,
      ['--import', killer, '--input-type=module', '-e', code],
      { encoding: 'utf8', env: { ...process.env, KILL_AT_RENAME: String(renames) } },
    );
    expect(stderr).toBe('');
    const log = await LevelLog.open({ ...options, compressor });
    let count = 0;
    for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
      const { slices, throughUs } = await log.read(timeUs, 'json', 1e6);
      for (const { index } of slices) count += index.count;
      timeUs = throughUs;
    }
    counts.push(count);
    expect(log.coverage.newest(10).every(({ reason }) => reason === 'log_damaged')).toBe(true);
    await log.close();
    rmSync(copy, { recursive: true });
    if (signal === null) break;
  }
  expect(counts.length).toBeGreaterThan(3);
  expect(new Set(counts).size, counts.join()).toBe(1);
  expect(counts[0]).toBeGreaterThan(honest.size * 0.8);
});
