import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  privateIds,
  trainDictionary,
  trainedId,
  trainerName,
} from '../../../cmd/train-dictionary/trainer.ts';
import { likeText } from './sample-events.ts';

const installed = spawnSync('zstd', ['--version']).status === 0;
if (!installed) console.warn('skipped: training, because "zstd" is not installed');

function eventsOf(seed: number, count = 400): Buffer[] {
  return Array.from({ length: count }, (_, at) => Buffer.from(likeText(seed * 1000 + at, at)));
}

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!installed)('training', () => {
  test('gives the same dictionary for the same events, in the private range and within the bound', async () => {
    const one = await trainDictionary(eventsOf(1), 4096);
    expect(await trainDictionary(eventsOf(1), 4096)).toEqual(one);
    expect(one.id).toBe(trainedId(eventsOf(1), 4096));
    expect(one.bytes.length).toBeLessThanOrEqual(4096);
    expect((await trainDictionary(eventsOf(2), 4096)).id).not.toBe(one.id);
  });

  test('gives the id that is asked for', async () => {
    for (const id of [privateIds.min, privateIds.max])
      expect((await trainDictionary(eventsOf(1), 4096, id)).id).toBe(id);
  });

  test('tells the name and version of the trainer', async () => {
    expect(await trainerName()).toMatch(/^zstd \d+\.\d+\.\d+$/);
  });

  test('leaves nothing behind, and says in one line what the trainer does not take', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipstream-tmp-'));
    vi.stubEnv('TMPDIR', folder);
    await expect(trainDictionary(Array(200).fill(Buffer.alloc(0)), 4096)).rejects.toMatchObject({
      code: 'TRAINING_FAILED',
      message: expect.stringMatching(/^"zstd --train" fails: .+$/),
    });
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

test('without the command line, says what to install', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  await expect(trainDictionary(eventsOf(1), 4096)).rejects.toMatchObject({
    code: 'TRAINING_TOOL_MISSING',
    message: expect.stringContaining('install zstd'),
  });
});

test('99 events are refused', async () => {
  await expect(trainDictionary(eventsOf(1, 99), 4096)).rejects.toMatchObject({ code: 'TRAINING_TOO_FEW' });
});

test('ids are private ones that fit two bytes', () => {
  for (let seed = 0; seed < 50; seed++) {
    const id = trainedId(eventsOf(seed, 1), 4096);
    expect(id).toBeGreaterThanOrEqual(32_768);
    expect(id).toBeLessThanOrEqual(65_535);
  }
  expect(trainedId([Buffer.from('a'), Buffer.from('b')], 1)).not.toBe(trainedId([Buffer.from('ab')], 1));
});
