import { expect, test } from 'vitest';
import { maskedCrc32c } from '../../lib/level/crc32c.ts';
import { pageBytes, readRecords } from '../../lib/level/record-file.ts';

const types = { full: 1, first: 2, middle: 3, last: 4 };

/** A piece of a record as LevelDB writes it. */
function piece(type: keyof typeof types, data: string | Buffer): Buffer {
  const bytes = Buffer.alloc(7 + data.length);
  bytes.writeUInt16LE(data.length, 4);
  bytes[6] = types[type];
  bytes.set(Buffer.from(data), 7);
  bytes.writeUInt32LE(maskedCrc32c(bytes, 6, bytes.length), 0);
  return bytes;
}

const texts = (bytes: Buffer): string[] =>
  readRecords(bytes).records.map((record) => Buffer.from(record).toString());

const filler = piece('full', Buffer.alloc(pageBytes - 14, 1));

test('pieces make a record', () => {
  const bytes = Buffer.concat([piece('first', 'one, '), piece('middle', 'two, '), piece('last', 'three')]);
  expect(readRecords(bytes)).toMatchObject({ offsets: [0], damages: [], isCutOff: false, end: bytes.length });
  expect(texts(bytes)).toEqual(['one, two, three']);
});

test.each([
  ['a rest without a beginning', [piece('full', 'a'), piece('last', 'b'), piece('full', 'c')], 8],
  ['a beginning without a rest', [piece('full', 'a'), piece('first', 'b'), piece('full', 'c')], 8],
])('%s is no record, and a damage', (_, pieces, offset) => {
  const bytes = Buffer.concat(pieces);
  expect(texts(bytes)).toEqual(['a', 'c']);
  expect(readRecords(bytes).damages).toEqual([{ offset, after: 1, isUnwritten: false }]);
});

test.each(['full', 'first'] as const)(
  'an empty beginning at the end of a page, before a %s piece',
  (type) => {
    // Written by the first LevelDB, and by us once.
    const rest = type === 'full' ? [piece('full', 'next')] : [piece('first', 'ne'), piece('last', 'xt')];
    const bytes = Buffer.concat([filler, piece('first', ''), ...rest]);
    expect(texts(bytes).slice(1)).toEqual(['next']);
    expect(readRecords(bytes)).toMatchObject({ damages: [], offsets: [0, pageBytes], isCutOff: false });
  },
);

test('what is left of a record behind a damaged page is none', () => {
  const first = piece('first', Buffer.alloc(pageBytes - 7, 1));
  first[100] ^= 1;
  const bytes = Buffer.concat([first, piece('last', 'rest'), piece('full', 'next')]);
  expect(texts(bytes)).toEqual(['next']);
  expect(readRecords(bytes)).toMatchObject({
    offsets: [pageBytes + 11],
    damages: [{ offset: 0, after: 0, isUnwritten: false }],
  });
});

test('a record that the end cuts off is no damage, in its first piece or behind it', () => {
  const whole = piece('full', 'a');
  for (const rest of [piece('full', 'bcd').subarray(0, 9), piece('first', 'b'), Buffer.from([1, 2])]) {
    const read = readRecords(Buffer.concat([whole, rest]));
    expect(read).toMatchObject({ damages: [], isCutOff: true, end: whole.length });
  }
});

test.each([
  ['a page in the middle', 4096, 8192],
  ['pages', 8192, 20_000],
  ['the end of a page that was stored before', 4000, 4096],
  ['all from somewhere on', 5000, pageBytes + 11],
])('zeros that a power failure leaves are no damage of what was stored: %s', (_, from, to) => {
  const bytes = Buffer.concat([piece('full', Buffer.alloc(pageBytes - 7, 1)), piece('full', 'next')]);
  bytes.fill(0, from, to);
  const { damages, isCutOff } = readRecords(bytes);
  expect(damages.every(({ isUnwritten }) => isUnwritten)).toBe(true);
  expect(damages.length > 0 || isCutOff).toBe(true);
});

test('zeros from anywhere on to the end are no damage of what was stored, next to where a page ends, too', () => {
  const pieces = [
    filler,
    piece('first', ''),
    piece('last', Buffer.alloc(pageBytes - 7, 1)),
    piece('full', 'next'),
  ];
  const whole = Buffer.concat(pieces);
  for (let from = 1; from < whole.length; from++) {
    const isNearEdge = [4096, pageBytes].some((bytes) => (from + 24) % bytes < 48);
    if (!isNearEdge && from < whole.length - 24) continue;
    const bytes = Buffer.from(whole).fill(0, from);
    const wrong = readRecords(bytes).damages.filter(({ isUnwritten }) => !isUnwritten);
    expect(wrong, `zeros from ${from} on`).toEqual([]);
  }
});

test('a bit, and a page of something else, are a damage of what was stored', () => {
  for (const change of [
    (bytes: Buffer) => (bytes[5000] ^= 4),
    (bytes: Buffer) => bytes.fill(7, 4096, 8192),
    (bytes: Buffer) => (bytes[6] = 9),
  ]) {
    const bytes = Buffer.concat([filler, piece('full', 'next')]);
    change(bytes);
    expect(readRecords(bytes).damages).toEqual([{ offset: 0, after: 0, isUnwritten: false }]);
  }
});
