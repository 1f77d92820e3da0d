import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readDictionary } from '../../lib/codec/dictionary.ts';
import {
  measureWorth,
  trainDictionary,
  trainedBytesMax,
  trainedId,
  trainerVersion,
  writeDictionary,
} from '../../lib/codec/dictionary-training.ts';
import { eventText } from './sample-dictionaries.ts';

const installed = spawnSync('zstd', ['--version']).status === 0;
if (!installed) console.warn('skipped: training, because "zstd" is not installed');

function eventsOf(seed: number): Buffer[] {
  return Array.from({ length: 600 }, (_, at) => eventText(250 + (at % 50), seed * 1000 + at));
}

afterEach(() => vi.unstubAllEnvs());

describe.skipIf(!installed)('training', () => {
  test('gives the same dictionary for the same events, in the private range and within the bound', async () => {
    const one = await trainDictionary(eventsOf(1), 4096);
    const two = await trainDictionary(eventsOf(1), 4096);
    expect(two).toEqual(one);
    expect(one.id).toBe(trainedId(eventsOf(1), 4096));
    expect(one.bytes.length).toBeLessThanOrEqual(4096);
    expect((await trainDictionary(eventsOf(2), 4096)).id).not.toBe(one.id);
  });

  test('is worth it on other events, and is read back from its file', async () => {
    const dictionary = await trainDictionary(eventsOf(1), 8192);
    const worth = await measureWorth(dictionary, eventsOf(2), 3);
    expect(worth).toMatchObject({ events: 600, level: 3 });
    expect(worth.ratio).toBeLessThan(worth.ratioWithoutDictionary * 0.7);
    const folder = mkdtempSync(join(tmpdir(), 'slipstream-card-'));
    const { id, sha256 } = dictionary;
    const trainer = `zstd ${await trainerVersion()}`;
    expect(trainer).toMatch(/^zstd \d+\.\d+\.\d+$/);
    const card = {
      id,
      sha256,
      trainer,
      bytes: dictionary.bytes.length,
      created: '2026-01-02',
      source: 'test',
      heldOut: worth,
    };
    const path = await writeDictionary(folder, dictionary, { ...card, trainedOn: { events: 600, bytes: 1 } });
    expect(readDictionary(path)).toEqual(dictionary);
    expect(JSON.parse(readFileSync(join(folder, `${id}.json`), 'utf8'))).toMatchObject(card);
    rmSync(folder, { recursive: true });
  });

  test('leaves nothing behind, and says in one line what the trainer does not take', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipstream-tmp-'));
    vi.stubEnv('TMPDIR', folder);
    await expect(trainDictionary(Array(200).fill(Buffer.alloc(0)), 4096)).rejects.toMatchObject({
      code: 'CODEC_TRAINING_FAILED',
      message: expect.stringMatching(/^"zstd --train" fails: .+$/),
    });
    expect(readdirSync(folder)).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});

test('without the command line, says what to install', async () => {
  vi.stubEnv('PATH', '/nonexistent');
  await expect(trainDictionary(eventsOf(1), 4096)).rejects.toMatchObject({
    code: 'CODEC_TRAINER_MISSING',
    message: expect.stringContaining('install zstd'),
  });
});

test.each([
  [99, 4096],
  [600, 1023],
  [600, trainedBytesMax + 1],
])('%i events for %i bytes are refused', async (count, bytes) => {
  const training = trainDictionary(eventsOf(1).slice(0, count), bytes);
  await expect(training).rejects.toMatchObject({ code: 'CODEC_TRAINING_FAILED' });
});

test('ids are private ones that fit two bytes', () => {
  for (let seed = 0; seed < 50; seed++) {
    const id = trainedId([eventText(50, seed)], 4096);
    expect(id).toBeGreaterThanOrEqual(32_768);
    expect(id).toBeLessThanOrEqual(65_535);
  }
  expect(trainedId([Buffer.from('a'), Buffer.from('b')], 1)).not.toBe(trainedId([Buffer.from('ab')], 1));
});
