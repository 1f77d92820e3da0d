import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';

// First entries of the 64-bit HalfSipHash-2-4 test vectors published with the algorithm: key 00..07, input 00..n-1.
test.each([
  [0, '218d1f59b9b83cc8'],
  [1, 'be552412f8387315'],
  [2, '064f39ef7c50eb57'],
  [3, 'ce0f1a45f7060679'],
])('an input of %i bytes hashes as published', (length, expected) => {
  const hasher = new DidHasher(Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7]));
  hasher.hash(
    Uint8Array.from({ length }, (_, at) => at),
    0,
    length,
  );
  const out = Buffer.alloc(8);
  out.writeUInt32LE(hasher.low, 0);
  out.writeUInt32LE(hasher.high, 4);
  expect(out.toString('hex')).toBe(expected);
});
