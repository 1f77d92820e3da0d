// Which records only the first wire shows: what it reads and the data model has not. Whatever else is shown can be encoded again from its
// JSON, by an encoder that is not ours, into the very bytes that its CID is of.

import { decode, encode } from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import type { V1OnlyReason } from '../../lib/decode/data-model.ts';
import { RecordTape } from '../../lib/decode/record-tape.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { array, bytes, hex, integer, link, map, nullItem, text } from './raw-cbor.ts';
import { archiveOf, blockOf, cidOf, commitBody, exampleDid, frameOf, opOf } from './raw-frames.ts';
import { drop, Recorder, recordJson } from './recorder.ts';

const tape = new RecordTape();
const cid = cidOf(Buffer.from('example'));
const cidText = String(decode(link(cid)));

/** The reason; `drop` for what no wire shows. */
function faultOf(cbor: Buffer): V1OnlyReason | 'drop' | undefined {
  return tape.read(cbor, 0, cbor.length) ? tape.fault : 'drop';
}

describe('a record', () => {
  const value = (item: Buffer): Buffer => map(['v', item]);
  const longKey = (digits: string): Buffer => Buffer.concat([hex(`a1${digits}76`), integer(1)]);
  test.each<[string, Buffer, V1OnlyReason | 'drop' | undefined]>([
    [
      'of all kinds of values',
      map(['a', nullItem], ['b', bytes(hex('00ff'))], ['c', link(cid)], ['dd', array(integer(-1))]),
      undefined,
    ],
    ['null', nullItem, 'no_map'],
    ['with an integral float', value(hex('fb3ff0000000000000')), 'float'],
    ['with a small float', value(hex('f93c00')), 'float'],
    ['with a float that is none', value(hex('fb3ff8000000000000')), 'drop'],
    ['with the largest integer', value(hex('1b7fffffffffffffff')), undefined],
    ['with a larger one', value(hex('1b8000000000000000')), 'integer'],
    ['with the smallest integer', value(hex('3b7fffffffffffffff')), undefined],
    ['with the smallest of CBOR', value(hex('3bffffffffffffffff')), 'integer'],
    ['with undefined', value(hex('f7')), 'encoding'],
    ['with an integer that is too long', value(hex('1800')), 'encoding'],
    ['with one of two bytes that is too long', value(hex('1900ff')), 'encoding'],
    ['with one of four', value(hex('1a0000ffff')), 'encoding'],
    ['with one of eight', value(hex('1b00000000ffffffff')), 'encoding'],
    ['with a long head of a key', longKey('7801'), 'encoding'],
    ['with text in chunks', value(hex('7f6161ff')), 'encoding'],
    ['with an array of unknown length', value(hex('9fff')), 'encoding'],
    ['of unknown length', hex('bf617601ff'), 'encoding'],
    ['that is tagged', Buffer.concat([hex('c1'), value(integer(1))]), 'encoding'],
    ['with a tagged key', hex('a1c1617601'), 'encoding'],
    ['with another behind it', Buffer.concat([value(integer(1)), integer(1)]), 'encoding'],
    ['with a shorter key behind a longer one', map(['aa', integer(1)], ['b', integer(1)]), 'encoding'],
    ['with keys out of order', map(['b', integer(1)], ['a', integer(1)]), 'encoding'],
    ['with a map in it, out of order', value(map(['b', integer(1)], ['a', integer(1)])), 'encoding'],
    ['with a link of version 0', value(link(Buffer.concat([hex('1220'), Buffer.alloc(32, 1)]))), 'link'],
    ['with a link to an identity hash', value(link(hex('01710003616263'))), 'link'],
    ['with a link as text', value(map(['$link', text(cidText)])), 'link'],
    ['with bytes as text', value(map(['$bytes', text('AQID')])), 'bytes'],
    ['with an old blob', value(map(['cid', text(cidText)], ['mimeType', text('image/png')])), undefined],
    [
      'with an old blob in another base',
      value(map(['cid', text(`/ipfs/${cidText}`)], ['mimeType', text('image/png')])),
      'blob',
    ],
    ['with an old blob with a link', value(map(['cid', link(cid)], ['mimeType', text('image/png')])), 'blob'],
    [
      'with a blob',
      value(
        map(['ref', link(cid)], ['size', integer(7)], ['$type', text('blob')], ['mimeType', text('a/b')]),
      ),
      undefined,
    ],
    [
      'with a blob of less than nothing',
      value(
        map(['ref', link(cid)], ['size', integer(-7)], ['$type', text('blob')], ['mimeType', text('a/b')]),
      ),
      'blob',
    ],
  ])('%s', (_, cbor, reason) => {
    expect(faultOf(cbor)).toBe(reason);
  });
});

