import { describe, expect, test } from 'vitest';
import { array, bytes, head, hex, integer, link, map, nullItem, text, trueItem } from './raw-cbor.ts';
import { cidOf } from './raw-frames.ts';
import { recordJson } from './recorder.ts';

const cid = cidOf(Buffer.from('example'));
const cidText = 'bafyreicq3bmobgc6zr7waqmkv4gmlk2yp5bmevykrbajlkpizswnb5sulq';
const drop = 'drop';

/** The JSON of a record with one member, `v`. */
function member(value: Buffer): string {
  const json = recordJson(map(['v', value]));
  return json === drop ? drop : json.slice('{"v":'.length, -1);
}

/** A JSON string literal of text given as bytes. */
function literal(...parts: readonly (string | number)[]): string {
  return member(
    text(
      Buffer.concat(parts.map((part) => Buffer.from(typeof part === 'string' ? part : ([part] as never)))),
    ),
  );
}

test('the CID of the examples', () => {
  expect(member(link(cid))).toBe(`{"$link":"${cidText}"}`);
});

describe('scalars', () => {
  test.each([
    ['bytes', bytes(hex('010203')), '{"$bytes":"AQID"}'],
    ['bytes with one left over', bytes(hex('ff')), '{"$bytes":"/w"}'],
    ['no bytes', bytes(hex('')), '{"$bytes":""}'],
    ['true', trueItem, 'true'],
    ['false', hex('f4'), 'false'],
    ['null', nullItem, 'null'],
    ['undefined', hex('f7'), 'null'],
    ['another simple value', hex('f0'), drop],
    ['a simple value of two bytes', hex('f814'), drop],
    ['a lone break', hex('ff'), drop],
    ['tag 1', hex('c101'), drop],
    ['tag 42 around text', hex('d82a6161'), drop],
    ['tag 42 around null', hex('d82af6'), drop],
    ['a tag in a tag', hex('d82ad82a4100'), drop],
    ['a link without bytes', hex('d82a40'), drop],
    ['a link without the zero byte', Buffer.concat([hex('d82a5824'), cid]), drop],
    ['a link with a byte too many', link(Buffer.concat([cid, hex('00')])), drop],
    ['a link cut short', link(cid.subarray(0, 35)), drop],
    ['a link of version 2', link(Buffer.concat([hex('02'), cid.subarray(1)])), drop],
    ['a link with a padded varint', link(Buffer.concat([hex('018000'), cid.subarray(2)])), drop],
    ['a link to an identity hash', link(hex('01710003616263')), '{"$link":"bafyqaa3bmjrq"}'],
  ])('%s', (_, item, expected) => {
    expect(member(item)).toBe(expected);
  });

  test('a version 0 link is base58', () => {
    expect(member(link(Buffer.concat([hex('1220'), Buffer.alloc(32, 1)])))).toBe(
      '{"$link":"QmNQa1FSTXNHmrjjfgUW3Px3Vkke4oKiFWdigWkYSux2Pi"}',
    );
  });
});

describe('integers', () => {
  test.each([
    ['00', '0'],
    ['1817', '23'],
    ['1b0000000000000001', '1'],
    ['20', '-1'],
    ['1a7fffffff', '2147483647'],
    ['1a80000000', '2147483648'],
    ['1affffffff', '4294967295'],
    ['3affffffff', '-4294967296'],
    ['1b001fffffffffffff', '9007199254740991'],
    ['1b0020000000000000', '9007199254740992'],
    ['1b0020000000000001', '9007199254740993'],
    ['3b0020000000000000', '-9007199254740993'],
    ['1b00038d7ea4c68000', '1000000000000000'],
    ['1a05f5e100', '100000000'],
    ['1a05f5e0ff', '99999999'],
    ['1b7fffffffffffffff', '9223372036854775807'],
    ['3b7fffffffffffffff', '-9223372036854775808'],
    // v1 wraps what does not fit 63 bits, and refuses what does not fit 64.
    ['1b8000000000000000', '-9223372036854775808'],
    ['1bffffffffffffffff', '-1'],
    ['3b8000000000000000', drop],
    ['3bfffffffffffffffe', drop],
    ['3bffffffffffffffff', '0'],
    ['1c', drop],
    ['1f', drop],
  ])('%s is %s', (digits, expected) => {
    expect(member(hex(digits))).toBe(expected);
  });
});

