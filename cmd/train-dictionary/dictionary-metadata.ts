// The metadata beside a dictionary: where it comes from and how well it compresses, to decide which one to use. It owns
// the shape, the table that people see, and the two files.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compressionLevels } from '../../lib/codec/compressor.ts';
import type { Dictionary } from '../../lib/codec/dictionary.ts';
import { UsageError } from '../../lib/errors.ts';
import {
  bytesOf,
  type CompressionReport,
  levels,
  measureCompression,
  ratioWithout,
} from './compression-report.ts';

/** Events that are measured at most: enough for three digits. */
const measuredEventsMax = 5_000;

/** What one level makes of the events that were held out. */
export interface LevelRow extends CompressionReport {
  readonly level: number;
  readonly against: CompressionReport;
  readonly ratioWithoutDictionary: number;
}

/** What is told about a trained dictionary. */
export interface DictionaryMetadata {
  readonly id: number;
  readonly bytes: number;
  readonly sha256: string;
  /** Day of the training, `YYYY-MM-DD`. */
  readonly created: string;
  /** Host or file that the events came from. */
  readonly source: string;
  readonly seed: string;
  /** Program that trained it. */
  readonly trainer: string;
  readonly trainedOn: { readonly events: number; readonly bytes: number };
  /** Of other accounts. */
  readonly heldOut: { readonly events: number; readonly bytes: number };
  /** The dictionary that it is compared with. */
  readonly against: { readonly id: number; readonly bytes: number; readonly sha256: string };
  readonly defaultLevel: number;
  readonly levels: readonly LevelRow[];
}

/** What metadata is made of. */
export interface MetadataInput {
  readonly dictionary: Dictionary;
  readonly against: Dictionary;
  readonly train: readonly Uint8Array[];
  readonly heldOut: readonly Uint8Array[];
  readonly source: string;
  readonly seed: string;
  readonly trainer: string;
  readonly created: string;
}

/** Measures both dictionaries and none, at every level. `heldOut` has at least one event. */
export async function makeMetadata(input: MetadataInput): Promise<DictionaryMetadata> {
  const { dictionary, against, train, heldOut, source, seed, trainer, created } = input;
  const measured = heldOut.slice(0, measuredEventsMax);
  const rows: LevelRow[] = [];
  for (const level of levels) {
    rows.push({
      level,
      ...(await measureCompression(dictionary, measured, level)),
      against: await measureCompression(against, measured, level),
      ratioWithoutDictionary: ratioWithout(measured, level),
    });
  }
  return {
    id: dictionary.id,
    bytes: dictionary.bytes.length,
    sha256: dictionary.sha256,
    created,
    source,
    seed,
    trainer,
    trainedOn: { events: train.length, bytes: bytesOf(train) },
    heldOut: { events: measured.length, bytes: bytesOf(measured) },
    against: { id: against.id, bytes: against.bytes.length, sha256: against.sha256 },
    defaultLevel: compressionLevels.default,
    levels: rows,
  };
}

/** The metadata as a table and a sentence. */
export function metadataText(metadata: DictionaryMetadata): string {
  const { id, bytes, source, trainedOn, heldOut, against, defaultLevel, levels: rows } = metadata;
  const cell = (text: string): string => text.padStart(18);
  const reportCell = ({ ratio, cpuUs }: CompressionReport): string =>
    cell(`${ratio.toFixed(4)} ${cpuUs.toFixed(1)} µs`);
  const lines = rows.map((row) => {
    const mark = row.level === defaultLevel ? '*' : ' ';
    const without = cell(row.ratioWithoutDictionary.toFixed(4));
    return `${mark}    ${row.level}${reportCell(row)}${reportCell(row.against)}${without}`;
  });
  const chosen = rows.find(({ level }) => level === defaultLevel) as LevelRow;
  const change = (1 - chosen.ratio / chosen.against.ratio) * 100;
  const verdict = `${Math.abs(change).toFixed(1)} % ${change > 0 ? 'less' : 'MORE'} than with ${against.id} at level ${defaultLevel}`;
  return [
    `dictionary ${id}: ${bytes} bytes, trained on ${trainedOn.events} events of ${source}`,
    `${heldOut.events} events of other accounts take, of their JSON, and of the processor for each:`,
    '',
    ` level${cell(`with ${id}`)}${cell(`with ${against.id}`)}${cell('with none')}`,
    ...lines,
    '',
    change > 0 ? verdict : `${verdict}: keep that one`,
  ].join('\n');
}

/**
 * Writes `<id>.zdict` and `<id>.json` into a folder, made when absent; hands back the path of the first.
 * @throws UsageError `TRAINING_OUTPUT_FAILED`.
 */
export async function writeDictionary(
  folder: string,
  dictionary: Dictionary,
  metadata: DictionaryMetadata,
): Promise<string> {
  const path = join(folder, `${dictionary.id}.zdict`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, dictionary.bytes);
    await writeFile(join(folder, `${dictionary.id}.json`), `${JSON.stringify(metadata, undefined, 2)}\n`);
  } catch (cause) {
    throw new UsageError('TRAINING_OUTPUT_FAILED', `cannot write ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  return path;
}
