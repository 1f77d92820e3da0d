import { expect, test } from 'vitest';
import { addToBloom, mayBeInBloom } from '../../lib/log/bloom.ts';
import { seededRandom } from '../support/events.ts';

const random = seededRandom(17);
const word = (): number => Math.floor(random() * 2 ** 32);

/** Positions of the bits that are set. */
function bitsIn(bytes: Uint8Array): number[] {
  return [...bytes].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => at * 8 + bit),
  );
}

test('an entry sets the bits that logs have had since their first format', () => {
  const bits = new Uint8Array(512);
  addToBloom(bits, 0, 512, 0xfffffffd, 0xdeadbeef);
  addToBloom(bits, 0, 512, 7, 0x80000000);
  const set = [...bits.entries()].filter(([, byte]) => byte !== 0);
  expect(set).toEqual([
    [0, 128],
    [1, 31],
    [341, 1],
    [375, 2],
    [409, 4],
    [443, 8],
    [477, 16],
    [511, 32],
  ]);
});

test.each([8, 512, 1024])(
  'in %i bytes every entry sets its own six bits of its own filter, and no other',
  (bytes) => {
    for (let round = 0; round < 200; round++) {
      const [low, high] = [word(), word()];
      const bits = new Uint8Array(3 * bytes);
      addToBloom(bits, bytes, bytes, low, high);
      const expected = [0, 1, 2, 3, 4, 5].map((probe) => {
        const bit = (BigInt(low) + BigInt(probe) * (BigInt(high) | 1n)) % BigInt(bytes * 8);
        return bytes * 8 + Number(bit);
      });
      expect(bitsIn(bits)).toEqual(expected.toSorted((one, other) => one - other));
      expect([0, bytes, 2 * bytes].map((start) => mayBeInBloom(bits, start, bytes, low, high))).toEqual([
        false,
        true,
        false,
      ]);
      // Each of the six is asked for.
      for (const bit of expected) {
        bits[bit >> 3] ^= 1 << (bit & 7);
        expect(mayBeInBloom(bits, bytes, bytes, low, high)).toBe(false);
        bits[bit >> 3] ^= 1 << (bit & 7);
      }
    }
  },
);

test.each([
  [512, 256],
  [1024, 800],
])(
  'a filter of %i bytes with %i entries has all of them, and as few others as theory says',
  (bytes, entries) => {
    const bits = new Uint8Array(bytes);
    const added = Array.from({ length: entries }, () => [word(), word()] as const);
    for (const [low, high] of added) addToBloom(bits, 0, bytes, low, high);
    for (const [low, high] of added) expect(mayBeInBloom(bits, 0, bytes, low, high)).toBe(true);
    const asked = 200_000;
    let claimed = 0;
    for (let other = 0; other < asked; other++) if (mayBeInBloom(bits, 0, bytes, word(), word())) claimed++;
    const theory = (1 - Math.exp((-6 * entries) / (bytes * 8))) ** 6;
    expect(claimed / asked).toBeGreaterThan(theory / 2);
    expect(claimed / asked).toBeLessThan(theory * 2);
  },
);