describe('floats', () => {
  test.each([
    ['2.0', 'fb4000000000000000', '2'],
    ['1.5', 'fb3ff8000000000000', drop],
    ['-0.0', 'fb8000000000000000', '0'],
    ['-3.0', 'fbc008000000000000', '-3'],
    ['1e15', 'fb430c6bf526340000', '1000000000000000'],
    ['2^53', 'fb4340000000000000', '9007199254740992'],
    ['2^62', 'fb43d0000000000000', '4611686018427387904'],
    ['-2^63', 'fbc3e0000000000000', '-9223372036854775808'],
    ['2^63', 'fb43e0000000000000', drop],
    ['NaN', 'fb7ff8000000000000', drop],
    ['infinity', 'fb7ff0000000000000', drop],
    ['a half, 1.0', 'f93c00', '1'],
    ['a half, 65504', 'f97bff', '65504'],
    ['a half, 0.5', 'f93800', drop],
    ['a half, the smallest', 'f90001', drop],
    ['a half, infinity', 'f97c00', drop],
    ['a half, NaN', 'f97e00', drop],
    ['a single, 100000.0', 'fa47c35000', '100000'],
    ['a single, -4.1', 'fac0833333', drop],
    ['cut short', 'fb400000', drop],
  ])('%s', (_, digits, expected) => {
    expect(member(hex(digits))).toBe(expected);
  });
});

describe('text', () => {
  test.each([
    ['markup', ['a<b>&"\\'], '"a\\u003cb\\u003e\\u0026\\"\\\\"'],
    ['control characters', ['\b\f\u001f\u007f\u0000'], '"\\u0008\\u000c\\u001f\u007f\\u0000"'],
    ['line breaks', ['\n\r\t/'], '"\\n\\r\\t/"'],
    ['line separators', ['\u2027\u2028\u2029\u202a'], '"\u2027\\u2028\\u2029\u202a"'],
    [
      'all lengths of UTF-8',
      ['é日🚀\u0080\u07ff\u0800\uffff\u{10ffff}'],
      '"é日🚀\u0080\u07ff\u0800\uffff\u{10ffff}"',
    ],
    ['a lone byte', [0xff, 'a'], '"\\ufffda"'],
    ['a genuine replacement character', ['\ufffd'], '"\ufffd"'],
    ['a tail without a lead', ['a', 0x80, 'b'], '"a\\ufffdb"'],
    ['a sequence cut short by the end', [0xe2, 0x82], '"\\ufffd\\ufffd"'],
    ['a sequence cut short by text', [0xf0, 0x9f, 'cd'], '"\\ufffd\\ufffdcd"'],
    ['an overlong sequence of two', [0xc0, 0x80], '"\\ufffd\\ufffd"'],
    ['an overlong sequence of three', [0xe0, 0x9f, 0xbf], '"\\ufffd\\ufffd\\ufffd"'],
    ['an overlong sequence of four', [0xf0, 0x8f, 0xbf, 0xbf], '"\\ufffd\\ufffd\\ufffd\\ufffd"'],
    ['a surrogate', [0xed, 0xa0, 0x80], '"\\ufffd\\ufffd\\ufffd"'],
    ['above U+10FFFF', [0xf4, 0x90, 0x80, 0x80], '"\\ufffd\\ufffd\\ufffd\\ufffd"'],
    ['a lead that is none', [0xf8, 0x88, 0x80, 0x80, 0x80], '"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"'],
    ['nothing', [''], '""'],
  ] as const)('%s', (_, parts, expected) => {
    expect(literal(...parts)).toBe(expected);
  });

  test('chunks are joined before they are decoded', () => {
    expect(member(hex('7f 61e2 62 80a8 60 ff'))).toBe('"\\u2028"');
    expect(member(hex('5f 4101 40 420203 ff'))).toBe('{"$bytes":"AQID"}');
    expect(recordJson(hex('bf 7f 6161 6162 ff 9f 01 ff ff'))).toBe('{"ab":[1]}');
    expect(member(Buffer.concat([hex('d82a 5f'), bytes(hex('00')), bytes(cid), hex('ff')]))).toBe(
      `{"$link":"${cidText}"}`,
    );
  });

  test.each(['7f4101ff', '7f7f6161ffff', '7f6161', '7f', '7f6261ff', '7f1801ff', '5f6161ff'])(
    'chunks %s are none',
    (digits) => {
      expect(member(hex(digits))).toBe(drop);
    },
  );
});

