import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import {
  bytesOf,
  levels,
  measureCompression,
  ratioWithout,
} from '../../../cmd/train-dictionary/compression-report.ts';
import {
  makeMetadata,
  metadataText,
  writeDictionary,
} from '../../../cmd/train-dictionary/dictionary-metadata.ts';
import { defaultDictionaryPath, readDictionary } from '../../../lib/codec/dictionary.ts';
import { corpusLines, hasShared, officialDictionaryPath, sharedNote } from '../../support/shared.ts';
import { likeText } from './sample-events.ts';

const own = readDictionary(defaultDictionaryPath());
const events = Array.from({ length: 60 }, (_, at) => Buffer.from(likeText(at, at)));

test('the report is what zstd frames take of the JSON, and the work for it', async () => {
  for (const build of ['auto', 'wasm'] as const) {
    const { ratio, cpuUs } = await measureCompression(own, events, 2, build);
    expect(ratio).toBeGreaterThan(0.3);
    expect(ratio).toBeLessThan(0.5);
    expect(cpuUs).toBeGreaterThan(0);
    // Of the same events eight times, the same; and an event of many costs what one of few does.
    const eightfold = Array.from({ length: 8 }, () => events).flat();
    const ofMany = await measureCompression(own, eightfold, 2, build);
    expect(ofMany.ratio).toBe(ratio);
    expect(ofMany.cpuUs).toBeLessThan(4 * cpuUs);
  }
  expect(ratioWithout(events, 2)).toBeGreaterThan(0.6);
});

test.skipIf(!hasShared)(`our dictionary beats the official one on real events${sharedNote}`, async () => {
  const real = corpusLines().map((line) => Buffer.from(line));
  const official = readDictionary(officialDictionaryPath);
  for (const level of levels) {
    const [ours, theirs] = [
      await measureCompression(own, real, level),
      await measureCompression(official, real, level),
    ];
    expect(ours.ratio).toBeLessThan(0.9 * theirs.ratio);
  }
});

test('the metadata tells both dictionaries at every level, and stands beside the file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-metadata-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const input = { dictionary: own, against: own, train: events, heldOut: events.slice(0, 20) };
  const told = { source: 'host.test', seed: '1', trainer: 'zstd 1.2.3', created: '2026-01-02' };
  const metadata = await makeMetadata({ ...input, ...told });
  expect(metadata).toMatchObject({
    ...told,
    id: own.id,
    bytes: own.bytes.length,
    sha256: own.sha256,
    trainedOn: { events: 60, bytes: bytesOf(events) },
    heldOut: { events: 20, bytes: bytesOf(events.slice(0, 20)) },
    against: { id: own.id, bytes: own.bytes.length, sha256: own.sha256 },
    defaultLevel: 2,
  });
  expect(metadata.levels.map(({ level }) => level)).toEqual([1, 2, 3, 4, 5, 6]);
  for (const { ratio, against, ratioWithoutDictionary } of metadata.levels) {
    expect(ratio).toBe(against.ratio);
    expect(ratioWithoutDictionary).toBeGreaterThan(ratio * 1.3);
  }
  const path = await writeDictionary(join(folder, 'new'), own, metadata);
  expect(readDictionary(path)).toEqual(own);
  expect(JSON.parse(readFileSync(path.replace('.zdict', '.json'), 'utf8'))).toEqual(metadata);
  expect(metadataText(metadata)).toMatch(/0\.0 % MORE than with \d+ at level 2: keep that one$/);
  const [better] = [
    { ...metadata, levels: metadata.levels.map((row) => ({ ...row, ratio: row.ratio * 0.9 })) },
  ];
  expect(metadataText(better)).toMatch(/10\.0 % less than with \d+ at level 2$/);
});

test('the metadata of the package is about its dictionary', () => {
  const metadata = JSON.parse(readFileSync(defaultDictionaryPath().replace('.zdict', '.json'), 'utf8'));
  expect(metadata).toMatchObject({
    id: own.id,
    bytes: own.bytes.length,
    sha256: own.sha256,
    defaultLevel: 2,
  });
});
