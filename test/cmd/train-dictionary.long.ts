import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { WebSocketServer } from '../../lib/websocket.ts';
import { likeText } from './train-dictionary/sample-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipstream-train-'));
afterAll(() => rmSync(folder, { recursive: true }));
const installed = spawnSync('zstd', ['--version']).status === 0;
if (!installed) console.warn('skipped: the training command, because "zstd" is not installed');

const events = Array.from({ length: 1_200 }, (_, at) => likeText(at, at));
const eventsPath = join(folder, 'events.jsonl');
writeFileSync(eventsPath, `${events.join('\n')}\n`);

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: string[], env = process.env): Promise<Run> {
  const path = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [path, 'train-dictionary', ...args],
      { env, cwd: folder },
      (_error, stdout, stderr) => {
        done({ status: child.exitCode ?? -1, stdout, stderr });
      },
    );
  });
}

const common = ['--events', '1000', '--size', '4KiB'];

/** The one dictionary in a folder, and its metadata. */
function made(out: string) {
  const files = readdirSync(out).toSorted();
  const dictionary = readDictionary(join(out, files[1]));
  expect(files).toEqual([`${dictionary.id}.json`, `${dictionary.id}.zdict`]);
  return { dictionary, metadata: JSON.parse(readFileSync(join(out, files[0]), 'utf8')) };
}

describe.skipIf(!installed)('train-dictionary', () => {
  test('trains on a file, the same for the same seed', async () => {
    const outs = ['one', 'two', 'other'].map((name) => join(folder, name));
    for (const [at, out] of outs.entries()) {
      const { status, stdout } = await run([
        ...common,
        '--from',
        eventsPath,
        '--out',
        out,
        '--seed',
        `${at >> 1}`,
      ]);
      expect([status, stdout]).toEqual([0, expect.stringContaining(`${out}/`)]);
    }
    const [one, two, other] = outs.map(made);
    expect(two.dictionary).toEqual(one.dictionary);
    expect(other.dictionary).not.toEqual(one.dictionary);
    const { id, bytes, sha256 } = one.dictionary;
    expect(bytes.length).toBeLessThanOrEqual(4096);
    const own = readDictionary(defaultDictionaryPath());
    expect(one.metadata).toMatchObject({
      id,
      sha256,
      bytes: bytes.length,
      source: 'events.jsonl',
      seed: '0',
      trainer: expect.stringMatching(/^zstd /),
      against: { id: own.id, sha256: own.sha256 },
    });
    const { trainedOn, heldOut, levels } = one.metadata;
    expect(trainedOn.events + heldOut.events).toBe(1_000);
    expect(heldOut.events).toBeGreaterThan(50);
    for (const row of levels) expect(row.ratio).toBeLessThan(0.8 * row.ratioWithoutDictionary);
    // Made for these events alone, it beats the one in the package.
    expect(levels[4].ratio).toBeLessThan(levels[4].against.ratio);
    expect(Buffer.from(bytes).toString('latin1')).toContain('"kind":"commit"');
  });

  test('is a command of slipstream, and takes an id and a dictionary to compare with', async () => {
    const out = join(folder, 'named');
    const flags = [
      '--from',
      eventsPath,
      '--out',
      out,
      '--id',
      '2000000000',
      '--against',
      defaultDictionaryPath(),
    ];
    const { status } = await run([...common, ...flags]);
    expect(status).toBe(0);
    expect(made(out).metadata).toMatchObject({ id: 2_000_000_000, against: { id: expect.any(Number) } });
  });

  test('trains on the live events of a server', async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    server.on('connection', (client) => {
      for (const text of events) client.send(text);
    });
    await new Promise((listening) => server.once('listening', listening));
    const out = join(folder, 'live');
    const { port } = server.address() as AddressInfo;
    const from = `ws://127.0.0.1:${port}/subscribe?wantedCollections=app.bsky.feed.like`;
    const { status, stderr } = await run([...common, '--from', from, '--out', out]);
    expect([status, stderr]).toEqual([0, expect.stringContaining('training on')]);
    expect(made(out).metadata.source).toBe(`127.0.0.1:${port}`);
  });

  test.each([
    ['nothing', ''],
    ['no events', '{"a":1}\n'.repeat(500)],
    ['too few events', `${events.slice(0, 90).join('\n')}\n`],
    ['one account', `${Array.from({ length: 500 }, (_, at) => likeText(at, 1)).join('\n')}\n`],
  ])('%s in the file is said', async (name, content) => {
    const path = join(folder, `${name}.jsonl`);
    writeFileSync(path, content);
    const { status, stderr } = await run([...common, '--from', path]);
    expect([status, stderr]).toEqual([2, expect.stringContaining(`${name}.jsonl has too few events`)]);
  });

  test.each([
    ['/nonexistent/events.jsonl', 'no such file'],
    ['ws://127.0.0.1:1/subscribe', 'cannot subscribe at 127.0.0.1:1'],
    ['ws://[', 'is not an address'],
  ])('%s is refused in one line', async (from, text) => {
    const { status, stderr } = await run([...common, '--from', from]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^train-dictionary: [^\n]+\n$/)]);
    expect(stderr).toContain(text);
  });
});

test.each([
  [[], '--from is missing'],
  [['--from', 'x', '--size', '129KiB'], "argument '129KiB' is invalid. Must be 1KiB to 128KiB."],
  [['--from', 'x', '--size', 'large'], "option '--size <BYTES>' argument 'large' is invalid"],
  [['--from', 'x', '--events', '999'], 'Must be a whole number from 1000 to 1000000'],
  [['--from', 'x', '--id', '7'], 'Must be a whole number from 32768 to 2147483647'],
  [['--from', 'x', '--minutes', '0'], "option '--minutes <N>' argument '0' is invalid"],
  [['--from', 'x', '--against', '/nonexistent'], 'cannot read the zstd dictionary /nonexistent'],
  [['--nonsense'], '--nonsense'],
  [['stray'], 'stray'],
])('%j is refused in one line', async (flags, text) => {
  const { status, stderr } = await run(flags);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^train-dictionary: [^\n]+\n$/)]);
  expect(stderr).toContain(text);
});

test('without the zstd command line, says what to install', async () => {
  const { status, stderr } = await run(['--from', eventsPath], { ...process.env, PATH: '/nonexistent' });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^train-dictionary: .*install zstd/)]);
});

test('the help names every flag', async () => {
  const { status, stdout } = await run(['--help']);
  expect(status).toBe(0);
  for (const flag of ['from', 'events', 'minutes', 'out', 'size', 'id', 'against', 'seed'])
    expect(stdout).toContain(`--${flag} `);
});
