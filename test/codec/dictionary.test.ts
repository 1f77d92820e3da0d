import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Dictionary,
  DictionaryStore,
  defaultDictionaryId,
  defaultDictionaryPath,
  dictionaryBytesMax,
  parseDictionary,
  readDictionary,
} from '../../lib/codec/dictionary.ts';
import { sampleDictionaries } from './sample-dictionaries.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipstream-dictionary-'));
afterAll(() => rmSync(folder, { recursive: true }));
const own = sampleDictionaries[0][1];

function withId(id: number): Dictionary {
  const bytes = own.bytes.slice();
  new DataView(bytes.buffer).setUint32(4, id, true);
  return parseDictionary(bytes, 'test');
}

describe('the dictionary of the package', () => {
  test('is named by its id, is in the private range and is at most 64 KiB', () => {
    expect(basename(defaultDictionaryPath())).toBe(`${defaultDictionaryId}.zdict`);
    expect(own.id).toBe(defaultDictionaryId);
    expect(own.id).toBeGreaterThanOrEqual(32768);
    expect(own.id).toBeLessThan(2 ** 31);
    expect(own.bytes.length).toBeLessThanOrEqual(65536);
  });

  test('has a card that tells the same', () => {
    const path = defaultDictionaryPath().replace(/\.zdict$/, '.json');
    const card = JSON.parse(readFileSync(path, 'utf8'));
    expect(card).toMatchObject({ id: own.id, sha256: own.sha256, bytes: own.bytes.length });
  });
});

describe('readDictionary', () => {
  test('tells id and hash', () => {
    expect(own.sha256).toBe(createHash('sha256').update(readFileSync(defaultDictionaryPath())).digest('hex'));
    for (const [name, { id, sha256 }] of sampleDictionaries) {
      if (name !== 'official') continue;
      expect(id).toBe(1612007021);
      expect(sha256).toBe('b8d77b46933aceecbdd5275a01241efc985c970c78162b8150cf67a26522f70c');
    }
  });

  test.each([
    ['empty', Buffer.alloc(0), 'it has 0 bytes'],
    ['too short', Buffer.from(own.bytes.subarray(0, 31)), 'it has 31 bytes'],
    ['too long', Buffer.alloc(dictionaryBytesMax + 1), `it has ${dictionaryBytesMax + 1} bytes`],
    ['other magic', Buffer.alloc(4096, 7), 'magic number or tables'],
    ['cut inside the tables', Buffer.from(own.bytes.subarray(0, 60)), 'magic number or tables'],
    ['id 0', Buffer.from(own.bytes).fill(0, 4, 8), 'its id is 0'],
  ])('refuses a file that is %s', (name, bytes, message) => {
    const path = join(folder, `${name}.zdict`);
    writeFileSync(path, bytes);
    expect(() => readDictionary(path)).toThrow(
      expect.objectContaining({
        code: 'CODEC_DICTIONARY_INVALID',
        message: expect.stringContaining(message),
      }),
    );
    expect(() => readDictionary(path)).toThrow(path);
  });

  test.each([join(folder, 'absent.zdict'), folder])('says which path cannot be read', (path) => {
    expect(existsSync(path)).toBe(path === folder);
    expect(() => readDictionary(path)).toThrow(
      expect.objectContaining({
        code: 'CODEC_DICTIONARY_UNREADABLE',
        message: expect.stringContaining(path),
      }),
    );
  });
});

describe('DictionaryStore', () => {
  test('lists the default first and gives bytes by id', () => {
    const [a, b] = [withId(40_000), withId(2 ** 31 - 1)];
    const store = new DictionaryStore(b, [a, b]);
    expect(store.default).toBe(b);
    expect(store.list()).toEqual([
      { id: b.id, bytes: b.bytes.length, sha256: b.sha256, default: true },
      { id: a.id, bytes: a.bytes.length, sha256: a.sha256, default: false },
    ]);
    expect(store.get(a.id)).toBe(a.bytes);
    expect(store.get(b.id)).toBe(b.bytes);
    expect(store.get(1)).toBeUndefined();
  });

  test('reads the whole unsigned range of ids', () => {
    expect(withId(0xffffffff).id).toBe(0xffffffff);
  });

  test('refuses two dictionaries under one id', () => {
    const changed = own.bytes.slice();
    changed[changed.length - 1] ^= 1;
    expect(() => new DictionaryStore(own, [parseDictionary(changed, 'test')])).toThrow(
      expect.objectContaining({ code: 'CODEC_DICTIONARY_CONFLICT' }),
    );
  });

  test('has at most four beside the default', () => {
    const others = [1, 2, 3, 4].map(withId);
    expect(new DictionaryStore(own, [...others, own, others[0]]).additional).toEqual(others);
    expect(() => new DictionaryStore(own, [...others, withId(5)])).toThrow(
      expect.objectContaining({ code: 'CODEC_DICTIONARY_TOO_MANY' }),
    );
  });
});
