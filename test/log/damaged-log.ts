// What a damaged log can still do: served, checked, repaired, served again. For damage-child.ts.

import { hash } from 'node:crypto';
import { cpSync, rmSync } from 'node:fs';
import { checkLog } from '../../cmd/inspect/log-check.ts';
import { ClosedLog } from '../../cmd/inspect/reader.ts';
import { repairLog } from '../../cmd/inspect/repair.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { logDamages } from '../../lib/log/log-files.ts';
import { compressor, withRealFrames } from '../cmd/inspect/sample-log.ts';
import { payloadsOf, SampleLog, seededRandom } from '../support/events.ts';

/** What became of a log. */
export interface Outcome {
  /** `served`, or the code of the error that ended opening or reading. */
  readonly daemon: string;
  /** Digests of the events that were read. */
  readonly served: readonly string[];
  /** Damages of files, and whether what is in them is right; undefined when LevelDB could not open it. */
  readonly files: number;
  readonly problems: number | string;
  readonly repaired: readonly string[];
  readonly rows: readonly string[];
  readonly problemsAfter: number;
}

/** Enough to tell events apart. */
export function digestOf(text: string | Uint8Array): string {
  return hash('sha1', text).slice(0, 12);
}

/** Of all events that have been made. */
export function digestsOf(sample: SampleLog): string[] {
  return sample.events.map((event) => digestOf(JSON.stringify(event)));
}

/** Of all events that a log serves as JSON. */
export async function servedDigests(log: LevelLog): Promise<string[]> {
  const digests: string[] = [];
  for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
    const { slices, throughUs } = await log.read(timeUs, 'json', 1e6);
    for (const { messages } of slices) digests.push(...payloadsOf(messages, 0x81).map(digestOf));
    timeUs = throughUs;
  }
  return digests;
}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error);
const options = (dataDir: string) => ({
  dataDir,
  retentionBytes: 0,
  tailBytesMax: 0,
  fsync: false,
  compressor,
});

/** Reads all, past what cannot be read, in both encodings; then appends, trims and closes. */
async function serve(dataDir: string): Promise<{ daemon: string; served: string[]; rows: string[] }> {
  const served: string[] = [];
  let daemon = 'served';
  let log: LevelLog;
  try {
    log = await LevelLog.open(options(dataDir));
  } catch (error) {
    return { daemon: codeOf(error), served, rows: [] };
  }
  try {
    for (const encoding of ['zstd', 'json'] as const) {
      for (let timeUs = 0; timeUs < log.lastTimeUs; ) {
        const { slices, throughUs } = await log.read(timeUs, encoding, 1e6);
        if (encoding === 'json')
          for (const { messages } of slices) served.push(...payloadsOf(messages, 0x81).map(digestOf));
        timeUs = throughUs;
      }
    }
  } catch (error) {
    daemon = codeOf(error);
  }
  const rows = log.coverage.between(0, Number.POSITIVE_INFINITY).map(({ reason }) => reason);
  try {
    const sample = new SampleLog(seededRandom(1), { didHashKey: log.didHashKey, lastTimeUs: log.clockUs });
    for (let count = 0; count < 3; count++) await log.append(withRealFrames(sample.block(300)));
    await log.trim((log.stats().firstTimeUs + log.lastTimeUs) / 2);
    await log.flush();
    await log.close();
  } catch (error) {
    daemon = `${daemon}, then ${codeOf(error)}`;
    await log.close().catch(() => {});
  }
  return { daemon, served, rows };
}

export async function check(dataDir: string): Promise<Outcome> {
  const copy = `${dataDir}-copy`;
  cpSync(dataDir, copy, { recursive: true });
  try {
    const { daemon, served } = await serve(copy);
    let files = 0;
    for await (const _ of logDamages(dataDir)) files++;
    const problems = await problemsIn(dataDir);
    await repairLog(dataDir);
    const problemsAfter = Number(await problemsIn(dataDir));
    const after = await serve(dataDir);
    return { daemon, served, files, problems, repaired: after.served, rows: after.rows, problemsAfter };
  } finally {
    rmSync(copy, { recursive: true });
  }
}

async function problemsIn(dataDir: string): Promise<number | string> {
  try {
    const log = await ClosedLog.open(dataDir);
    const { problems } = await checkLog(log, { decompressorOf: () => compressor }).finally(() => log.close());
    return problems.total;
  } catch (error) {
    return codeOf(error);
  }
}