describe('maps and arrays', () => {
  const one = integer(1);

  test.each([
    ['none', [], '{}'],
    ['by bytes, not by length', ['b', 'a', 'é', '$type', 'Z'], '{"$type":"x","Z":1,"a":1,"b":1,"é":1}'],
    ['a prefix after space and exclamation mark', ['a', 'a b', 'a!', 'a#'], '{"a b":1,"a!":1,"a":1,"a#":1}'],
    [
      'long common beginnings',
      ['abcdef', 'abcde', 'abcd f', 'abcd'],
      '{"abcd f":1,"abcd":1,"abcde":1,"abcdef":1}',
    ],
    ['escapes as backslash', ['<', '[', ']', 'a', '"'], '{"[":1,"\\"":1,"\\u003c":1,"]":1,"a":1}'],
    ['beyond the basic plane', ['\uffff', '🚀'], '{"\uffff":1,"🚀":1}'],
    ['an empty key', ['a', '', '!'], '{"!":1,"":1,"a":1}'],
  ])('keys: %s', (_, keys, expected) => {
    const entries = keys.map((key) => [key, key === '$type' ? text('x') : one] as const);
    expect(recordJson(map(...entries))).toBe(expected);
    expect(recordJson(map(...entries.reverse()))).toBe(expected);
  });

  test('keys that differ only in invalid bytes are both kept, in the order of those', () => {
    const record = map([hex('fe'), integer(2)], [hex('fd'), integer(1)]);
    expect(recordJson(record)).toBe('{"\\ufffd":1,"\\ufffd":2}');
  });

  test.each([
    ['a repeated key', map(['a', one], ['b', one], ['a', one])],
    ['a repeated key that is escaped', map(['<', one], ['a', one], ['<', one])],
    ['a repeated invalid key', map([hex('ff'), one], [hex('fe'), one], [hex('ff'), one])],
    ['a key that is a number', hex('a10101')],
    ['a key that is bytes', hex('a1416101')],
    ['a key that is null', hex('a1f601')],
    ['a key without a value', hex('a16161')],
    ['a missing entry', hex('a2616101')],
    ['an array at the root', array(one)],
    ['text at the root', text('a')],
    ['a number at the root', one],
    ['nothing', hex('')],
    ['a map that is longer than the record', hex('bb00000000ffffffff')],
    ['a map of unknown length without an end', hex('bf616101')],
    ['an entry of a map of unknown length without a value', hex('bf6161ff')],
    ['an array of unknown length without an end', hex('a161619f01')],
    ['a break in an array of known length', hex('a161618201ff')],
    ['text that is longer than the record', hex('a161617a7fffffff61')],
    ['text of 2^63 bytes', hex('a161617bffffffffffffffff')],
  ])('%s is no record', (_, record) => {
    expect(recordJson(record)).toBe(drop);
  });

  test('null and undefined at the root are an empty record', () => {
    expect(recordJson(hex('f6'))).toBe('{}');
    expect(recordJson(hex('f7'))).toBe('{}');
  });

  test('what follows the record is ignored', () => {
    expect(recordJson(hex('a1616101ff00'))).toBe('{"a":1}');
  });

  test('tags on the root and on keys are passed over', () => {
    expect(recordJson(hex('d82aa1616101'))).toBe('{"a":1}');
    expect(recordJson(hex('a1c1616101'))).toBe('{"a":1}');
    expect(recordJson(hex('a1c1c1616101'))).toBe(drop);
    expect(recordJson(hex('c1c1a1616101'))).toBe(drop);
  });

  test('lengths may be written longer than needed', () => {
    expect(recordJson(hex('b8017801617900026162'))).toBe('{"a":"ab"}');
    expect(recordJson(hex('b80178016199000218053800'))).toBe('{"a":[5,-1]}');
  });

  test('nesting', () => {
    const record = map(
      ['a', array(array(), map(), array(map(['b', array(nullItem, trueItem)])))],
      ['c', one],
    );
    expect(recordJson(record)).toBe('{"a":[[],{},[{"b":[null,true]}]],"c":1}');
  });
});

