// Who asks for compression as clients of Jetstream v1 do gets what all of them read: the official dictionary where the data
// directory has it, else zstd frames without one. Read by the zstd of Node and the zstd command line; decoders of other
// languages are in foreign.clients.ts.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { subscribe } from '../../client/lib/subscribe.ts';
import { defaultDictionaryId } from '../../lib/codec/dictionary.ts';
import { officialDictionary } from '../../lib/codec/official-dictionary.ts';
import { readZstdHeader } from '../../lib/codec/zstd-header.ts';
import { hasShared, officialDictionaryPath, sharedNote } from '../support/shared.ts';
import { FilledDaemon, inFolder, putOfficialDictionary, received } from './compressed-clients.ts';

const hasZstd = spawnSync('zstd', ['--version']).error === undefined;
const dictionary = hasShared ? readFileSync(officialDictionaryPath) : undefined;
/** Both ways in which v1 is asked for compression. */
const asked = [
  ['compress=true', {}],
  ['', { 'Socket-Encoding': 'zstd' }],
] as const;

function idsOf(frames: readonly Buffer[]): number[] {
  return [...new Set(frames.map((frame) => readZstdHeader(frame)?.dictionaryId ?? -1))];
}

describe.each(['0', '1'])('%s workers', (workers) => {
  const flags = ['--workers', workers];

  test('a default start sends zstd frames without a dictionary, in replay and live, and counts them', async () => {
    await using filled = await FilledDaemon.start('plain', false, flags);
    const { daemon, relay, events } = filled;
    for (const [query, headers] of asked) {
      const frames = await received(`${daemon.url}?cursor=0&${query}`, events.length, headers);
      expect(idsOf(frames)).toEqual([0]);
      expect(frames.map((frame) => zstdDecompressSync(frame).toString())).toEqual(events);
      if (dictionary !== undefined)
        expect(frames.map((frame) => zstdDecompressSync(frame, { dictionary }).toString())).toEqual(events);
    }
    const before = await daemon.metric('slipstream_zstd_without_dictionary_events_total');
    expect(before).toBeGreaterThanOrEqual(events.length);
    const crowd = [1, 2, 3].map(() => received(`${daemon.url}?compress=true`, 20));
    await expect.poll(() => daemon.metric('slipstream_subscribers_live')).toBe(3);
    await relay.publish(150);
    const [one, ...others] = await Promise.all(crowd);
    expect(idsOf(one)).toEqual([0]);
    for (const other of others) expect(other).toEqual(one);
    await expect
      .poll(() => daemon.metric('slipstream_zstd_without_dictionary_events_total'))
      .toBeGreaterThan(before);
    // Made once for the three of them.
    expect(await daemon.metric('slipstream_zstd_without_dictionary_events_total')).toBeLessThanOrEqual(
      before + events.length,
    );
    const bytes = (of: string) =>
      daemon.metric(`slipstream_zstd_without_dictionary_bytes_total{dictionary="${of}"}`);
    expect(await bytes('none')).toBeGreaterThan((await bytes('stored')) * 1.2);
    const line = daemon.lines.find((text) => text.includes('dictionaries fetch'));
    expect(line).toContain(`--data-dir ${daemon.dataDir}`);
  });

  test.skipIf(!hasShared)(
    `with the official dictionary in the data directory it is that${sharedNote}`,
    async () => {
      await using filled = await FilledDaemon.start('official', true, flags);
      const { daemon, events } = filled;
      for (const [query, headers] of asked) {
        const frames = await received(`${daemon.url}?cursor=0&${query}`, events.length, headers);
        expect(idsOf(frames)).toEqual([officialDictionary.id]);
        expect(frames.map((frame) => zstdDecompressSync(frame, { dictionary }).toString())).toEqual(events);
      }
      expect(await daemon.metric('slipstream_zstd_without_dictionary_events_total')).toBe(0);
      expect(daemon.lines.some((text) => text.includes('dictionaries fetch'))).toBe(false);
      // Ours is there for those who name it.
      const ours = `${daemon.url}?cursor=0&compress=true&zstdDictionary=${defaultDictionaryId}`;
      expect(idsOf(await received(ours, events.length))).toEqual([defaultDictionaryId]);
      const list = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as { id: number }[];
      expect(list.map(({ id }) => id)).toEqual([officialDictionary.id, defaultDictionaryId]);
    },
  );
});

