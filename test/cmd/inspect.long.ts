import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { blockKey, parts } from '../../lib/log/block-format.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { contentOf, edit, flip } from './inspect/raw-log.ts';
import { compressor, makeLog, type WrittenLog } from './inspect/sample-log.ts';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
let folder: string;
let dataDir: string;
let made: WrittenLog;
let lines: string[];
/** A log with more than a pipe holds, so that it cannot have been written before its reader goes. */
let large: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-inspect-'));
  dataDir = join(folder, 'data');
  made = await makeLog(dataDir, 99, [300, 300, 5, 1]);
  large = join(folder, 'large');
  await makeLog(large, 101, [300, 300, 300]);
  lines = made.sample.events.map((event) => JSON.stringify(event));
});
afterAll(() => rm(folder, { recursive: true }));

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function inspect(flags: readonly string[], options: Parameters<typeof spawnSync>[2] = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'inspect', ...flags], {
    maxBuffer: 2 ** 28,
    ...options,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('the four commands tell about a log and leave it as it is', async () => {
  const before = await contentOf(dataDir);
  const summary = inspect(['--data-dir', dataDir]);
  expect(summary).toMatchObject({ status: 0, stderr: '' });
  expect(summary.stdout).toMatch(/^events +606 in /m);
  // LevelDB's own files change whenever it is opened.
  const rest = ({ stdout }: Run): string => stdout.replace(/^on disk.*$/m, '');
  expect(rest(inspect(['summary', '--data-dir', dataDir]))).toBe(rest(summary));
  const json = inspect(['--data-dir', dataDir, '--json', '--top', '1']);
  expect(JSON.parse(json.stdout)).toMatchObject({ events: 606, collections: { top: [{}] } });
  expect(inspect(['verify', '--data-dir', dataDir])).toEqual({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^checked 606 events(?:.*\n)+clean\n$/),
  });
  expect(JSON.parse(inspect(['verify', '--json', '--data-dir', dataDir]).stdout)).toMatchObject({
    clean: true,
    uncheckedZstdEvents: {},
  });
  expect(inspect(['export', '--data-dir', dataDir])).toEqual({
    status: 0,
    stderr: '',
    stdout: `${lines.join('\n')}\n`,
  });
  const coverage = inspect(['coverage', '--data-dir', dataDir]);
  expect(coverage).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^nothing: .*\n$/) });
  const rows = inspect(['coverage', '--json', '--data-dir', dataDir]).stdout;
  expect(JSON.parse(rows)).toEqual({ rows: [], damaged: 0 });
  expect(await contentOf(dataDir)).toEqual(before);
});

test('export takes a range, and the folder from the environment', () => {
  const { events } = made.sample;
  const env = { ...process.env, SLIPSTREAM_DATA_DIR: dataDir };
  const [from, to] = [100, 400].map((at) => String(events[at].time_us));
  expect(inspect(['export', '--from', from, '--to', to], { env }).stdout).toBe(
    `${lines.slice(100, 400).join('\n')}\n`,
  );
  expect(inspect(['export', '--from', from, '--limit', '3'], { env }).stdout).toBe(
    `${lines.slice(100, 103).join('\n')}\n`,
  );
  expect(inspect(['export', '--from', '2099-01-01T00:00:00Z'], { env })).toEqual({
    status: 0,
    stdout: '',
    stderr: '',
  });
});

test('variables that disagree on the folder are refused in a line; the flag decides', () => {
  const env = { ...process.env, SLIPSTREAM_DATA_DIR: dataDir, JETSTREAM_DATA_DIR: folder };
  const { status, stdout, stderr } = inspect(['summary'], { env });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^inspect: SLIPSTREAM_DATA_DIR=.* disagree: .*\(CONFIG_CONFLICT\)\n$/);
  expect(inspect(['summary', '--data-dir', dataDir], { env })).toMatchObject({ status: 0, stderr: '' });
});

test('damage is exit code 1 everywhere', async () => {
  const damaged = join(folder, 'damaged');
  const { stored } = await makeLog(damaged, 100, [300, 300, 2]);
  await edit(damaged, 'blocks', (db) => flip(db, blockKey(stored[1], parts.head), 900));
  const verify = inspect(['verify', '--data-dir', damaged]);
  expect(verify).toMatchObject({ status: 1, stderr: '' });
  expect(verify.stdout).toMatch(new RegExp(`^block ${stored[1]}: head_damaged: `));
  expect(verify.stdout).toMatch(/\nDAMAGED: 1 problem\n$/);
  expect(inspect(['--data-dir', damaged])).toMatchObject({ status: 1 });
  const exported = inspect(['export', '--data-dir', damaged]);
  expect(exported.status).toBe(1);
  expect(exported.stdout.split('\n').length - 1).toBe(302);
  expect(exported.stderr).toMatch(/^inspect: left out: .*\(LOG_CORRUPT\)\n$/);
});

