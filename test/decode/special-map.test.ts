import { describe, expect, test } from 'vitest';
import { array, bytes, hex, integer, link, map, nullItem, text } from './raw-cbor.ts';
import { cidOf } from './raw-frames.ts';
import { drop, member, recordJson } from './recorder.ts';

const cid = cidOf(Buffer.from('example'));
const cidText = 'bafyreicq3bmobgc6zr7waqmkv4gmlk2yp5bmevykrbajlkpizswnb5sulq';

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
