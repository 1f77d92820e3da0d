// Damages to the store as a whole: blocks that are gone or in the wrong order, totals, strange keys, the description.

import type { CoverageRow } from '../../../lib/event/coverage.ts';
import { blockKey, descriptionKey, lastPart, parts } from '../../../lib/log/block-format.ts';
import { coverageKey, writeCoverage } from '../../../lib/log/coverage-format.ts';
import { at, type Damage, meaning } from './damage.ts';
import type { RawDatabase } from './raw-log.ts';

export const storeDamages: readonly Damage[] = [
  {
    title: 'a block in the middle that is gone',
    block: at.middle,
    expected: ['block_gap @+1', 'segment_blocks @segment', 'without_collection_events @segment'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'the block that ends a segment, which is gone',
    block: at.segment,
    expected: ['block_gap @+1', 'segment_missing @'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'the newest block that is gone',
    block: at.last,
    expected: ['journal_gap journal'],
    change: (db, timeUs) =>
      db.batch(Object.values(parts).map((part) => ({ type: 'del', key: blockKey(timeUs, part) }))),
  },
  {
    title: 'two blocks that have changed keys',
    block: at.open,
    expected: [
      'key_mismatch @',
      'block_gap @',
      'key_mismatch @+1',
      'block_order @+1',
      'block_gap @+1',
      'block_totals @+2',
    ],
    change: async (db, timeUs, { stored }) => {
      for (const part of [parts.head, parts.json, parts.zstd, parts.subjects]) {
        const keys = [blockKey(timeUs, part), blockKey(stored[at.open + 1], part)];
        const [first, second] = await db.getMany(keys);
        await db.put(keys[0], second!);
        await db.put(keys[1], first!);
      }
    },
  },
  {
    title: 'a block that begins before the last one ends',
    block: at.last,
    expected: ['event_time @', 'block_order @'],
    change: meaning((block) => {
      block.index.timeUs[0] -= 1_000_000;
      block.index = { ...block.index, firstTimeUs: block.index.timeUs[0] };
    }),
  },
  {
    title: 'totals that are wrong',
    block: at.last,
    expected: ['block_totals @'],
    change: meaning((block) => {
      block.before = { events: block.before.events + 1, bytes: block.before.bytes };
    }),
  },
  {
    title: 'a key that is not the log’s',
    block: 0,
    expected: ['key_unknown log'],
    change: (db) => db.put(Buffer.from('stray'), Buffer.from('x')),
  },
  {
    title: 'a part that is none of a block’s',
    block: at.last,
    expected: ['key_unknown log'],
    change: (db, timeUs) => {
      const key = blockKey(timeUs, parts.head);
      key[9] = lastPart + 1;
      return db.put(key, Buffer.from('x'));
    },
  },
  {
    title: 'a row of the coverage ledger that cannot be read',
    block: at.middle,
    expected: ['coverage_damaged @'],
    change: (db, timeUs) => db.put(coverageKey(timeUs), Buffer.from('12345678')),
  },
  {
    title: 'rows of the coverage ledger that end before they begin, or are behind the last block',
    block: at.last,
    expected: ['coverage_damaged @', 'coverage_excess @'],
    change: async (db, timeUs) => {
      const row: CoverageRow = { reason: 'relay_gap', relay: '', fromUs: timeUs, toUs: timeUs, count: 1 };
      await db.put(coverageKey(timeUs), writeCoverage(row));
      await db.put(coverageKey(timeUs + 1), writeCoverage({ ...row, toUs: timeUs + 1 }));
    },
  },
  {
    title: 'no description',
    block: 0,
    expected: ['description_damaged log'],
    change: (db) => db.del(descriptionKey),
  },
  ...['{"format":1,"didHashKey":"77"}', '{"format":0,"didHashKey":"7777777777777777"}'].map((text) => ({
    title: `a description that makes no sense: ${text}`,
    block: 0,
    expected: ['description_damaged log'],
    change: (db: RawDatabase) => db.put(descriptionKey, Buffer.from(text)),
  })),
];
