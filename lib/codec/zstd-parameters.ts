// What a compression level means to Node's zstd, which takes parameters. zstd's own levels are made for files; these are
// for texts of 200 to 2,000 bytes, each compressed alone with a dictionary that is already digested. Numbers are zstd's.
import { constants } from 'node:zlib';
import { windowLogMax } from './compressor.ts';

const {
  ZSTD_c_compressionLevel: baseLevel,
  ZSTD_c_windowLog: windowLog,
  ZSTD_c_hashLog: hashLog,
  ZSTD_c_chainLog: chainLog,
  ZSTD_c_searchLog: searchLog,
  ZSTD_c_minMatch: minMatch,
  ZSTD_c_targetLength: targetLength,
  ZSTD_c_strategy: strategy,
} = constants;

/**
 * What sets a level apart, from level 1 on. Found by measuring all combinations on real events with the official
 * dictionary and on synthetic ones with a trained one:
 * - A shortest match of 5 or 6 bytes is best: an offset into a dictionary costs 17 bits, so 4 bytes gain nothing.
 * - From `lazy` on zstd weighs its entropy tables for each event, which is 3 µs of the 7 and half of the gain.
 * - The optimal parsers take three times as long for 1 %, and lose to `lazy2` with a dictionary that fits well, for
 *   their prices do not know its tables.
 * - Two tables of 2^12 entries, 32 KiB, are what is left of the dictionary's end, where the frequent is: on real events with the official
 *   one they make 1 % less than two of 2^14 and of 2^16. At 500 a second each event finds the processor's caches full of other things:
 *   of eight after the caches were emptied each took 8.5 µs, with 2^14 13.7, with 2^16 16; of all that the daemon takes it is 4 % twice.
 * - Hash tables of 2^18 entries hold a dictionary of 110 KiB without crowding, for 1.3 MiB that the faster levels do better
 *   without; smaller dictionaries get smaller tables by themselves.
 */
const levels: readonly Readonly<Record<number, number>>[] = [
  { [strategy]: constants.ZSTD_fast, [minMatch]: 6, [hashLog]: 12 },
  { [strategy]: constants.ZSTD_dfast, [minMatch]: 5, [hashLog]: 12, [chainLog]: 12 },
  { [strategy]: constants.ZSTD_greedy, [minMatch]: 6, [hashLog]: 17, [searchLog]: 2 },
  { [strategy]: constants.ZSTD_lazy, [minMatch]: 5, [hashLog]: 17, [searchLog]: 2 },
  { [strategy]: constants.ZSTD_lazy2, [minMatch]: 5, [hashLog]: 18, [searchLog]: 3 },
  {
    [strategy]: constants.ZSTD_btopt,
    [minMatch]: 3,
    [hashLog]: 17,
    [chainLog]: 18,
    [searchLog]: 4,
    [targetLength]: 128,
  },
];

/**
 * Parameters of a compression context, by zstd's number of each; `level` is one of `compressionLevels`. What is not
 * named keeps its default: content size and dictionary id in every zstd frame, no checksum.
 */
export function zstdParameters(level: number): Readonly<Record<number, number>> {
  return { [baseLevel]: 3, [windowLog]: windowLogMax, ...levels[level - 1] };
}
