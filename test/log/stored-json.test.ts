import { randomBytes } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressJson, decompressJson } from '../../lib/log/stored-json.ts';

/** Text that compresses somewhat. */
function text(bytes: number): Buffer {
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 16) }, () =>
      Buffer.from(`{"a":"${randomBytes(8).toString('hex')}"}      `),
    ),
  ).subarray(0, bytes);
}

test.each([0, 1, 31, 1_000, 32 * 1024, 300_000, 512 * 1024 - 1, 512 * 1024])(
  '%d bytes come back',
  async (bytes) => {
    for (let round = 0; round < 3; round++) {
      const json = text(bytes);
      const stored = await compressJson(json);
      expect(Buffer.compare(zstdDecompressSync(stored), json)).toBe(0);
      expect(Buffer.compare(decompressJson(stored, bytes), json)).toBe(0);
      expect(Buffer.compare(decompressJson(zstdCompressSync(json), bytes), json)).toBe(0);
    }
  },
);

test('what it gives belongs to the caller', async () => {
  const [one, other] = [text(500), text(500)];
  const stored = await compressJson(one);
  const json = decompressJson(stored, 500);
  decompressJson(await compressJson(other), 500);
  expect(Buffer.compare(json, one)).toBe(0);
  expect(Buffer.compare(zstdDecompressSync(stored), one)).toBe(0);
});

test('what is damaged, cut off or of another length is refused, and costs the next one nothing', async () => {
  const json = text(5_000);
  const stored = Buffer.from(await compressJson(json));
  const damages = [
    () => decompressJson(stored.subarray(0, -3), 5_000),
    () => decompressJson(stored, 4_999),
    () => decompressJson(stored, 5_001),
    () => decompressJson(stored, 10),
    () => decompressJson(Buffer.concat([stored, stored]), 5_000),
    () => decompressJson(Buffer.alloc(0), 5_000),
    () => decompressJson(randomBytes(500), 5_000),
  ];
  for (const damage of damages) {
    expect(damage).toThrow();
    expect(Buffer.compare(decompressJson(stored, 5_000), json)).toBe(0);
  }
});
