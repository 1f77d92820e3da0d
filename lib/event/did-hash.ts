// A keyed 64-bit hash of DIDs, HalfSipHash-2-4 with 64-bit output (Aumasson and Bernstein). Block indexes store it
// instead of the DID: 8 bytes an event instead of 32. It is keyed with a secret of the log because DIDs are chosen by
// strangers: without the key nobody can craft one that collides with another account's.

/** Bytes of a {@link DidHasher} key. */
export const didHashKeyBytes = 8;

function compress(v: Uint32Array, rounds: number): void {
  let v0 = v[0];
  let v1 = v[1];
  let v2 = v[2];
  let v3 = v[3];
  for (let round = 0; round < rounds; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  v[0] = v0;
  v[1] = v1;
  v[2] = v2;
  v[3] = v3;
}

/** Hashes spans of bytes; the result is in `low` and `high` until the next call. */
export class DidHasher {
  low = 0;
  high = 0;
  readonly #state = new Uint32Array(4);
  readonly #key0: number;
  readonly #key1: number;

  /** @param key {@link didHashKeyBytes} secret bytes. */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, didHashKeyBytes);
    this.#key0 = view.getUint32(0, true);
    this.#key1 = view.getUint32(4, true);
  }

  /** Hashes `source[start, end)` into `low` and `high`, both unsigned. */
  hash(source: Uint8Array, start: number, end: number): void {
    const state = this.#state;
    state[0] = this.#key0;
    state[1] = this.#key1 ^ 0xee;
    state[2] = this.#key0 ^ 0x6c796765;
    state[3] = this.#key1 ^ 0x74656462;
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = source[at] | (source[at + 1] << 8) | (source[at + 2] << 16) | (source[at + 3] << 24);
      state[3] ^= word;
      compress(state, 2);
      state[0] ^= word;
    }
    let last = (end - start) << 24;
    for (let shift = 0; at < end; at++, shift += 8) last |= source[at] << shift;
    state[3] ^= last;
    compress(state, 2);
    state[0] ^= last;
    state[2] ^= 0xee;
    compress(state, 4);
    this.low = (state[1] ^ state[3]) >>> 0;
    state[1] ^= 0xdd;
    compress(state, 4);
    this.high = (state[1] ^ state[3]) >>> 0;
  }
}
