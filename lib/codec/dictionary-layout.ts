// Where things are inside a zstd dictionary (RFC 8878, section 5): magic, id, entropy tables, three offsets, content.
// It owns that reading and the cut to a shorter dictionary with the same tables, so that a library which digests the
// dictionary on each call has less to digest. Pure; files and identity are dictionary.ts.

import { dictionaryMagic } from './zstd-header.ts';

/** Largest accuracy log and symbol of the three sequence tables, in their order: offsets, match and literal lengths. */
const sequenceTables = [
  { logMax: 8, symbolMax: 31 },
  { logMax: 9, symbolMax: 52 },
  { logMax: 9, symbolMax: 35 },
] as const;

/** Where the content starts, and the largest of the three offsets that the dictionary starts a zstd frame with. */
export interface DictionaryLayout {
  readonly contentStart: number;
  readonly offsetMax: number;
}

/** Reads the layout of a dictionary; undefined when the bytes are not one. */
export function dictionaryLayout(bytes: Uint8Array): DictionaryLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 9 || view.getUint32(0, true) !== dictionaryMagic) return undefined;
  const huffman = bytes[8];
  let at: number | undefined = 9 + (huffman < 128 ? huffman : (huffman - 126) >> 1);
  for (const { logMax, symbolMax } of sequenceTables) {
    at = endOfFseTable(bytes, at, logMax, symbolMax);
    if (at === undefined) return undefined;
  }
  const contentStart = at + 12;
  if (contentStart > bytes.length) return undefined;
  const offsets = [view.getUint32(at, true), view.getUint32(at + 4, true), view.getUint32(at + 8, true)];
  const offsetMax = Math.max(...offsets);
  if (offsets.includes(0) || offsetMax > bytes.length - contentStart) return undefined;
  return { contentStart, offsetMax };
}

/**
 * The same dictionary with only the last `tailBytes` of its content, in new memory. A zstd frame made with it decodes
 * with the whole dictionary to the same bytes: id and tables are the same, and matches count back from the end of the
 * content. Trainers put the most useful content last, so little is lost.
 */
export function dictionaryTail(bytes: Uint8Array, tailBytes: number): Uint8Array {
  const layout = dictionaryLayout(bytes);
  if (layout === undefined) return Uint8Array.from(bytes);
  const { contentStart, offsetMax } = layout;
  const start = Math.max(contentStart, bytes.length - Math.max(tailBytes, offsetMax));
  const tail = new Uint8Array(contentStart + bytes.length - start);
  tail.set(bytes.subarray(0, contentStart));
  tail.set(bytes.subarray(start), contentStart);
  return tail;
}

/** First byte after the FSE table description at `start` (RFC 8878, section 4.1.1); undefined when it is not one. */
function endOfFseTable(
  bytes: Uint8Array,
  start: number,
  logMax: number,
  symbolMax: number,
): number | undefined {
  let bit = start * 8;
  const take = (count: number): number => {
    let value = 0;
    for (let index = 0; index < count; index++, bit++) value |= ((bytes[bit >> 3] >> (bit & 7)) & 1) << index;
    return value;
  };
  const log = take(4) + 5;
  if (log > logMax) return undefined;
  let remaining = 1 << log;
  let symbol = 0;
  while (remaining > 0) {
    if (symbol > symbolMax || bit >> 3 >= bytes.length) return undefined;
    // A value is 0 to remaining + 1; the smallest ones take one bit less.
    const bits = 32 - Math.clz32(remaining + 1);
    const short = (1 << bits) - 1 - (remaining + 1);
    let value = take(bits - 1);
    if (value >= short) {
      value |= take(1) << (bits - 1);
      if (value >= 1 << (bits - 1)) value -= short;
    }
    const probability = value - 1;
    remaining -= Math.abs(probability);
    symbol++;
    if (probability !== 0) continue;
    let repeat = 3;
    while (repeat === 3) {
      repeat = take(2);
      symbol += repeat;
      if (symbol > symbolMax) return undefined;
    }
  }
  return remaining === 0 && symbol <= symbolMax + 1 ? (bit + 7) >> 3 : undefined;
}
