import { Secp256k1Keypair } from '@atproto/crypto';
import { blocksToCarFile, MemoryBlockstore, Repo, WriteOpAction } from '@atproto/repo';
import { describe, expect, test } from 'vitest';
import { CarIndex, headerBytesMax } from '../../lib/decode/car.ts';
import { array, hex, integer, link, map, nullItem, text } from './raw-cbor.ts';
import { archive, type Block, blockOf, cidOf, section, varint } from './raw-frames.ts';

const car = new CarIndex();
const first = blockOf(Buffer.from('first block'));
const second = blockOf(Buffer.from('second block'));

/** Reads an archive that has other bytes around it. */
function read(bytes: Uint8Array): { reason: string | undefined; source: Buffer } {
  const source = Buffer.concat([hex('ffff'), bytes, hex('ffff')]);
  return { reason: car.read(source, 2, source.length - 2), source };
}

function find(cid: Buffer, source: Buffer): string | undefined {
  const around = Buffer.concat([hex('00'), cid, hex('00')]);
  if (!car.find(around, 1, around.length - 1)) return undefined;
  return source.toString('latin1', car.blockStart, car.blockEnd);
}

test('every block of an archive that @atproto/repo wrote is found', async () => {
  const keypair = await Secp256k1Keypair.create();
  const records = Array.from({ length: 40 }, (_, index) => ({
    action: WriteOpAction.Create as const,
    collection: 'com.example.record' as const,
    rkey: `rkey${index}`,
    record: { $type: 'com.example.record', index },
  }));
  const commit = await Repo.formatInitCommit(new MemoryBlockstore(), 'did:plc:synthetic', keypair, records);
  const { reason, source } = read(await blocksToCarFile(commit.cid, commit.newBlocks));
  expect(reason).toBeUndefined();
  expect(car.findRoot()).toBe(true);
  const root = Buffer.from(commit.newBlocks.get(commit.cid)!);
  expect(source.subarray(car.blockStart, car.blockEnd)).toEqual(root);
  for (const { cid, bytes } of commit.newBlocks.entries()) {
    expect(find(Buffer.from(cid.bytes), source)).toBe(Buffer.from(bytes).toString('latin1'));
  }
  expect(find(cidOf(Buffer.from('absent')), source)).toBeUndefined();
});

describe('blocks', () => {
  test('are found by all of their CID', () => {
    const raw: Block = [cidOf(first[1], 0x55), first[1]];
    const { reason, source } = read(archive([first[0]], [first, second]));
    expect(reason).toBeUndefined();
    expect(find(first[0], source)).toBe('first block');
    expect(find(second[0], source)).toBe('second block');
    expect(find(raw[0], source)).toBeUndefined();
    expect(find(first[0].subarray(2), source)).toBeUndefined();
    expect(find(hex('00'), source)).toBeUndefined();
    expect(find(hex(''), source)).toBeUndefined();
  });

  test('may be repeated, empty, or absent', () => {
    const empty = blockOf(Buffer.alloc(0));
    const { reason, source } = read(archive([first[0]], [empty, second, second]));
    expect(reason).toBeUndefined();
    expect(find(empty[0], source)).toBe('');
    expect(find(second[0], source)).toBe('second block');
    expect(car.findRoot()).toBe(false);
    expect(read(archive([first[0]], [])).reason).toBeUndefined();
    expect(car.findRoot()).toBe(false);
  });

  test('of the archive before are forgotten', () => {
    read(archive([first[0]], [first, second]));
    const { source } = read(archive([first[0]], [first]));
    expect(find(second[0], source)).toBeUndefined();
    expect(find(first[0], source)).toBe('first block');
  });

  test('may have a CID of version 0 or a long codec', () => {
    const version0: Block = [first[0].subarray(2), first[1]];
    const long: Block = [Buffer.concat([hex('01a902'), first[0].subarray(2)]), first[1]];
    const { reason, source } = read(archive([first[0]], [version0, long]));
    expect(reason).toBeUndefined();
    expect(find(version0[0], source)).toBe('first block');
    expect(find(long[0], source)).toBe('first block');
  });

  test('that do not hash to their CID are refused, whichever they are', () => {
    for (let at = 0; at < 32; at++) {
      const cid = Buffer.from(second[0]);
      cid[4 + at] ^= 1;
      expect(read(archive([first[0]], [first, [cid, second[1]]])).reason).toBe('bad_block_hash');
    }
    expect(read(archive([first[0]], [first, [second[0], Buffer.from('second blocK')]])).reason).toBe(
      'bad_block_hash',
    );
  });

  test('whose hash is not SHA-256 are refused', () => {
    const sha512 = Buffer.concat([hex('01711340'), Buffer.alloc(64)]);
    const short = Buffer.concat([hex('01711214'), first[0].subarray(4, 24), Buffer.alloc(12)]);
    const identity = Buffer.concat([hex('017100 22'), hex('1220'), Buffer.alloc(32)]);
    expect(read(archive([first[0]], [[sha512, first[1]]])).reason).toBe('bad_block_hash');
    expect(read(archive([first[0]], [[short, first[1]]])).reason).toBe('bad_block_hash');
    expect(read(archive([first[0]], [[identity, first[1]]])).reason).toBe('bad_block_hash');
  });

  test('are many, and each look-up is quick', () => {
    const blocks = Array.from({ length: 20_000 }, (_, index) => blockOf(Buffer.from(index.toString())));
    const { reason, source } = read(archive([first[0]], blocks));
    expect(reason).toBeUndefined();
    for (const [cid, contents] of blocks) expect(find(cid, source) === contents.toString()).toBe(true);
    for (let index = 0; index < 20_000; index++)
      expect(find(cidOf(Buffer.from(`absent ${index}`)), source)).toBe(undefined);
  });
});

