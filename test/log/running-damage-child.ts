// A process that damages the tables of copies of a log while it has them open, one after the other, and says of each what became of it.
// By itself, because LevelDB may end the process. damaged-running.long.ts starts it. Arguments: folder of the log, damages as JSON.

import { closeSync, cpSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lookedMsMax } from '../../lib/level/table-guard.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { payloadsOf, SampleLog, seededRandom } from '../support/events.ts';
import type { FileChange } from './damage-child.ts';
import { digestOf } from './damaged-log.ts';

/** What became of a running log. */
export interface RunningOutcome {
  /** Errors of reads, in order; of appends and of what comes after, too. */
  readonly errors: readonly string[];
  /** Of reads after the next append, by which what is damaged is mended. */
  readonly errorsAfter: readonly string[];
  /** Digests of all that was read after the damage, in one run and after another start. */
  readonly served: readonly string[];
  readonly again: readonly string[];
  /** Digests of what was appended after the damage. */
  readonly appended: readonly string[];
  readonly told: readonly string[];
  readonly rows: number;
}

const [original, damagesText] = process.argv.slice(2);

function damageInPlace(dataDir: string, { file, kind, offset }: FileChange): void {
  if (kind === 'cut') {
    truncateSync(join(dataDir, file), offset);
    return;
  }
  const handle = openSync(join(dataDir, file), 'r+');
  const bytes = Buffer.alloc(kind === 'page' ? 4096 : 1);
  const at = kind === 'page' ? offset : offset >> 3;
  if (kind === 'page') {
    const length = readSync(handle, bytes, 0, bytes.length, at);
    writeSync(handle, Buffer.alloc(length), 0, length, at);
  } else {
    readSync(handle, bytes, 0, 1, at);
    bytes[0] ^= 1 << (offset & 7);
    writeSync(handle, bytes, 0, 1, at);
  }
  closeSync(handle);
}

/** Reads all that can be read: behind what cannot, it goes on with the next block. */
async function readAll(log: LevelLog, times: readonly number[], errors: string[]): Promise<string[]> {
  const digests: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    try {
      const { slices, throughUs } = await log.read(timeUs, 'json', 200_000);
      for (const { messages } of slices) digests.push(...payloadsOf(messages, 0x81).map(digestOf));
      timeUs = throughUs;
    } catch (error) {
      errors.push(String((error as Error).message));
      timeUs = times.find((time) => time > timeUs) ?? Number.POSITIVE_INFINITY;
    }
  }
  return digests;
}

async function run(dataDir: string, change: FileChange): Promise<RunningOutcome> {
  const options = { dataDir, retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor };
  const told: string[] = [];
  const log = await LevelLog.open({
    ...options,
    onDamage: ({ path, offset }) => told.push(`${path} ${offset}`),
  });
  const errors: string[] = [];
  const errorsAfter: string[] = [];
  const blocks: number[] = [];
  for (let at = 0; at < log.lastTimeUs; ) {
    at = (await log.read(at, 'json', 1)).throughUs;
    blocks.push(at);
  }
  damageInPlace(dataDir, change);
  for (const untilMs = performance.now() + 2 * lookedMsMax; performance.now() < untilMs; );
  const sample = new SampleLog(seededRandom(1), { didHashKey: log.didHashKey, lastTimeUs: log.clockUs });
  const append = async (count: number): Promise<void> => log.append(withRealFrames(sample.block(count)));
  await readAll(log, blocks, errors);
  const served: string[] = [];
  try {
    for (const count of [3, 256, 20]) await append(count);
    served.push(...(await readAll(log, blocks, errorsAfter)));
    await log.flush();
    await append(300);
    await log.trim((log.stats().firstTimeUs + log.lastTimeUs) / 2);
    await log.flush();
  } catch (error) {
    errors.push(`then: ${(error as Error).message}`);
  }
  const rows = log.coverage.between(0, Number.POSITIVE_INFINITY).length;
  await log.close();
  const again: string[] = [];
  try {
    const next = await LevelLog.open(options);
    again.push(...(await readAll(next, blocks, errorsAfter)));
    await next.close();
  } catch (error) {
    errors.push(`again: ${(error as Error).message}`);
  }
  const appended = sample.events.map((event) => digestOf(JSON.stringify(event)));
  return { errors, errorsAfter, served, again, appended, told, rows };
}

for (const [at, change] of (JSON.parse(damagesText) as FileChange[]).entries()) {
  const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-running-'));
  try {
    cpSync(original, dataDir, { recursive: true });
    console.log(JSON.stringify({ at, ...(await run(dataDir, change)) }));
  } finally {
    rmSync(dataDir, { recursive: true });
  }
}
