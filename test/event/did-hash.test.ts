import { expect, test } from 'vitest';
import { DidHasher, DidHashSet } from '../../lib/event/did-hash.ts';

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

test('a set has exactly the DIDs it was made of', () => {
  const hasher = new DidHasher(Buffer.from('12345678'));
  const did = (at: number): string => `did:plc:${String(at).padStart(24, 'b')}`;
  const set = new DidHashSet(
    Array.from({ length: 10_000 }, (_, at) => did(at)),
    hasher,
  );
  for (let at = 0; at < 20_000; at++) {
    const bytes = Buffer.from(`..${did(at)}`);
    hasher.hash(bytes, 2, bytes.length);
    expect(set.has(hasher.low, hasher.high), did(at)).toBe(at < 10_000);
  }
});
