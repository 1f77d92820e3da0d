import { encode } from '@ipld/dag-cbor';
import { describe, expect, test, vi } from 'vitest';
import { Frame, frameTypes, opActions, opInts } from '../../lib/decode/frame.ts';
import {
  array,
  bytes,
  falseItem,
  head,
  hex,
  integer,
  link,
  map,
  nullItem,
  text,
  trueItem,
} from './raw-cbor.ts';
import {
  cidOf,
  commitBody,
  exampleDid,
  exampleRev,
  exampleTime,
  frameOf,
  longText,
  opOf,
} from './raw-frames.ts';

const frame = new Frame();
const cid = cidOf(Buffer.from('record'));
const ops = [opOf('create', 'com.example.a/1', cid), opOf('delete', 'com.example.b/2', null)];

function span(start: number, end: number): string {
  return Buffer.from(frame.bytes).toString('utf8', start, end);
}

/** The ops of the frame, as an object each. */
function opList() {
  return Array.from({ length: frame.opCount }, (_, index) => {
    const [action, pathStart, pathEnd, cidStart, cidEnd] = frame.ops.subarray(
      index * opInts,
      (index + 1) * opInts,
    );
    return {
      action,
      path: span(pathStart, pathEnd),
      cid: Buffer.from(frame.bytes.subarray(cidStart, cidEnd)),
    };
  });
}