test.skipIf(!hasShared)(`a dictionary that is set stays the one that is stored${sharedNote}`, async () => {
  const own = join(import.meta.dirname, `../../dictionaries/${defaultDictionaryId}.zdict`);
  await using filled = await FilledDaemon.start('set', true, ['--zstd-dictionary', own]);
  const { daemon, events } = filled;
  const list = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as { default: boolean }[];
  expect(list).toMatchObject([
    { id: defaultDictionaryId, default: true },
    { id: officialDictionary.id, default: false },
  ]);
  expect(idsOf(await received(`${daemon.url}?cursor=0&compress=true`, events.length))).toEqual([
    officialDictionary.id,
  ]);
});

test.skipIf(!hasShared)(
  `what comes into the data directory is taken up at the next start${sharedNote}`,
  async () => {
    await using filled = await FilledDaemon.start('later', false);
    const { daemon, events, relay } = filled;
    putOfficialDictionary(daemon.dataDir);
    const frames = () => received(`${daemon.url}?cursor=0&compress=true`, events.length);
    expect(idsOf(await frames())).toEqual([0]);
    await daemon.service.stop();
    await daemon.restart(['--ws-url', relay.url]);
    // The log's older events were stored with another.
    const later = await frames();
    expect(idsOf(later)).toEqual([officialDictionary.id]);
    expect(later.map((frame) => zstdDecompressSync(frame, { dictionary }).toString())).toEqual(events);
  },
);

test('a file in its place that is something else is not taken for it', async () => {
  await using filled = await FilledDaemon.start('damaged', false);
  const { daemon, relay, events } = filled;
  await daemon.service.stop();
  mkdirSync(join(daemon.dataDir, 'dictionaries'));
  writeFileSync(
    join(daemon.dataDir, 'dictionaries', `${officialDictionary.id}.zdict`),
    Buffer.alloc(112_640),
  );
  await daemon.restart(['--ws-url', relay.url]);
  expect(idsOf(await received(`${daemon.url}?cursor=0&compress=true`, events.length))).toEqual([0]);
});

test('our client asks for the dictionary that is stored, by itself', async () => {
  await using filled = await FilledDaemon.start('client', false);
  const { daemon, events } = filled;
  const stream = subscribe({
    url: daemon.url,
    cursor: 0,
    compress: true,
    transform: (_event, text) => text,
  });
  const texts: string[] = [];
  for await (const text of stream) if (texts.push(text) === events.length) break;
  expect(texts).toEqual(events);
  expect(await daemon.metric('slipstream_zstd_without_dictionary_events_total')).toBe(0);
});

test.skipIf(!hasShared || !hasZstd)(
  `zstd -D with the official dictionary reads either${hasZstd ? sharedNote : ' (skipped: zstd is not installed)'}`,
  async () => {
    for (const hasOfficial of [false, true]) {
      await using filled = await FilledDaemon.start('command line', hasOfficial);
      const { daemon, events } = filled;
      const frames = await received(`${daemon.url}?cursor=0&compress=true`, events.length);
      await inFolder((folder) => {
        const path = join(folder, 'events.zst');
        writeFileSync(path, Buffer.concat(frames));
        const { stdout, stderr } = spawnSync('zstd', ['-dcq', '-D', officialDictionaryPath, path]);
        expect(stderr.toString()).toBe('');
        expect(stdout.toString()).toBe(events.join(''));
      });
    }
  },
);