describe('maps that stand for something else', () => {
  const size = integer(1000);
  const png = text('image/png');
  const blob = [
    ['$type', text('blob')],
    ['ref', link(cid)],
    ['mimeType', png],
    ['size', size],
  ] as const;
  const blobJson = `{"$type":"blob","ref":{"$link":"${cidText}"},"mimeType":"image/png","size":1000}`;

  test.each([
    ['a link', map(['$link', text(cidText)]), `{"$link":"${cidText}"}`],
    [
      'a link in upper case',
      map(['$link', text(`B${cidText.slice(1).toUpperCase()}`)]),
      `{"$link":"${cidText}"}`,
    ],
    ['a link in base16', map(['$link', text(`f${cid.toString('hex')}`)]), `{"$link":"${cidText}"}`],
    ['a link in base64', map(['$link', text(`m${cid.toString('base64')}`)]), `{"$link":"${cidText}"}`],
    ['a link under a path', map(['$link', text(`/ipfs/${cidText}/ipfs/x`)]), `{"$link":"${cidText}"}`],
    ['a link that is no CID', map(['$link', text('bafy')]), drop],
    ['a link that is not text', map(['$link', link(cid)]), drop],
    ['a link with another key', map(['$link', text(cidText)], ['a', size]), drop],
    ['bytes', map(['$bytes', text('AQID')]), '{"$bytes":"AQID"}'],
    ['bytes with unused bits', map(['$bytes', text('/x')]), '{"$bytes":"/w"}'],
    ['bytes with unused bits in a group of three', map(['$bytes', text('AAB')]), '{"$bytes":"AAA"}'],
    ['bytes with two unused bits', map(['$bytes', text('AAF')]), '{"$bytes":"AAE"}'],
    ['bytes with line breaks', map(['$bytes', text('AQ\r\nID\n')]), '{"$bytes":"AQID"}'],
    ['no bytes', map(['$bytes', text('')]), '{"$bytes":""}'],
    ['padded bytes', map(['$bytes', text('/w==')]), drop],
    ['bytes of one digit', map(['$bytes', text('AQIDA')]), drop],
    ['bytes in the other alphabet', map(['$bytes', text('_w')]), drop],
    ['bytes with another key', map(['$bytes', text('AQID')], ['$type', text('x')]), drop],
    ['a type', map(['$type', text('x')]), '{"$type":"x"}'],
    ['an empty type', map(['$type', text('')]), drop],
    ['a type that is a number', map(['$type', size]), drop],
    ['a blob', map(...blob), blobJson],
    ['a blob in another order', map(...[...blob].reverse()), blobJson],
    ['a blob with a fifth key', map(...blob, ['x', size]), drop],
    ['a blob without a size', map(...blob.slice(0, 3)), drop],
    ['a blob with a key in place of another', map(...blob.slice(0, 3), ['Size', size]), drop],
    ['a blob of a fractional size', map(...blob.slice(0, 3), ['size', hex('f93e00')]), drop],
    ['a blob of an integral float size', map(...blob.slice(0, 3), ['size', hex('fa447a0000')]), blobJson],
    ['a blob whose ref is text', map(blob[0], ['ref', text(cidText)], blob[2], blob[3]), drop],
    [
      'a blob whose ref is a $link',
      map(blob[0], ['ref', map(['$link', text(cidText)])], blob[2], blob[3]),
      blobJson,
    ],
    [
      'a blob of a negative size',
      map(...blob.slice(0, 3), ['size', hex('20')]),
      `{"cid":"${cidText}","mimeType":"image/png"}`,
    ],
    ['a blob type of another name', map(['$type', text('blobs')]), '{"$type":"blobs"}'],
    [
      'an old blob',
      map(['cid', text(cidText)], ['mimeType', png]),
      `{"cid":"${cidText}","mimeType":"image/png"}`,
    ],
    [
      'an old blob in the other order',
      map(['mimeType', png], ['cid', text(cidText)]),
      `{"cid":"${cidText}","mimeType":"image/png"}`,
    ],
    [
      'an old blob with a link',
      map(['cid', link(cid)], ['mimeType', png]),
      `{"cid":"${cidText}","mimeType":"image/png"}`,
    ],
    [
      'an old blob with binary',
      map(['cid', bytes(cid)], ['mimeType', png]),
      `{"cid":"${cidText}","mimeType":"image/png"}`,
    ],
    ['an old blob with a $link', map(['cid', map(['$link', text(cidText)])], ['mimeType', png]), drop],
    ['an old blob without a CID', map(['cid', text('x')], ['mimeType', png]), drop],
    ['an old blob of a numeric media type', map(['cid', text(cidText)], ['mimeType', size]), drop],
    [
      'an old blob with a third key',
      map(['cid', text('x')], ['mimeType', png], ['z', nullItem]),
      '{"cid":"x","mimeType":"image/png","z":null}',
    ],
  ])('%s', (_, item, expected) => {
    expect(member(item)).toBe(expected);
    expect(member(array(item))).toBe(expected === drop ? drop : `[${expected}]`);
  });

  test('a media type has two short escapes that other text has not', () => {
    const mimeType = text('\b\f\u0001<"\u2028');
    expect(member(map(blob[0], blob[1], ['mimeType', mimeType], blob[3]))).toContain(
      '"mimeType":"\\b\\f\\u0001\\u003c\\"\\u2028"',
    );
  });

  test('none of them can be the whole record', () => {
    expect(recordJson(map(...blob))).toBe(drop);
    expect(recordJson(map(['$link', text(cidText)]))).toBe(drop);
    expect(recordJson(map(['$bytes', text('AQID')]))).toBe(drop);
    expect(recordJson(map(['cid', text(cidText)], ['mimeType', png]))).toBe(drop);
  });
});

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
    expect(literal('\u0001'.repeat(1_000_000))).toBe(`"${'\\u0001'.repeat(1_000_000)}"`);
    const many = Buffer.concat([head(4, 100_000), Buffer.alloc(100_000, 0x40)]);
    expect(member(many)).toBe(`[${Array.from({ length: 100_000 }, () => '{"$bytes":""}').join()}]`);
  });

  test('an ordinary record right after', () => {
    expect(recordJson(map(['a', integer(1)]))).toBe('{"a":1}');
  });
});