describe('commits', () => {
  const body = commitBody(ops, Buffer.from('archive'));

  function expectWhole(): void {
    expect(frame.type).toBe(frameTypes.commit);
    expect(frame.seq).toBe(1234);
    expect(span(frame.didStart, frame.didEnd)).toBe(exampleDid);
    expect(span(frame.revStart, frame.revEnd)).toBe(exampleRev);
    expect(span(frame.timeStart, frame.timeEnd)).toBe(exampleTime);
    expect(span(frame.blocksStart, frame.blocksEnd)).toBe('archive');
    expect(opList()).toEqual([
      { action: opActions.create, path: 'com.example.a/1', cid },
      { action: opActions.delete, path: 'com.example.b/2', cid: Buffer.alloc(0) },
    ]);
  }

  test('in the usual order', () => {
    expect(frame.read(frameOf('#commit', body))).toBeUndefined();
    expectWhole();
  });

  test('in any order, with fields that nobody knows', () => {
    const more = ['zz', 'a much longer name', 'did', 'handle', 'sex'].map(
      (key) => [key, array(map([key, nullItem]))] as const,
    );
    const nested = ['x', Buffer.concat([Buffer.alloc(1000, 0x81), nullItem])] as const;
    expect(frame.read(frameOf('#commit', [nested, ...[...body].reverse(), ...more]))).toBeUndefined();
    expectWhole();
  });

  test('with their header in another order', () => {
    const header = map(['x', array(integer(1))], ['t', text('#commit')], ['op', integer(1)]);
    expect(frame.read(Buffer.concat([header, map(...body)]))).toBeUndefined();
    expectWhole();
  });

  test('with heads longer than needed, and bytes after the end', () => {
    const long = body.map(([key, item]) => [key, key === 'seq' ? hex('1b00000000000004d2') : item] as const);
    expect(frame.read(Buffer.concat([frameOf('#commit', long), hex('ff')]))).toBeUndefined();
    expectWhole();
  });

  test('as another encoder writes them', () => {
    const header = encode({ op: 1, t: '#commit' });
    const fields = {
      seq: 9,
      repo: 'did:web:a.test',
      rev: 'r',
      time: 't',
      ops: [],
      blocks: new Uint8Array(3),
      tooBig: false,
    };
    expect(frame.read(Buffer.concat([header, encode(fields)]))).toBeUndefined();
    expect(frame.seq).toBe(9);
    expect(span(frame.didStart, frame.didEnd)).toBe('did:web:a.test');
    expect(frame.blocksEnd - frame.blocksStart).toBe(3);
    expect(frame.opCount).toBe(0);
  });

  const claims = () => ({
    commit: Buffer.from(frame.bytes.subarray(frame.commitStart, frame.commitEnd)),
    prevData: Buffer.from(frame.bytes.subarray(frame.prevDataStart, frame.prevDataEnd)),
    since: span(frame.sinceStart, frame.sinceEnd),
    prev: Buffer.from(frame.bytes.subarray(frame.ops[5], frame.ops[6])),
  });
  const none = Buffer.alloc(0);
  const other = cidOf(Buffer.from('other'));
  const update = map(
    ['cid', link(cid)],
    ['path', text('com.example.a/1')],
    ['prev', link(other)],
    ['action', text('update')],
  );

  test('with what a check of them needs', () => {
    const changes = { commit: link(cid), prevData: link(other), since: text('3before') };
    expect(frame.read(frameOf('#commit', commitBody([update], none, changes)))).toBeUndefined();
    expect(claims()).toEqual({ commit: cid, prevData: other, since: '3before', prev: other });
    expect(frame.read(frameOf('#commit', commitBody([ops[0]], none, { commit: nullItem })))).toBeUndefined();
    expect(claims()).toEqual({ commit: none, prevData: none, since: '', prev: none });
  });

  test('are no worse for what only a check of them needs', () => {
    const wrong = [integer(1), text(''), array(link(cid)), link(Buffer.alloc(3000)), longText(3000)];
    for (const item of wrong) {
      const changes = { commit: item, prevData: item, since: item === wrong[1] ? nullItem : item };
      const op = map(['prev', item], ['path', text('com.example.a/1')], ['action', text('create')]);
      expect(frame.read(frameOf('#commit', commitBody([op], none, changes)))).toBeUndefined();
      expect(claims()).toMatchObject({ since: '', commit: none, prevData: none });
      expect(frame.ops[0]).toBe(opActions.create);
    }
    expect(frame.read(frameOf('#commit', commitBody([update], none)))).toBeUndefined();
    expect(claims().prev).toEqual(other);
  });

  test('that are too big', () => {
    expect(frame.read(frameOf('#commit', commitBody(ops, Buffer.alloc(0), { tooBig: trueItem })))).toBe(
      'too_big',
    );
    expect(frame.seq).toBe(1234);
  });

  test('with blocks above the limit', () => {
    const limit = 2_097_152;
    expect(frame.read(frameOf('#commit', commitBody([], Buffer.alloc(limit))))).toBeUndefined();
    expect(frame.read(frameOf('#commit', commitBody([], Buffer.alloc(limit + 1))))).toBe('blocks_too_large');
    expect(frame.seq).toBe(1234);
  });

  test('with 8,192 ops, not one more', () => {
    const many = (count: number) =>
      commitBody(
        Array.from({ length: count }, () => ops[1]),
        Buffer.alloc(0),
      );
    expect(frame.read(frameOf('#commit', many(8192)))).toBeUndefined();
    expect(frame.opCount).toBe(8192);
    expect(frame.read(frameOf('#commit', many(8193)))).toBe('too_many_ops');
    expect(frame.seq).toBe(1234);
    expect(frame.read(frameOf('#commit', body))).toBeUndefined();
    expectWhole();
  });

  test.each([
    ['null', nullItem],
    ['a list', array()],
    ['a path that is a number', map(['action', text('delete')], ['path', integer(1)], ['cid', nullItem])],
    ['a CID that is text', map(['action', text('create')], ['path', text('a/b')], ['cid', text('x')])],
    [
      'a CID under another tag',
      map(['action', text('create')], ['path', text('a/b')], ['cid', hex('d82b420001')]),
    ],
    [
      'a CID without its zero byte',
      map(['action', text('create')], ['path', text('a/b')], ['cid', hex('d82a420101')]),
    ],
    ['a key that is a number', hex('a10101')],
  ])('with an op that is %s: its neighbours stay', (_, op) => {
    expect(frame.read(frameOf('#commit', commitBody([ops[0], op, ops[1]], Buffer.alloc(0))))).toBeUndefined();
    expect(opList().map(({ action }) => action)).toEqual([opActions.create, opActions.bad, opActions.delete]);
  });

  test('an op may have fields that nobody knows, none, or one twice', () => {
    const strange = [
      map(
        ['prev', link(cid)],
        ['path', text('a/b')],
        ['zz', array()],
        ['action', text('update')],
        ['cid', link(cid)],
      ),
      map(),
      map(['cid', link(cid)], ['cid', nullItem], ['action', text('create')], ['action', text('moved')]),
    ];
    expect(frame.read(frameOf('#commit', commitBody(strange, Buffer.alloc(0))))).toBeUndefined();
    expect(opList()).toEqual([
      { action: opActions.update, path: 'a/b', cid },
      { action: opActions.unknown, path: '', cid: Buffer.alloc(0) },
      { action: opActions.unknown, path: '', cid: Buffer.alloc(0) },
    ]);
  });
});

