// How large and how deep a record may be, and that a hostile one takes no longer than its bytes.
import { describe, expect, test } from 'vitest';
import { array, head, hex, integer, map, nullItem, text } from './raw-cbor.ts';
import { drop, member, recordJson } from './recorder.ts';

describe('limits', () => {
  test('131,072 entries of an array, not one more', () => {
    const items = Buffer.alloc(131_073, 0xf6);
    const known = (count: number) => Buffer.concat([head(4, count), items.subarray(0, count)]);
    const unknown = (count: number) => Buffer.concat([hex('9f'), items.subarray(0, count), hex('ff')]);
    expect(member(known(131_072))).toHaveLength(5 * 131_072 + 1);
    expect(member(unknown(131_072))).toBe(member(known(131_072)));
    expect(member(known(131_073))).toBe(drop);
    expect(member(unknown(131_073))).toBe(drop);
  });

  test('131,072 entries of a map, not one more', () => {
    const entry = (index: number) => Buffer.concat([text(index.toString(36)), nullItem]);
    const entries = (count: number) =>
      Buffer.concat(Array.from({ length: count }, (_, index) => entry(index)));
    const known = (count: number) => Buffer.concat([head(5, count), entries(count)]);
    expect(Object.keys(JSON.parse(recordJson(known(131_072))))).toHaveLength(131_072);
    expect(recordJson(known(131_073))).toBe(drop);
    expect(recordJson(Buffer.concat([hex('bf'), entries(131_073), hex('ff')]))).toBe(drop);
  });

  test('keys of 8,192 bytes, not one more', () => {
    expect(recordJson(map(['k'.repeat(8192), nullItem]))).toBe(`{"${'k'.repeat(8192)}":null}`);
    expect(recordJson(map(['k'.repeat(8193), nullItem]))).toBe(drop);
  });
});

describe('hostile records are read in bounded time', () => {
  const deep = 500_000;

  test('arrays in arrays', () => {
    const record = Buffer.concat([hex('a16161'), Buffer.alloc(deep, 0x81), nullItem]);
    expect(recordJson(record)).toBe(`{"a":${'['.repeat(deep)}null${']'.repeat(deep)}}`);
    expect(recordJson(record.subarray(0, deep))).toBe(drop);
  });

  test('maps in maps', () => {
    const record = Buffer.concat([Buffer.from('\xa1\x61\x61'.repeat(deep / 2), 'latin1'), nullItem]);
    expect(recordJson(record)).toBe(`${'{"a":'.repeat(deep / 2)}null${'}'.repeat(deep / 2)}`);
  });

  test('arrays of unknown length in each other', () => {
    const record = Buffer.concat([hex('a16161'), Buffer.alloc(deep, 0x9f), Buffer.alloc(deep, 0xff)]);
    expect(recordJson(record)).toBe(`{"a":${'['.repeat(deep)}${']'.repeat(deep)}}`);
  });

  test.each(['key', '<key'])('100,000 keys in reverse, such as %s99999', (prefix) => {
    const names = Array.from({ length: 100_000 }, (_, index) => `${prefix}${99_999 - index}`);
    const record = Buffer.concat([
      head(5, names.length),
      ...names.map((name) => Buffer.concat([text(name), nullItem])),
    ]);
    const keys = Object.keys(JSON.parse(recordJson(record)));
    expect(keys).toEqual([...names].sort((left, right) => (`${left}"` < `${right}"` ? -1 : 1)));
  });

  test('100,000 keys of which one is repeated', () => {
    const names = Array.from({ length: 100_000 }, (_, index) => `key${index}`);
    names[99_999] = 'key7';
    const record = Buffer.concat([
      head(5, names.length),
      ...names.map((name) => Buffer.concat([text(name), nullItem])),
    ]);
    expect(recordJson(record)).toBe(drop);
  });

  test('a megabyte of base58 links', () => {
    const item = map(['$link', text(`z${'2'.repeat(120)}`)]);
    expect(member(array(...Array.from({ length: 7_500 }, () => item)))).toBe(drop);
    const long = map(['$link', text(`z${'z'.repeat(1_000_000)}`)]);
    expect(member(long)).toBe(drop);
  });

  test('text that grows sixfold, and 300,000 empty byte strings', () => {
    expect(member(text('\u0001'.repeat(1_000_000)))).toBe(`"${'\\u0001'.repeat(1_000_000)}"`);
    const many = Buffer.concat([head(4, 100_000), Buffer.alloc(100_000, 0x40)]);
    expect(member(many)).toBe(`[${Array.from({ length: 100_000 }, () => '{"$bytes":""}').join()}]`);
  });

  test('an ordinary record right after', () => {
    expect(recordJson(map(['a', integer(1)]))).toBe('{"a":1}');
  });
});
