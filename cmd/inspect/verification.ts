// `inspect verify` once its flags are read: the check of a log with every dictionary at hand, and how far it is on standard
// error. What is checked is log-check.ts.

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chooseCompressor } from '../../lib/codec/choose-compressor.ts';
import { type Compressor, compressionLevels } from '../../lib/codec/compressor.ts';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { refuseLocked } from '../../lib/level/database.ts';
import type { DatabaseDamage } from '../../lib/level/table-check.ts';
import { logDamages, refuseUnfinishedRepair, storeFolder } from '../../lib/log/log-files.ts';
import { type CheckResult, checkLog } from './log-check.ts';
import type { ClosedLog } from './reader.ts';
import { progressLine } from './verdict.ts';

/** How often the progress line changes. */
const progressMs = 200;

/** Checks a log. @param dictionaryPaths beside the dictionaries of the package. */
export async function verifyLog(log: ClosedLog, dictionaryPaths: readonly string[]): Promise<CheckResult> {
  const decompressors = await openDecompressors(dictionaryPaths);
  const startMs = performance.now();
  let shownMs = 0;
  const show = (events: number, totalEvents: number, problems: number): void => {
    const nowMs = performance.now();
    if (!process.stderr.isTTY || nowMs - shownMs < progressMs) return;
    shownMs = nowMs;
    const seconds = (nowMs - startMs) / 1000;
    process.stderr.write(`\r${progressLine(events, totalEvents, problems, seconds)}\x1b[K`);
  };
  try {
    return await checkLog(log, {
      decompressorOf: (dictionaryId) => decompressors.get(dictionaryId),
      onProgress: show,
    });
  } finally {
    if (shownMs > 0) process.stderr.write('\r\x1b[K');
    for (const decompressor of decompressors.values()) decompressor.close();
  }
}

/** What is wrong with the files of a log. @throws CodedError `LOG_LOCKED`: a daemon's are never quite written. */
export async function verifyFiles(dataDir: string): Promise<DatabaseDamage[]> {
  refuseUnfinishedRepair(dataDir);
  const damages: DatabaseDamage[] = [];
  for await (const damage of logDamages(dataDir)) damages.push(damage);
  if (damages.length > 0) await refuseLocked(join(dataDir, storeFolder));
  return damages;
}

/** One for each dictionary, by its id: those that were named, then those of the package. */
async function openDecompressors(paths: readonly string[]): Promise<Map<number, Compressor>> {
  const folder = dirname(defaultDictionaryPath());
  const shipped = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.zdict')) : [];
  const opened = new Map<number, Compressor>();
  for (const path of [...paths, ...shipped.map((name) => join(folder, name))]) {
    const dictionary = readDictionary(path);
    if (opened.has(dictionary.id)) continue;
    opened.set(dictionary.id, await chooseCompressor('auto', dictionary, compressionLevels.default));
  }
  return opened;
}
