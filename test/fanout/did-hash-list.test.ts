import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { hasDidHash, hashDids } from '../../lib/fanout/did-hash-list.ts';

const hasher = new DidHasher(new Uint8Array(8));
const did = (at: number): string => `did:web:${at}.example.com`;

test.for([0, 1, 2, 3, 1000])('a list of %i DIDs has its own and no others', (count) => {
  const hashes = hashDids(new Set(Array.from({ length: count }, (_, at) => did(at))), hasher);
  expect(hashes.length).toBe(count * 2);
  for (let at = 0; at < 2 * count + 10; at++) {
    const bytes = Buffer.from(did(at));
    hasher.hash(bytes, 0, bytes.length);
    expect(hasDidHash(hashes, hasher.low, hasher.high), `${at}`).toBe(at < count);
  }
});

test('hashes that share a word are told apart', () => {
  // Ascending by the second word, then by the first.
  const hashes = Uint32Array.of(7, 1, 5, 2, 0xffffffff, 2, 5, 0xffffffff);
  for (const [low, high] of [
    [7, 1],
    [5, 2],
    [0xffffffff, 2],
    [5, 0xffffffff],
  ]) {
    expect(hasDidHash(hashes, low, high)).toBe(true);
  }
  for (const [low, high] of [
    [5, 1],
    [6, 2],
    [4, 2],
    [0xffffffff, 0xffffffff],
    [5, 3],
  ]) {
    expect(hasDidHash(hashes, low, high)).toBe(false);
  }
});

test('equal sets give equal lists', () => {
  expect(hashDids(new Set([did(1), did(2), did(3)]), hasher)).toEqual(
    hashDids(new Set([did(3), did(1), did(2)]), hasher),
  );
});
