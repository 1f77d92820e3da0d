import { bytesToMultibase } from '@atproto/crypto';
import { decode } from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../lib/byte-writer.ts';
import { cidEnd, writeCidText } from '../../lib/decode/cid.ts';
import { readCidText } from '../../lib/decode/cid-text.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { hex, link } from './raw-cbor.ts';
import { cidOf } from './raw-frames.ts';

function textOf(cid: Uint8Array): string {
  const out = new ByteWriter(4);
  writeCidText(out, cid, 0, cid.length);
  return out.buffer.toString('latin1', 0, out.length);
}

/** The binary CID that text stands for, in hexadecimal, or undefined. */
function read(text: string | Buffer): string | undefined {
  const out = new ByteWriter(4);
  const source = Buffer.from(text as string);
  return readCidText(out, source, 0, source.length) ? out.buffer.toString('hex', 0, out.length) : undefined;
}

/** What another library writes for a CID. */
function otherText(cid: Buffer): string {
  return String(decode(link(cid)));
}

const random = new SeededRandom(String(20260702), 'decode');
const examples = [
  ...Array.from({ length: 50 }, () => cidOf(random.bytes(8), random.pick([0x71, 0x55]))),
  ...Array.from({ length: 50 }, () => Buffer.concat([hex('1220'), random.bytes(32)])),
  Buffer.concat([hex('01711220'), Buffer.alloc(32)]),
  Buffer.concat([hex('01711220'), Buffer.alloc(32, 0xff)]),
  Buffer.concat([hex('1220'), Buffer.alloc(32)]),
  Buffer.concat([hex('01a9021220'), random.bytes(32)]),
  Buffer.concat([hex('01551340'), random.bytes(64)]),
];

test('text is what another library writes, and is read back', () => {
  for (const cid of examples) {
    expect(textOf(cid)).toBe(otherText(cid));
    expect(read(textOf(cid))).toBe(cid.toString('hex'));
  }
});

describe('other encodings are read', () => {
  test.each(['base16', 'base32', 'base58btc', 'base64', 'base64url'] as const)('%s', (encoding) => {
    for (const cid of examples) {
      const other = bytesToMultibase(cid, encoding);
      expect(read(other), `${encoding} of ${cid.toString('hex')}`).toBe(cid.toString('hex'));
    }
  });

  const binary =
    '010111000100010010001000000000001100001010000100010001100000011111001001100010110100110100001110110100001001001' +
    '001010100000101011101011110011001010110110001110011011110101000000110001000100011111001011010011101101001001010' +
    '101110110010101110011100000011000111110011101101010111011100';

  test.each([
    ['base2', binary],
    ['base16 in upper case', 'F01711220030A11181F262D343B424950575E656C737A81888F969DA4ABB2B9C0C7CED5DC'],
    ['base32 in upper case', 'BAFYREIADBIIRQHZGFU2DWQSJKBLV4ZLMON5IDCEPS2O2JK5SXHAMPTWV3Q'],
    ['base32 with padding', 'cafyreiadbiirqhzgfu2dwqsjkblv4zlmon5idceps2o2jk5sxhamptwv3q======'],
    [
      'base32 in upper case with padding',
      'CAFYREIADBIIRQHZGFU2DWQSJKBLV4ZLMON5IDCEPS2O2JK5SXHAMPTWV3Q======',
    ],
    ['base32hex', 'v05oh4803188hg7p65kq3mgi9a1blspbcedt8324fiqeq9atin70cfjmlrg'],
    ['base32hex in upper case', 'V05OH4803188HG7P65KQ3MGI9A1BLSPBCEDT8324FIQEQ9ATIN70CFJMLRG'],
    ['base32hex with padding', 't05oh4803188hg7p65kq3mgi9a1blspbcedt8324fiqeq9atin70cfjmlrg======'],
    [
      'base32hex in upper case with padding',
      'T05OH4803188HG7P65KQ3MGI9A1BLSPBCEDT8324FIQEQ9ATIN70CFJMLRG======',
    ],
    ['base36', 'k2jvsl5gsfga4ldiy0vxjmb54bre8b4g5pak1105aw7h8vm773cyazto'],
    ['base36 in upper case', 'K2JVSL5GSFGA4LDIY0VXJMB54BRE8B4G5PAK1105AW7H8VM773CYAZTO'],
    ['base58 of the other alphabet', 'ZCPUaKCiBf2L78aB1ah1PJA2Gy1BJonNxYku2JseBTtpgwBvw'],
    ['base64 with padding', 'MAXESIAMKERgfJi00O0JJUFdeZWxzeoGIj5adpKuyucDHztXc'],
    ['base64url with padding', 'UAXESIAMKERgfJi00O0JJUFdeZWxzeoGIj5adpKuyucDHztXc'],
  ])('%s', (_, text) => {
    expect(read(text)).toBe('01711220030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc');
  });

  test('the bytes themselves', () => {
    expect(read(Buffer.concat([hex('00'), examples[0]]))).toBe(examples[0].toString('hex'));
  });
});

