// Byte mutations: what makes of right input the nearly right one that no grammar would think of.

import type { SeededRandom } from '../../lib/seeded-random.ts';

/** Bytes that mean something to a parser here. */
const tellingBytes = Buffer.from(
  '\0\t\n\r\x1f "#%&+,-./0:;=?@AZ[\\]_`az{}~\x7f\x80\x81\x88\x89\x8a\xc0\xc1\xed\xf5\xff',
  'latin1',
);
/** Longest piece that is taken out, repeated or moved. */
const pieceBytesMax = 64;

/** The bytes with one to eight changes. */
export function mutate(random: SeededRandom, bytes: Uint8Array): Buffer<ArrayBufferLike> {
  let mutated: Buffer = Buffer.from(bytes);
  for (let change = random.between(1, random.chance(0.5) ? 2 : 8); change > 0; change--) {
    mutated = changeOnce(random, mutated);
  }
  return mutated;
}

function changeOnce(random: SeededRandom, bytes: Buffer): Buffer {
  const at = random.int(bytes.length + 1);
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  const piece = after.subarray(0, random.between(1, pieceBytesMax));
  const telling = Buffer.from([random.pick(tellingBytes as unknown as readonly number[])]);
  switch (random.int(8)) {
    case 0:
      if (at < bytes.length) bytes[at] ^= 1 << random.int(8);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.int(256);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = telling[0];
      return bytes;
    case 3:
      return Buffer.concat([before, telling, after]);
    case 4:
      return Buffer.concat([before, after.subarray(piece.length)]);
    case 5:
      return Buffer.concat([before, ...Array<Buffer>(random.between(1, 9)).fill(piece), after]);
    case 6:
      return random.chance(0.5) ? Buffer.from(before) : Buffer.from(after);
    default: {
      const to = random.int(bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
    }
  }
}