describe('a look-up takes as long as in an archive of as many other blocks', () => {
  /** The most that fit. */
  const count = 55_000;
  const [cid, contents] = blockOf(hex('a0'));
  const distinct = Array.from({ length: count }, (_, index) => blockOf(Buffer.from(index.toString())));

  function cpuUs(blocks: Block[]): number {
    const bytes = archive([first[0]], blocks);
    const before = process.cpuUsage();
    const { reason, source } = read(bytes);
    expect(reason).toBeUndefined();
    expect(find(blocks[count - 1][0], source)).toBe(Buffer.from(blocks[count - 1][1]).toString('latin1'));
    const { user, system } = process.cpuUsage(before);
    return user + system;
  }

  test.each([
    ['of one block, again and again', (): Block => [cid, contents]],
    [
      'of the same bytes under other codecs',
      (index: number): Block => [
        Buffer.concat([
          Buffer.of(1, 0x80 | (index & 127), 0x80 | ((index >> 7) & 127), 1 + (index >> 14)),
          cid.subarray(2),
        ]),
        contents,
      ],
    ],
  ])('%s', (_, blockAt) => {
    const blocks = Array.from({ length: count }, (_, index) => blockAt(index));
    cpuUs(distinct);
    // Each block against all before it takes a hundred times as long.
    expect(cpuUs(blocks)).toBeLessThan(6 * cpuUs(distinct));
  });

  test('and the first of two is found', () => {
    const { source } = read(archive([first[0]], [second, first, second]));
    expect(find(second[0], source)).toBe('second block');
    expect(car.blockStart).toBeLessThan(source.indexOf('first block'));
  });
});

describe('the header', () => {
  const body = section(first[0], first[1]);
  const roots = array(link(first[0]));
  const version = integer(1);

  function withHeader(header: Uint8Array): string | undefined {
    return read(Buffer.concat([section(header), body])).reason;
  }

  test.each([
    ['in the usual order', map(['roots', roots], ['version', version])],
    ['in another order', map(['version', version], ['roots', roots])],
    [
      'of unknown length',
      Buffer.concat([
        hex('bf'),
        text('roots'),
        hex('9f'),
        link(first[0]),
        hex('ff'),
        text('version'),
        hex('01ff'),
      ]),
    ],
    ['with two roots', map(['roots', array(link(first[0]), link(second[0]))], ['version', version])],
  ])('%s', (_, header) => {
    expect(withHeader(header)).toBeUndefined();
    expect(car.findRoot()).toBe(true);
  });

  test.each([
    ['is empty', hex('')],
    ['is no map', hex('01')],
    ['is null', nullItem],
    ['has no roots', map(['version', version])],
    ['has an empty list of roots', map(['roots', array()], ['version', version])],
    ['has roots that are no links', map(['roots', array(text('x'))], ['version', version])],
    ['has roots that are no list', map(['roots', link(first[0])], ['version', version])],
    ['has no version', map(['roots', roots])],
    ['is of version 2', map(['roots', roots], ['version', integer(2)])],
    ['has a version that is text', map(['roots', roots], ['version', text('1')])],
    ['has another key', map(['roots', roots], ['version', version], ['x', nullItem])],
    ['is cut short', map(['roots', roots], ['version', version]).subarray(0, 20)],
  ])('that %s is refused', (_, header) => {
    expect(withHeader(header)).toBe('bad_car');
  });

  test('that is long is refused before it is read', () => {
    const padded = (padding: number): Buffer =>
      map(['roots', array(link(first[0]), text('x'.repeat(padding)))], ['version', version]);
    // Of texts that long the head is as long as that of this one.
    const around = padded(60_000).length - 60_000;
    expect(withHeader(padded(headerBytesMax - around))).toBeUndefined();
    expect(withHeader(padded(headerBytesMax - around + 1))).toBe('bad_car');
  });
});

describe('the end', () => {
  const whole = archive([first[0]], [first, second]);

  test.each([
    ['an empty section ends the archive, whatever follows', Buffer.concat([whole, hex('00ffff')]), undefined],
    ['a length with nothing after it too', Buffer.concat([whole, hex('05')]), undefined],
    ['half a length does not', Buffer.concat([whole, hex('80')]), 'bad_car'],
    ['a section longer than the archive', Buffer.concat([whole, varint(3), hex('0171')]), 'bad_car'],
    ['a section of 2^70 bytes', Buffer.concat([whole, hex('ffffffffffffffffff7f01')]), 'bad_car'],
    ['a section too short for a CID', Buffer.concat([whole, section(first[0].subarray(0, 20))]), 'bad_car'],
    ['a section that starts with no CID', Buffer.concat([whole, section(hex('05'), first[0])]), 'bad_car'],
    [
      'a length written longer than needed',
      Buffer.concat([section(whole.subarray(1, 59)), hex('af8000'), first[0], first[1]]),
      undefined,
    ],
    ['nothing at all', hex(''), 'bad_car'],
  ])('%s', (_, bytes, expected) => {
    expect(read(bytes).reason).toBe(expected);
  });

  test('every other cut is noticed, unless it falls between sections', () => {
    const between = new Set<number>();
    for (let at = 0; at < whole.length; ) {
      at += 1 + whole[at];
      between.add(at).add(at + 1);
    }
    for (let length = 0; length < whole.length; length++) {
      expect(read(whole.subarray(0, length)).reason, `cut at ${length}`).toBe(
        between.has(length) ? undefined : 'bad_car',
      );
    }
  });
});