describe('other messages', () => {
  const common = [
    ['did', text(exampleDid)],
    ['seq', integer(77)],
    ['time', text(exampleTime)],
  ] as const;

  test.each([
    ['#identity', 'handle', frameTypes.identity],
    ['#account', 'status', frameTypes.account],
  ])('%s', (type, key, number) => {
    expect(
      frame.read(frameOf(type, [...common, [key, text('x.test')], ['active', trueItem]])),
    ).toBeUndefined();
    expect(frame).toMatchObject({ type: number, seq: 77, active: type === '#account' });
    expect(span(frame.didStart, frame.didEnd)).toBe(exampleDid);
    expect(span(frame.handleOrStatusStart, frame.handleOrStatusEnd)).toBe('x.test');
    expect(frame.read(frameOf(type, [...common, [key, nullItem]]))).toBeUndefined();
    expect(frame).toMatchObject({ handleOrStatusStart: -1, active: false });
    expect(frame.read(frameOf(type, [[key, text('x')], ...common, [key, nullItem]]))).toBeUndefined();
    expect(frame.handleOrStatusStart).toBe(-1);
    expect(frame.read(frameOf(type, common))).toBeUndefined();
    expect(frame.handleOrStatusStart).toBe(-1);
  });

  test('#sync and unknown types have a seq and nothing else', () => {
    expect(frame.read(frameOf('#sync', [...common, ['blocks', bytes(Buffer.alloc(5))]]))).toBeUndefined();
    expect(frame).toMatchObject({ type: frameTypes.sync, seq: 77 });
    expect(frame.read(frameOf('#handle', [...common, ['time', integer(5)]]))).toBeUndefined();
    expect(frame).toMatchObject({ type: frameTypes.unknown, seq: 77 });
    expect(frame.read(frameOf('#labels', []))).toBeUndefined();
    expect(frame).toMatchObject({ type: frameTypes.unknown, seq: -1 });
  });

  test('#info', () => {
    expect(
      frame.read(
        frameOf('#info', [
          ['name', text('OutdatedCursor')],
          ['message', text('behind')],
        ]),
      ),
    ).toBeUndefined();
    expect(frame).toMatchObject({
      type: frameTypes.info,
      seq: -1,
      name: 'OutdatedCursor',
      message: 'behind',
    });
  });

  test('errors, of which a name is kept only so far', () => {
    const body = map(['error', longText(1_000_000)], ['message', text('é')]);
    expect(frame.read(Buffer.concat([map(['op', integer(-1)]), body]))).toBeUndefined();
    expect(frame).toMatchObject({ type: frameTypes.error, seq: -1, name: 'a'.repeat(256), message: 'é' });
    frame.read(frameOf('#identity', common));
    expect(frame).toMatchObject({ name: '', message: '' });
  });

  test('of names and messages that are repeated the last is kept, and no other decoded', () => {
    const again = Array.from({ length: 100 }, (_, at) => [
      ['name', text(`name ${at}`)] as const,
      ['message', text(`message ${at}`)] as const,
    ]).flat();
    const decode = vi.spyOn(TextDecoder.prototype, 'decode');
    try {
      expect(frame.read(frameOf('#info', again))).toBeUndefined();
      expect(frame).toMatchObject({ name: 'name 99', message: 'message 99' });
      expect(decode.mock.calls.length).toBeLessThanOrEqual(2);
    } finally {
      decode.mockRestore();
    }
  });

  test.each([
    ['no op', map(['t', text('#commit')])],
    ['another op', map(['op', integer(2)], ['t', text('#commit')])],
    ['no type', map(['op', integer(1)])],
  ])('a header with %s is unknown', (_, header) => {
    expect(frame.read(Buffer.concat([header, map(['seq', integer(5)])]))).toBeUndefined();
    expect(frame).toMatchObject({ type: frameTypes.unknown, seq: 5 });
  });
});