describe('an event', () => {
  const record = blockOf(map(['text', text('hello')]));
  const path = 'com.example.record/rkey';
  const take = (op: Buffer, changes: Parameters<typeof commitBody>[2] = {}, block = record): Recorder =>
    new Recorder().take(frameOf('#commit', commitBody([op], archiveOf([block]), changes)));

  test('that is as it should be is for both wires', () => {
    const { events, v1Only } = take(opOf('create', path, record[0]));
    expect([events.length, events[0].isV1Only, v1Only]).toEqual([1, undefined, []]);
  });

  const odd = blockOf(map(['text', text(hex('61ff'))]));
  const raw = [cidOf(record[1], 0x55), record[1]] as const;
  test.each<[string, V1OnlyReason, Recorder]>([
    ['without a revision', 'rev', take(opOf('create', path, record[0]), { rev: text('') })],
    ['of a revision that is no TID', 'rev', take(opOf('create', path, record[0]), { rev: text('1') })],
    ['of no DID', 'did', take(opOf('create', path, record[0]), { repo: text('plc') })],
    ['of a collection that is no NSID', 'path', take(opOf('create', 'record/rkey', record[0]))],
    [
      'that deletes under a path that cannot be',
      'path',
      take(opOf('delete', 'com.example.record/a/b', null)),
    ],
    ['that deletes the key ..', 'path', take(opOf('delete', 'com.example.record/..', null))],
    ['with text that is no UTF-8', 'text', take(opOf('create', path, odd[0]), {}, odd)],
    ['with a CID that is not of DAG-CBOR', 'cid', take(opOf('create', path, raw[0]), {}, raw)],
  ])('%s is for the first wire', (_, reason, { events, v1Only }) => {
    expect([events.length, events[0].isV1Only, v1Only]).toEqual([1, true, [reason]]);
  });

  test('is judged by itself', () => {
    const ops = [opOf('create', path, odd[0]), opOf('create', path, record[0])];
    const recorder = new Recorder().take(frameOf('#commit', commitBody(ops, archiveOf([odd, record]))));
    expect(recorder.events.map(({ isV1Only }) => isV1Only)).toEqual([true, undefined]);
  });

  test('of an account that is no DID is for the first wire', () => {
    const body = [
      ['did', text('plc')],
      ['seq', integer(1)],
      ['time', text('2026-01-02T03:04:05Z')],
    ] as const;
    expect(new Recorder().take(frameOf('#identity', body)).v1Only).toEqual(['did']);
    expect(exampleDid).toMatch(/^did:/);
  });
});

/** The value that JSON of the data model stands for. */
function lexOf(json: unknown): unknown {
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map(lexOf);
  const { $link, $bytes } = json as { $link?: string; $bytes?: string };
  if ($link !== undefined) return linkOf($link);
  if ($bytes !== undefined) return new Uint8Array(Buffer.from($bytes, 'base64'));
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, lexOf(value)]));
}

const CID = (decode(link(cid)) as { constructor: { parse(text: string): unknown } }).constructor;
const linkOf = (cid: string): unknown => CID.parse(cid);

test('what both wires show is encoded again into the same bytes, however records are damaged', () => {
  const random = new SeededRandom('damage', 'data model');
  const blob = { $type: 'blob', ref: linkOf(cidText), mimeType: 'image/png', size: 9 };
  const sources = [
    { $type: 'com.example.record', text: 'hello é', n: [1, -70_000, 300], blob, when: '2026' },
    { a: { bb: { c: null, d: true } }, link: linkOf(cidText), bytes: new Uint8Array([1, 2, 3]) },
    { old: { cid: cidText, mimeType: 'image/png' }, long: 'x'.repeat(300), big: 2 ** 40 },
  ].map((value) => Buffer.from(encode(value)));
  for (const source of sources) expect(faultOf(source)).toBeUndefined();
  let shown = 0;
  for (let round = 0; round < 20_000; round++) {
    const cbor = Buffer.from(random.pick(sources));
    for (let times = 1 + random.int(2); times > 0; times--) {
      cbor[random.int(cbor.length)] = random.chance(0.5)
        ? random.int(256)
        : random.pick(cbor as unknown as number[]);
    }
    if (faultOf(cbor) !== undefined) continue;
    const json = recordJson(cbor);
    // What is no UTF-8 is seen when it is written.
    if (json === drop || json.includes('\\ufffd') || /\d{16}/.test(json)) continue;
    shown++;
    expect(Buffer.from(encode(lexOf(JSON.parse(json)))).toString('hex')).toBe(cbor.toString('hex'));
  }
  expect(shown).toBeGreaterThan(1_500);
});
