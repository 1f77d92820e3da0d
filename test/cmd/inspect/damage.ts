// What a damage is in the tests of the inspection, the log that is damaged, and the check that each damage is reported by
// name and block and that nothing else is. The damages are in tables beside this file.

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CheckOptions, type CheckResult, checkLog } from '../../../cmd/inspect/log-check.ts';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { segmentBlocks } from '../../../lib/log/segment-index.ts';
import { edit, type OpenBlock, type RawDatabase, rewrite } from './raw-log.ts';
import { compressor, makeLogOfBlocks, type WrittenLog } from './sample-log.ts';

/** Number of blocks in the log that is damaged: one segment that is complete and one that is open. */
export const blocks = segmentBlocks + 40;
export const at = { middle: 101, segment: segmentBlocks - 1, open: segmentBlocks + 20, last: blocks - 1 };

export interface Damage {
  readonly title: string;
  /** Of what must be reported, and nothing else. `@` stands for the block's key. */
  readonly expected: readonly string[];
  readonly block: number;
  readonly change: (db: RawDatabase, timeUs: number, written: WrittenLog) => Promise<unknown>;
}

/** A change that leaves every checksum right, and the totals behind the block, so that only the meaning is wrong. */
export function meaning(change: (block: OpenBlock) => void): Damage['change'] {
  return (db, timeUs) => rewrite(db, timeUs, change);
}

/** Checks the log of a data directory. */
export async function check(dataDir: string, options: Partial<CheckOptions> = {}): Promise<CheckResult> {
  const reader = await ClosedLog.open(dataDir);
  try {
    return await checkLog(reader, {
      decompressorOf: (id) => (id === compressor.dictionaryId ? compressor : undefined),
      ...options,
    });
  } finally {
    await reader.close();
  }
}

/** Names of the problems with the block they are at, `log` for the log as a whole. */
export function named({ problems }: CheckResult): string[] {
  return problems.listed.map(
    ({ code, where, timeUs }) => `${code} ${where === 'log' ? where : `${where} ${timeUs}`}`,
  );
}

/** A log that every test of a file gets a copy of. */
export interface DamagedLog {
  readonly dataDir: string;
  readonly written: WrittenLog;
}

/** Call in a test file; the result is filled when its tests run. */
export function useDamagedLog(): DamagedLog {
  const log = {} as { -readonly [key in keyof DamagedLog]: DamagedLog[key] };
  let original: string;
  const makeDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'slipstream-check-'));
  beforeAll(async () => {
    original = await makeDirectory();
    log.written = await makeLogOfBlocks(original, 80, blocks, 3, 3);
    const { sample, stored } = log.written;
    expect(sample.events.filter(({ time_us }) => time_us <= stored[at.last]).length).toBeGreaterThan(blocks);
  });
  afterAll(() => rm(original, { recursive: true }));
  beforeEach(async () => {
    log.dataDir = await makeDirectory();
    await cp(original, log.dataDir, { recursive: true });
  });
  afterEach(() => rm(log.dataDir, { recursive: true }));
  return log;
}

/** Every fourth of a table of damages: the others are for damages.long.ts, which has them all. */
export function some<T>(damages: readonly T[]): T[] {
  return damages.filter((_, at) => at % 4 === 0);
}

/** A test for each damage to the store. */
export function testDamages(log: DamagedLog, damages: readonly Damage[]): void {
  test.each(damages)('$title', async ({ block, expected, change }) => {
    const { dataDir, written } = log;
    const timeUs = written.stored[block];
    await edit(dataDir, 'blocks', (db) => change(db, timeUs, written));
    const keyOf = (where: string): string => {
      if (where === '@segment') return `store ${written.stored[at.segment]}`;
      if (where.startsWith('@')) return `store ${written.stored[block + Number(where.slice(1) || 0)]}`;
      return where === 'journal' ? `journal ${written.journalled[0].index.lastTimeUs}` : where;
    };
    const result = await check(dataDir);
    const isRewritten = !expected.some((name) => name.startsWith('block_totals'));
    // A head of another length moves the totals of all blocks behind it, which is no news.
    const found = named(result).filter((name) => !isRewritten || !name.startsWith('block_totals'));
    expect(found).toEqual(expected.map((name) => name.replace(/ (.*)/, (_, where) => ` ${keyOf(where)}`)));
    for (const { detail } of result.problems.listed) expect(detail).toMatch(/^[^\n]{10,200}$/);
  });
}
