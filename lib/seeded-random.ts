// The one seeded generator: small and fast, and its whole output follows from a seed and a purpose, so that two runs agree
// byte for byte and one purpose that draws more numbers does not shift another. For samples, the simulator and tests; not
// for secrets.

import { createHash } from 'node:crypto';

/** Pseudo-random draws (sfc32) that depend on nothing but the seed and the purpose. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param purpose names the stream of draws: `network`, `account/3/0`, … */
  constructor(seed: string, purpose: string) {
    const hash = createHash('sha256').update(`${seed}\n${purpose}`).digest();
    this.#a = hash.readInt32LE(0);
    this.#b = hash.readInt32LE(4);
    this.#c = hash.readInt32LE(8);
  }

  /** An unsigned 32-bit integer. */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number in [0, 1). */
  float(): number {
    return this.uint32() / 4_294_967_296;
  }

  /** An integer in [0, below). */
  int(below: number): number {
    return Math.floor(this.float() * below);
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1);
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** One member of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)];
  }

  /** That many random bytes, in a buffer of their own. */
  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      bytes[i] = this.uint32() >>> 24;
    }
    return bytes;
  }

  /** That many characters of an alphabet. */
  text(alphabet: string, count: number): string {
    let text = '';
    for (let i = 0; i < count; i++) {
      text += alphabet[this.int(alphabet.length)];
    }
    return text;
  }
}
