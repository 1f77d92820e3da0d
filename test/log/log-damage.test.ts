import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Database, openDatabase } from '../../lib/level/database.ts';
import { blockKey, descriptionKey, parts } from '../../lib/log/block-format.ts';
import { coverageKey, coverageWrites, loadCoverage } from '../../lib/log/coverage-format.ts';
import { noteDamage } from '../../lib/log/log-damage.ts';
import { walkHeads } from '../../lib/log/stored-heads.ts';
import { makeLogOfBlocks } from '../cmd/inspect/sample-log.ts';

let dataDir: string;
let db: Database;
let stored: readonly number[];
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'slipstream-log-damage-'));
  ({ stored } = await makeLogOfBlocks(dataDir, 3, 12, 0));
  db = await openDatabase(join(dataDir, 'blocks'), { writeBufferBytes: 1 << 20 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
  rmSync(dataDir, { recursive: true });
});

/** As retention leaves a log. */
async function trim(blocks: number): Promise<void> {
  await db.clear({ gte: blockKey(0, parts.head), lt: blockKey(stored[blocks], parts.head) });
}

const rowAt = (toUs: number) => ({
  reason: 'relay_gap' as const,
  relay: 'a',
  fromUs: toUs - 5,
  toUs,
  count: 1,
});

test('lost rows of a trimmed log are no lost blocks: no block is looked at, and the ledger is not complete up to there', async () => {
  await trim(3);
  const [first, second] = [stored[4], stored[8]];
  await db.batch(coverageWrites([rowAt(first), rowAt(second)]));
  const keys = vi.spyOn(db, 'keys');
  await noteDamage(db, { fromKey: coverageKey(first), toKey: coverageKey(second) });
  expect(keys).not.toHaveBeenCalled();
  const { rows, droppedUs } = await loadCoverage(db, 0, 100);
  expect(droppedUs).toBe(second - 1);
  expect(rows.map(({ reason, toUs }) => [reason, toUs])).toEqual([
    ['relay_gap', first],
    ['log_damaged', second - 1],
    ['relay_gap', second],
  ]);
  // No block that cannot be read is passed over because of it.
  expect(rows[1].fromUs).toBe(rows[1].toUs);
});

test('rows that are lost at the end of a table, with the last blocks before them', async () => {
  await noteDamage(db, { fromKey: blockKey(stored[11], parts.json), toKey: coverageKey(stored[9]) });
  const { rows, droppedUs } = await loadCoverage(db, 0, 100);
  expect(droppedUs).toBe(stored[9]);
  expect(rows.map(({ reason }) => reason)).toEqual(['log_damaged']);
});

test('missing blocks are noted however many there are, once each', async () => {
  const whole: number[] = [];
  for await (const { index } of walkHeads(db, 0, Number.MAX_SAFE_INTEGER)) whole.push(index.lastTimeUs);
  expect(whole).toEqual(stored);
  for (const at of [2, 3, 7]) await db.del(blockKey(stored[at], parts.head));
  await db.del(blockKey(stored[9], parts.json));
  await noteDamage(db, { fromKey: descriptionKey, toKey: blockKey(stored[11], parts.head) }, 2);
  const { rows, droppedUs } = await loadCoverage(db, 0, 100);
  expect(droppedUs).toBe(0);
  expect(rows.map(({ fromUs, toUs }) => [fromUs, toUs])).toEqual([
    [stored[1], stored[3]],
    [stored[6], stored[7]],
    [stored[8], stored[9]],
  ]);
  // Nothing is left of them.
  expect((await db.keys({ gte: blockKey(stored[2], 0), lt: blockKey(stored[4], 0) }).all()).length).toBe(0);
});

test('a single row that is lost is told of, too', async () => {
  const key = coverageKey(stored[5]);
  await noteDamage(db, { fromKey: key, toKey: key });
  expect((await loadCoverage(db, 0, 100)).droppedUs).toBe(stored[5]);
  // Once noted, there is nothing more to note.
  await noteDamage(db, { fromKey: key, toKey: key });
  expect((await loadCoverage(db, 0, 100)).rows.length).toBe(1);
});

test('rows of damages are loaded from behind the bound, others are not', async () => {
  const damage = { ...rowAt(100), reason: 'log_damaged' as const };
  await db.batch(coverageWrites([damage, rowAt(200), rowAt(300), rowAt(400)]));
  const { rows, droppedUs } = await loadCoverage(db, 0, 2);
  expect(droppedUs).toBe(200);
  expect(rows.map(({ toUs }) => toUs)).toEqual([100, 300, 400]);
  expect((await loadCoverage(db, 100, 2)).rows.map(({ toUs }) => toUs)).toEqual([300, 400]);
});
