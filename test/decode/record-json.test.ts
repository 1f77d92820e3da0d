import { describe, expect, test } from 'vitest';
import { array, bytes, hex, integer, link, map, nullItem, text, trueItem } from './raw-cbor.ts';
import { cidOf } from './raw-frames.ts';
import { drop, member, recordJson } from './recorder.ts';

const cid = cidOf(Buffer.from('example'));
const cidText = 'bafyreicq3bmobgc6zr7waqmkv4gmlk2yp5bmevykrbajlkpizswnb5sulq';

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
