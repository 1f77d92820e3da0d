import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { eventKinds, operations, v2Kinds } from '../../lib/event/event.ts';
import { Selection } from '../../lib/fanout/selection.ts';
import { BlockStore } from '../../lib/log/block-store.ts';
import { segmentBlocks } from '../../lib/log/segment-index.ts';
import { fakeCompressor, matches, payloadsOf, SampleLog, seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { makeFormat } from './older-formats.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'slipstream-format-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

function open(): Promise<BlockStore> {
  return BlockStore.open(join(dataDir, 'blocks'), fakeCompressor);
}

/** Payloads of all stored events that a selection chooses. */
async function replay(log: BlockStore, selection: Selection): Promise<string[]> {
  const texts: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.stored.read(timeUs, 'json', 1_000_000, selection.readFilter);
    for (const { index, messages } of slices) {
      const batch = selection.cut(index, { bytes: messages, ends: index.jsonEnd }, 0, index.count);
      texts.push(...payloadsOf(batch.bytes, 0x81).map((payload) => Buffer.from(payload).toString()));
    }
    timeUs = throughUs;
  }
  return texts;
}

test('a log of version 3, which has no sync events, goes on with them', async () => {
  let log = await open();
  const options = { didHashKey: log.didHashKey, textBytesMax: 100 };
  const old = new SampleLog(seededRandom(62), options);
  await log.append(old.block(20), false);
  await log.close();
  await makeFormat(dataDir, 3);
  log = await open();
  const { builder } = new SampleLog(seededRandom(63), { ...options, lastTimeUs: log.lastTimeUs });
  builder.begin();
  builder.writer.ascii('a sync');
  builder.end(eventKinds.sync, operations.none, Buffer.from('did:web:a'), 0, 9, 9, 9, 9);
  await log.append(builder.seal(fakeCompressor), false);
  const hasher = new DidHasher(log.didHashKey);
  const texts = old.events.map((event) => JSON.stringify(event));
  expect(await replay(log, new Selection(passAll, hasher))).toEqual(texts);
  expect(await replay(log, new Selection({ ...passAll, isV2: true, kinds: v2Kinds }, hasher))).toEqual([
    ...texts,
    'a sync',
  ]);
  await log.close();
});

test('a log of version 1 goes on, and only what comes from then on is found by subjects', async () => {
  let log = await open();
  const random = seededRandom(61);
  const options = { didHashKey: log.didHashKey, textBytesMax: 100 };
  const old = new SampleLog(random, options);
  for (let made = 0; made < 1.5 * segmentBlocks; made++) await log.append(old.block(5), false);
  await log.close();
  await makeFormat(dataDir, 1);

  log = await open();
  const hasher = new DidHasher(log.didHashKey);
  const all = new Selection(passAll, hasher);
  expect(await replay(log, all)).toEqual(old.events.map((event) => JSON.stringify(event)));
  const fresh = new SampleLog(random, { ...options, lastTimeUs: log.lastTimeUs });
  for (let made = 0; made < segmentBlocks; made++) await log.append(fresh.block(5), false);
  const filter = { ...passAll, subjects: new Set(['did:plc:aaaaaaaaaaaaaaaaaaaaaaa7']) };
  const bySubject = new Selection(filter, hasher);
  const sparse = new Selection({ ...passAll, collections: new Set(['com.example.rare']) }, hasher);
  for (let round = 0; round < 2; round++) {
    expect(await replay(log, bySubject)).toEqual(
      fresh.events.filter((event) => matches(filter, event)).map((event) => JSON.stringify(event)),
    );
    expect(await replay(log, sparse)).toHaveLength(
      [...old.events, ...fresh.events].filter(
        ({ kind, commit }) => kind !== 'commit' || commit?.collection === 'com.example.rare',
      ).length,
    );
    await log.close();
    log = await open();
  }
  await log.close();
  const db = new ClassicLevel<string, string>(join(dataDir, 'blocks'));
  expect(JSON.parse((await db.get('aformat')) ?? '').format).toBe(6);
  await db.close();
});