describe('bad frames', () => {
  const long = longText(2049);

  test.each([
    ['seq', text('1'), -1],
    ['seq', integer(-1), -1],
    ['seq', hex('1b0020000000000000'), -1],
    ['seq', hex('1b001fffffffffffff'), 2 ** 53 - 1],
    ['repo', integer(1), 1234],
    ['repo', long, 1234],
    ['repo', hex('7f6161ff'), -1],
    ['rev', nullItem, 1234],
    ['rev', long, 1234],
    ['time', bytes(Buffer.alloc(20)), 1234],
    ['time', long, 1234],
    ['ops', nullItem, 1234],
    ['ops', map(), 1234],
    ['blocks', text('x'), 1234],
    ['tooBig', integer(0), 1234],
    ['tooBig', nullItem, 1234],
  ])('a commit whose %s is %s', (field, item, seq) => {
    // The seq comes last, so that it is read after the bad field.
    const entries = commitBody(ops, Buffer.alloc(0), { [field]: item });
    const body = [...entries.filter(([key]) => key !== 'seq'), ...entries.filter(([key]) => key === 'seq')];
    expect(frame.read(frameOf('#commit', body))).toBe(seq === 2 ** 53 - 1 ? undefined : 'bad_frame');
    expect(frame.seq).toBe(seq);
  });

  test.each(['#commit', '#identity', '#account'])('%s without a seq', (type) => {
    expect(frame.read(frameOf(type, [['did', text(exampleDid)]]))).toBe('bad_frame');
    expect(frame.seq).toBe(-1);
  });

  test.each([
    ['nothing', hex('')],
    ['one byte', hex('a1')],
    ['a header alone', map(['op', integer(1)], ['t', text('#commit')])],
    ['a header that is no map', array(integer(1))],
    ['a header of unknown length', hex('bf626f7001ff a0')],
    ['an op that is text', Buffer.concat([map(['op', text('1')]), map()])],
    ['a type that is a number', Buffer.concat([map(['op', integer(1)], ['t', integer(1)]), map()])],
    ['a body that is no map', Buffer.concat([map(['op', integer(1)], ['t', text('#commit')]), array()])],
    [
      'a key that is bytes',
      Buffer.concat([map(['op', integer(1)], ['t', text('#commit')]), hex('a14173 05')]),
    ],
    [
      'a body of 2^60 entries',
      Buffer.concat([map(['op', integer(1)], ['t', text('#commit')]), hex('bb1000000000000000')]),
    ],
    ['2^40 ops', frameOf('#commit', [['ops', head(4, 2 ** 40)]])],
    ['a list of 2^60 items to pass over', frameOf('#commit', [['x', hex('9b1000000000000000')]])],
    ['a reserved head', frameOf('#commit', [['x', hex('1c')]])],
    ['a text that does not end', frameOf('#commit', [['x', hex('7a7fffffff61')]])],
    ['an #info without a body', map(['op', integer(1)], ['t', text('#info')])],
    ['a false name', frameOf('#info', [['name', falseItem]])],
  ])('%s', (_, digits) => {
    expect(frame.read(digits)).toBe('bad_frame');
  });

  test('a seq that came before the damage is kept', () => {
    expect(
      frame.read(
        frameOf('#commit', [
          ['seq', integer(5)],
          ['x', hex('1c')],
        ]),
      ),
    ).toBe('bad_frame');
    expect(frame).toMatchObject({ type: frameTypes.commit, seq: 5 });
  });
});

test('of a sync its account, revision and blocks', () => {
  const body = [
    ['did', text(exampleDid)],
    ['rev', text(exampleRev)],
    ['seq', integer(3)],
    ['time', text('2026-11-29T00:00:00.000Z')],
    ['blocks', bytes(Buffer.from('archive'))],
  ] as const;
  expect(frame.read(frameOf('#sync', body))).toBeUndefined();
  expect(frame.type).toBe(frameTypes.sync);
  expect(span(frame.didStart, frame.didEnd)).toBe(exampleDid);
  expect(span(frame.revStart, frame.revEnd)).toBe(exampleRev);
  expect(span(frame.blocksStart, frame.blocksEnd)).toBe('archive');
});
