// How well a dictionary compresses: how small it makes events that it was not trained on, and for what work, at every level.
// It owns the measuring; used for the metadata of a new dictionary and by the benchmark.
import { zstdCompressSync } from 'node:zlib';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { type CompressorPreference, chooseCompressor } from '../../lib/codec/choose-compressor.ts';
import { compressionLevels } from '../../lib/codec/compressor.ts';
import type { Dictionary } from '../../lib/codec/dictionary.ts';
import { zstdParameters } from '../../lib/codec/zstd-parameters.ts';

/** Events after which a level is measured well enough. */
const timedEventsMin = 2_000;

/** What compressing costs and brings. */
export interface CompressionReport {
  /** Bytes of the zstd frames to those of the JSON, 0 to 1, lower is better. */
  readonly ratio: number;
  /** Processor time of one event, in microseconds. */
  readonly cpuUs: number;
}

/** Every level, from the lowest. */
export const levels: readonly number[] = Array.from(
  { length: compressionLevels.max + 1 - compressionLevels.min },
  (_, at) => compressionLevels.min + at,
);

/** Measures a dictionary at one level, on at least one event. Throws as `chooseCompressor`. */
export async function measureCompression(
  dictionary: Dictionary,
  events: readonly Uint8Array[],
  level: number,
  build: CompressorPreference = 'auto',
): Promise<CompressionReport> {
  const compressor = await chooseCompressor(build, dictionary, level);
  const out = new ByteWriter();
  const pass = (): number => {
    let bytes = 0;
    for (const event of events) {
      out.length = 0;
      compressor.compress(event, 0, event.length, out);
      bytes += out.length;
    }
    return bytes;
  };
  const ratio = rounded(pass() / bytesOf(events));
  const start = process.cpuUsage();
  let timed = 0;
  for (; timed < timedEventsMin; timed += events.length) pass();
  const { user, system } = process.cpuUsage(start);
  compressor.close();
  return { ratio, cpuUs: Math.round(((user + system) / timed) * 100) / 100 };
}

/** The ratio without a dictionary at one level. */
export function ratioWithout(events: readonly Uint8Array[], level: number): number {
  const params = zstdParameters(level);
  const bytes = events.reduce((sum, event) => sum + zstdCompressSync(event, { params }).length, 0);
  return rounded(bytes / bytesOf(events));
}

/** Bytes of events together. */
export function bytesOf(events: readonly Uint8Array[]): number {
  return events.reduce((sum, event) => sum + event.length, 0);
}

function rounded(ratio: number): number {
  return Math.round(ratio * 10_000) / 10_000;
}