describe('what v1 is lenient about', () => {
  const cid = examples[0];
  const text = textOf(cid);

  test.each([
    ['either case', `b${text.slice(1).toUpperCase()}`],
    ['line breaks', `${text.slice(0, 9)}\r\n${text.slice(9)}\n`],
    ['paths', `/ipfs/${text}`],
    ['paths in addresses', `https://example.com/ipfs/${text}/ipfs/more`],
    ['unused bits', `${text.slice(0, -1)}${String.fromCharCode(text.charCodeAt(text.length - 1) + 1)}`],
  ])('%s', (_, lenient) => {
    expect(read(lenient)).toBe(cid.toString('hex'));
  });

  test.each([1, 3, 6])('a base32 group of %i digits, which gives no byte', (digits) => {
    const forty = Buffer.concat([hex('01710024'), Buffer.alloc(36, 0x55)]);
    expect(read(`${textOf(forty)}${'a'.repeat(digits)}`)).toBe(forty.toString('hex'));
    expect(read(`${textOf(forty)}${'a'.repeat(digits + 1)}`)).toBeUndefined();
  });
});

test.each([
  '',
  'b',
  'bafy',
  'x',
  'Qm',
  'zz',
  'k0',
  'z1',
  'f0',
  'fg0',
  'm====',
  `f${examples[0].toString('hex')}=`,
  `f${examples[0].toString('hex')}0`,
  `0${'0'.repeat(7)}${BigInt(`0x${examples[0].toString('hex')}`).toString(2)}=`,
  `u${examples[0].toString('base64url')}A`,
  `m${examples[0].toString('base64url')}-`,
  'cafyreiadbiirqhzgfu2dwqsjkblv4zlmon5idceps2o2jk5sxhamptwv3q=====',
  'cafyreiadbiirqhzgfu2dwqsjkblv4zlmon5idceps2o2jk5sxhamptwv3q==============',
  'cafyreiadbiirqhzgfu2dwqsjkblv4zlmon5idceps2o2jk5sxhamptwv3=q=====',
  '/ipfs/',
  '\u{1f680}',
  `${textOf(examples[0])}=`,
  `${textOf(examples[0])}aaaaaaaa`,
  textOf(examples[0]).slice(0, -2),
  `Qm${'1'.repeat(44)}`,
  `z${'2'.repeat(129)}`,
])('%j is no CID', (text) => {
  expect(read(text)).toBeUndefined();
});

test('long text takes as long as its length', () => {
  const cpuUs = (text: Buffer): number => {
    const runs = Array.from({ length: 5 }, () => {
      const start = process.cpuUsage();
      read(text);
      const { user, system } = process.cpuUsage(start);
      return user + system;
    });
    return Math.min(...runs);
  };
  const growth = (prefix: string, digit: string, end = ''): number => {
    const [short, long] = [2 ** 14, 2 ** 17].map((length) =>
      cpuUs(Buffer.from(prefix + digit.repeat(length) + end, 'latin1')),
    );
    // What takes next to nothing has no ratio that means anything.
    return long / Math.max(short, 200);
  };
  // Eight times the length: a square would be 64.
  for (const prefix of 'b0cmf') expect(growth(prefix, '1'), prefix).toBeLessThan(32);
  for (const prefix of 'bcmM') expect(growth(prefix, '=', 'a'), prefix).toBeLessThan(32);
  expect(growth('b', '\n')).toBeLessThan(32);
  expect(growth('', '/ipfs/')).toBeLessThan(32);
});

test('the text of a CID of version 0 is not made digit by digit', () => {
  const out = new ByteWriter();
  const cpuUs = (cid: Buffer): number => {
    const runs = Array.from({ length: 5 }, () => {
      const start = process.cpuUsage();
      for (let made = 0; made < 20_000; made++) {
        out.length = 0;
        writeCidText(out, cid, 0, cid.length);
      }
      const { user, system } = process.cpuUsage(start);
      return user + system;
    });
    return Math.min(...runs);
  };
  // Digit by digit it takes 16 times as long, now 4.
  const version1 = cpuUs(cidOf(Buffer.from('x')));
  expect(cpuUs(Buffer.concat([hex('1220'), Buffer.alloc(32, 0xff)]))).toBeLessThan(8 * version1);
});

test('no prefix of a CID is one', () => {
  for (const cid of examples) {
    for (let length = 0; length < cid.length; length++) expect(cidEnd(cid, 0, length)).not.toBe(length);
    expect(cidEnd(cid, 0, cid.length)).toBe(cid.length);
    expect(cidEnd(Buffer.concat([cid, hex('00')]), 0, cid.length + 1)).toBe(cid.length);
  }
});

test.each(['00', '02711220', '0180001220', '01808080808080808080011220', '0171ff', '017112ff'])(
  'a CID does not start with %s',
  (digits) => {
    expect(cidEnd(Buffer.concat([hex(digits), Buffer.alloc(40)]), 0, 40)).toBe(-1);
  },
);