test('a log that a daemon has open, and a folder without one, are refused in a line', async () => {
  const log = await LevelLog.open({ dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor });
  try {
    for (const command of ['summary', 'verify', 'export']) {
      const { status, stdout, stderr } = inspect([command, '--data-dir', dataDir]);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^inspect: .*in use: stop the other process.*\(LOG_LOCKED\)\n$/);
    }
  } finally {
    await log.close();
  }
  const empty = join(folder, 'empty');
  for (const missing of [empty, folder]) {
    const { status, stderr } = inspect(['--data-dir', missing]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^inspect: there is no log in .*\(LOG_MISSING\)\n$/);
    expect(existsSync(join(missing, 'blocks'))).toBe(false);
  }
  expect(existsSync(empty)).toBe(false);
});

test.each([
  [['bogus'], 'there is no command bogus: give one of summary, verify, repair, coverage, export'],
  [['export', 'more'], 'there is no command more: give one of summary, verify, repair, coverage, export'],
  [['__proto__'], 'there is no command __proto__: give one of summary, verify, repair, coverage, export'],
  [['--nonsense'], "unknown option '--nonsense'"],
  [['verify', '--top', '5'], "unknown option '--top'"],
  [['--from', '5'], "unknown option '--from'"],
  [['--top', '-1'], '--top'],
  [['--top', 'all'], "option '--top <N>' argument 'all' is invalid. Must be a whole number."],
  [['export', '--limit', '1e3'], "option '--limit <N>' argument '1e3' is invalid."],
  [['export', '--from', 'noon'], '--from "noon" is not a time'],
  [['verify', '--zstd-dictionary', '/nonexistent.zdict'], 'CODEC_DICTIONARY_UNREADABLE'],
])('%j is refused in a line', (flags, text) => {
  const { status, stdout, stderr } = inspect([...flags, '--data-dir', dataDir]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^inspect: [^\n]+\n$/);
  expect(stderr).toContain(text);
});

test('the help has at most 100 columns and names every flag', () => {
  const helps = [['--help'], ['summary', '--help'], ['verify', '-h'], ['export', '--help']].map((flags) =>
    inspect(flags),
  );
  for (const { status, stdout, stderr } of helps) {
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  }
  const text = helps.map(({ stdout }) => stdout).join('');
  for (const flag of ['data-dir', 'top', 'json', 'zstd-dictionary', 'from', 'to', 'limit']) {
    expect(text).toContain(`--${flag}`);
  }
});

test('a dictionary can be given, and the same as the package’s is no conflict', async () => {
  const path = join(folder, 'copy.zdict');
  await copyFile(defaultDictionaryPath(), path);
  const flags = ['verify', '--data-dir', dataDir, '--zstd-dictionary', path, '--zstd-dictionary', path];
  expect(inspect(flags)).toMatchObject({ status: 0 });
  await writeFile(path, 'not a dictionary, but long enough to look at its first bytes');
  expect(inspect(flags)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('CODEC_DICTIONARY_INVALID'),
  });
});

test('a reader that has enough ends it without a complaint', async () => {
  for (const flags of [['export'], ['summary']]) {
    const child = spawn(process.execPath, [program, 'inspect', ...flags, '--data-dir', large], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    if (flags[0] === 'export') await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = await once(child, 'close');
    expect({ code, stderr }, flags[0]).toEqual({ code: 0, stderr: '' });
  }
});

test('a slow reader gets every line', async () => {
  const child = spawn(process.execPath, [program, 'inspect', 'export', '--data-dir', large], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    child.stdout.pause();
    setImmediate(() => child.stdout.resume());
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(text.split('\n').length).toBe(901);
});

test.skipIf(!existsSync('/dev/full'))('a full disk under the output is a refusal, not a crash', () => {
  const { status, stderr } = inspect(['export', '--data-dir', dataDir], {
    stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
  });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^inspect: cannot write to standard output: .*\(INSPECT_OUTPUT_FAILED\)\n$/);
});
