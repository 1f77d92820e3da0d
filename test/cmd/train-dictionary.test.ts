import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readDictionary } from '../../lib/codec/dictionary.ts';
import { writeFrames } from '../../lib/simulator/frames-file.ts';
import { SyntheticNetwork } from '../../lib/simulator/network.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipstream-train-'));
afterAll(() => rmSync(folder, { recursive: true }));
const installed = spawnSync('zstd', ['--version']).status === 0;
if (!installed) console.warn('skipped: the training command, because "zstd" is not installed');

function train(flags: string[], env: NodeJS.ProcessEnv = process.env) {
  const program = resolve(import.meta.dirname, '../../cmd/train-dictionary.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...flags], {
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe.skipIf(!installed)('train-dictionary', () => {
  test('trains on the simulator, the same for the same seed', () => {
    const outs = ['one', 'two'].map((name) => join(folder, name));
    for (const out of outs) {
      const run = train(['--events', '300', '--bytes', '4096', '--seed', 'test', '--out', out]);
      expect(run).toMatchObject({ status: 0, stderr: '' });
    }
    const files = readdirSync(outs[0]).toSorted();
    expect(readdirSync(outs[1]).toSorted()).toEqual(files);
    const path = join(outs[0], files.find((file) => file.endsWith('.zdict'))!);
    const dictionary = readDictionary(path);
    expect(readDictionary(path.replace(outs[0], outs[1]))).toEqual(dictionary);
    expect(files).toEqual([`${dictionary.id}.json`, `${dictionary.id}.zdict`]);
    const card = JSON.parse(readFileSync(path.replace(/zdict$/, 'json'), 'utf8'));
    expect(card).toMatchObject({
      id: dictionary.id,
      sha256: dictionary.sha256,
      bytes: dictionary.bytes.length,
      source: expect.stringContaining('seed "test"'),
      trainedOn: { events: 300 },
      heldOut: { events: 30, level: 3 },
    });
    expect(card.heldOut.ratio).toBeLessThan(0.8 * card.heldOut.ratioWithoutDictionary);
    expect(Buffer.from(dictionary.bytes).toString('latin1')).toContain('"kind":"commit"');
  });

  test('trains on recorded frames and holds a tenth of them out', async () => {
    const path = join(folder, 'frames.bin');
    const network = new SyntheticNetwork({ seed: 'frames', accounts: 300, historyRecords: 0 });
    await writeFrames(
      path,
      (async function* () {
        for (let at = 0; at < 400; at++) yield (await network.next()).bytes;
      })(),
    );
    const out = join(folder, 'recorded');
    expect(train(['--frames', path, '--bytes', '4096', '--out', out])).toMatchObject({
      status: 0,
      stderr: '',
    });
    const card = JSON.parse(
      readFileSync(join(out, readdirSync(out).find((file) => file.endsWith('.json'))!), 'utf8'),
    );
    const { trainedOn, heldOut } = card;
    expect(trainedOn.events + heldOut.events).toBeGreaterThan(350);
    expect(heldOut.events).toBe(Math.floor((trainedOn.events + heldOut.events) / 10));
  });
});

test.each([
  [['--bytes', '70000'], '--bytes 70000: must be a whole number from 1024 to 65536'],
  [['--frames', '/nonexistent/frames.bin'], 'no such file'],
  [['--nonsense'], '--nonsense'],
  [['stray'], 'stray'],
])('%j is refused in one line', (flags, text) => {
  const { status, stderr } = train(flags);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^train-dictionary: [^\n]+\n$/);
  if (installed || !text.startsWith('no such')) expect(stderr).toContain(text);
});

test('without the zstd command line, says what to install', () => {
  const { status, stderr } = train([], { ...process.env, PATH: '/nonexistent' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^train-dictionary: .*install zstd/);
});
