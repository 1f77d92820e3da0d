import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { coverageTable, readLogCoverage } from '../../../cmd/inspect/coverage.ts';
import { ClosedLog } from '../../../cmd/inspect/reader.ts';
import { coverageKey } from '../../../lib/log/coverage-format.ts';
import { LevelLog } from '../../../lib/log/level-log.ts';
import { fakeCompressor, SampleLog, seededRandom } from '../../support/events.ts';
import { edit } from './raw-log.ts';

test('rows of the store and of the journal are listed as the daemon would list them', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slipstream-coverage-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: true, compressor: fakeCompressor };
  const log = await LevelLog.open(options);
  const { builder } = new SampleLog(seededRandom(1), { didHashKey: log.didHashKey });
  const store = async (): Promise<void> => log.append(await log.resolve(builder.seal(fakeCompressor)));
  builder.cover({ reason: 'relay_gap', relay: 'relay.test', fromSeq: 4, toSeq: 19 });
  for (let made = 0; made < 600; made++) {
    builder.cover({ reason: 'frame_dropped', relay: 'relay.test', detail: 'bad_car' });
    await store();
  }
  builder.cover({ reason: 'clock_step', relay: '' });
  await store();
  const rows = log.coverage.between(0, Number.MAX_SAFE_INTEGER);
  await log.close();

  const reader = await ClosedLog.open(dataDir);
  const found = await readLogCoverage(reader);
  await reader.close();
  expect(found.damaged).toBe(0);
  expect(found.rows).toMatchObject(JSON.parse(JSON.stringify(rows)));
  const lines = coverageTable(found).split('\n');
  expect(lines).toHaveLength(rows.length);
  expect(lines[0]).toMatch(
    /^the beginning to \S+Z {2}relay_gap {5}missing {2}relay\.test sequences 4 to 19$/,
  );
  expect(lines[1]).toMatch(/frame_dropped missing {2}relay\.test 600 times \(bad_car\)$/);
  expect(lines.at(-1)).toMatch(/clock_step {4}times are off$/);

  await edit(dataDir, 'blocks', (db) => db.put(coverageKey(1), Buffer.from('no row')));
  const damaged = await ClosedLog.open(dataDir);
  expect(coverageTable(await readLogCoverage(damaged))).toContain('DAMAGED: 1 rows');
  await damaged.close();
  expect(coverageTable({ rows: [], damaged: 0 })).toMatch(/^nothing/);
});
