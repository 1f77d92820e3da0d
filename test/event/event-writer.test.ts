import { readFileSync } from 'node:fs';
import { type Keypair, Secp256k1Keypair } from '@atproto/crypto';
import { blocksToCarFile, MemoryBlockstore, type RecordWriteOp, Repo, WriteOpAction } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { array, bytes, head, hex, integer, link, map, nullItem, text, trueItem } from '../decode/raw-cbor.ts';
import {
  archive,
  archiveOf,
  type Block,
  blockOf,
  cidOf,
  commitBody,
  commitObject,
  createFrame,
  exampleDid,
  exampleRev,
  exampleTime,
  frameOf,
  opOf,
  section,
} from '../decode/raw-frames.ts';
import { firstTimeUs, Recorder } from '../decode/recorder.ts';
import { corpusFramesPath, corpusLines, hasShared, sharedNote, withoutTime } from '../support/shared.ts';

const record = blockOf(map(['text', text('hello')]));
const recordCid = String(decode(link(record[0])));
const path = 'com.example.record/rkey';

function take(frame: Uint8Array): Recorder {
  return new Recorder().take(frame);
}

/** A commit frame with those ops, and an archive with those blocks. */
function commit(ops: readonly Buffer[], blocks: readonly Block[] = [record], changes = {}): Buffer {
  return frameOf('#commit', commitBody(ops, archiveOf(blocks), changes));
}

test.skipIf(!hasShared)(`real frames become what production sent, byte for byte${sharedNote}`, () => {
  const file = readFileSync(corpusFramesPath);
  const recorder = new Recorder();
  const lines: string[] = [];
  for (let at = 0; at < file.length; at += 4 + file.readUInt32LE(at)) {
    recorder.take(file.subarray(at + 4, at + 4 + file.readUInt32LE(at)));
    expect(recorder.drops).toEqual([]);
    lines.push(...recorder.json.map(withoutTime));
  }
  expect(lines).toEqual(corpusLines().map(withoutTime));
});

/** Every text in a JSON value, in the order of the JSON. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}

test.skipIf(!hasShared)(`the sink is told of paths and of what records point at${sharedNote}`, () => {
  const file = readFileSync(corpusFramesPath);
  const recorder = new Recorder();
  const told: string[][] = [];
  for (let at = 0; at < file.length; at += 4 + file.readUInt32LE(at)) {
    recorder.take(file.subarray(at + 4, at + 4 + file.readUInt32LE(at)));
    told.push(...recorder.subjects);
  }
  const isReference = (text: string): boolean => /^(at:\/\/)?did:/.test(text);
  const expected = corpusLines().map((line) => {
    const { commit } = JSON.parse(line);
    if (commit === undefined) return [''];
    return [`${commit.collection}/${commit.rkey}`, ...textsIn(commit.record).filter(isReference).sort()];
  });
  expect(told.map(([path, ...texts]) => [path, ...texts.filter(isReference).sort()])).toEqual(expected);
  // Nearly nothing else is worth a look.
  expect(told.flatMap(([, ...texts]) => texts).filter((text) => !isReference(text))).toEqual([]);
  expect(told.flat().filter(isReference).length).toBeGreaterThan(30);
});

test('the sink is told of texts at any depth, in chunks too, and not of keys, links and bytes', () => {
  const uri = 'at://did:plc:abc/app.bsky.feed.post/1';
  const chunked = Buffer.concat([hex('7f'), text('did:pl'), text('c:abc'), hex('ff')]);
  const nested = map(['did:plc:key', array(text('did:plc:a'), map(['x', text(uri)]))], ['z', chunked]);
  const block = blockOf(map(['a', nested], ['b', link(record[0])], ['c', text('about did:plc:no')]));
  const ops = [opOf('create', path, block[0]), opOf('delete', 'com.example.record/gone', null)];
  const { subjects } = take(commit(ops, [block]));
  expect(subjects).toEqual([[path, 'did:plc:a', uri, 'did:plc:abc'], ['com.example.record/gone']]);
});

describe('commits of a real repository', () => {
  const example = {
    $type: 'com.example.record',
    text: 'hello <world>',
    tags: ['a', 'b'],
    nested: { z: null, a: true },
  };

  async function frameFor(
    repo: Repo,
    keypair: Keypair,
    writes: RecordWriteOp[],
  ): Promise<{ frame: Buffer; next: Repo }> {
    const commit = await repo.formatCommit(writes, keypair);
    const next = await repo.applyCommit(commit);
    const ops = await Promise.all(
      writes.map(async ({ action, collection, rkey }) => {
        const cid = action === WriteOpAction.Delete ? null : await next.data.get(`${collection}/${rkey}`);
        return { action, path: `${collection}/${rkey}`, cid };
      }),
    );
    const body = {
      ops,
      seq: 42,
      repo: repo.did,
      rev: commit.rev,
      since: commit.since,
      time: exampleTime,
      blocks: await blocksToCarFile(commit.cid, commit.relevantBlocks),
      commit: commit.cid,
      blobs: [],
      rebase: false,
      tooBig: false,
    };
    return { frame: Buffer.concat([encode({ op: 1, t: '#commit' }), encode(body)]), next };
  }

  test('creates, updates and deletes', async () => {
    const keypair = await Secp256k1Keypair.create();
    const repo = await Repo.create(new MemoryBlockstore(), exampleDid, keypair);
    const many = Array.from({ length: 30 }, (_, index) => ({
      action: WriteOpAction.Create as const,
      collection: 'com.example.record' as const,
      rkey: `rkey${index}`,
      record: { ...example, index },
    }));
    const created = await frameFor(repo, keypair, many);
    const recorder = take(created.frame);
    expect(recorder.drops).toEqual([]);
    for (const [index, event] of recorder.json.entries()) {
      const { did, kind, commit } = JSON.parse(event);
      expect({ did, kind }).toEqual({ did: exampleDid, kind: 'commit' });
      expect(commit.record).toEqual({ ...example, index });
      expect(commit.cid).toBe(String(await created.next.data.get(`com.example.record/rkey${index}`)));
    }
    expect(recorder.json).toHaveLength(30);

    const changed = await frameFor(created.next, keypair, [
      {
        action: WriteOpAction.Update,
        collection: 'com.example.record',
        rkey: 'rkey7',
        record: { text: 'new' },
      },
      { action: WriteOpAction.Delete, collection: 'com.example.record', rkey: 'rkey8' },
    ]);
    recorder.take(changed.frame);
    expect(recorder.drops).toEqual([]);
    const rev = changed.next.commit.rev;
    const cid = String(await changed.next.data.get('com.example.record/rkey7'));
    const common = `"kind":"commit","commit":{"rev":"${rev}",`;
    const names = (rkey: string) => `"collection":"com.example.record","rkey":"${rkey}"`;
    expect(recorder.json.map((json) => json.replace(/^.*?"time_us":[0-9]+,/, ''))).toEqual([
      `${common}"operation":"update",${names('rkey7')},"record":{"text":"new"},"cid":"${cid}"}}`,
      `${common}"operation":"delete",${names('rkey8')}}}`,
    ]);
  });
});

describe('the JSON of events', () => {
  const start = `{"did":"${exampleDid}","time_us":${firstTimeUs},"kind":`;

  test('a create', () => {
    const { events, drops } = take(createFrame({ [path]: record[1] }));
    expect(drops).toEqual([]);
    expect(events).toEqual([
      {
        json:
          `${start}"commit","commit":{"rev":"${exampleRev}","operation":"create","collection":"com.example.record",` +
          `"rkey":"rkey","record":{"text":"hello"},"cid":"${recordCid}"}}`,
        kind: eventKinds.commit,
        operation: operations.create,
        did: exampleDid,
        collection: 'com.example.record',
      },
    ]);
  });

  test('events of one commit have times of their own', () => {
    const { json } = take(commit([opOf('update', path, record[0]), opOf('delete', path, null)]));
    expect(json.map((line) => JSON.parse(line).time_us)).toEqual([firstTimeUs, firstTimeUs + 1]);
    expect(json.map((line) => JSON.parse(line).commit.operation)).toEqual(['update', 'delete']);
  });

  test('empty strings of a commit are left out', () => {
    const ops = ['/b', 'a/', '/', '//b', 'a/b/c'].map((path) => opOf('delete', path, null));
    const recorder = take(commit(ops, [], { rev: text(''), repo: text('') }));
    expect(recorder.drops).toEqual([]);
    expect(recorder.json.map((line) => line.replace(/"time_us":[0-9]+/, '"time_us":0'))).toEqual(
      ['"rkey":"b"', '"collection":"a"', '', '', '"collection":"a","rkey":"b"'].map(
        (names) =>
          `{"did":"","time_us":0,"kind":"commit","commit":{"operation":"delete"${names && ','}${names}}}`,
      ),
    );
    expect(recorder.events.map(({ collection }) => collection)).toEqual(['', 'a', '', '', 'a']);
  });

  test('all text is escaped', () => {
    const op = opOf('delete', 'a<b/"c', null);
    const { json } = take(commit([op], [], { rev: text('&'), repo: text('did:web:\u2028') }));
    expect(json[0]).toBe(
      `{"did":"did:web:\\u2028","time_us":${firstTimeUs},"kind":"commit","commit":{"rev":"\\u0026",` +
        '"operation":"delete","collection":"a\\u003cb","rkey":"\\"c"}}',
    );
  });

  test('an empty record, and one that is null', () => {
    for (const item of [map(), nullItem]) {
      expect(take(createFrame({ [path]: item })).json[0]).toContain('"record":{},"cid":');
    }
  });

  const identity = [
    ['did', text(exampleDid)],
    ['seq', integer(2 ** 53 - 1)],
    ['time', text(exampleTime)],
  ] as const;
  const inner = `"did":"${exampleDid}"`;
  const rest = `"seq":9007199254740991`;
  const time = `"time":"${exampleTime}"`;

  test.each([
    ['without a handle', [], ''],
    ['with a null handle', [['handle', nullItem]], ''],
    ['with a handle', [['handle', text('x.test')]], '"handle":"x.test",'],
    ['with an empty handle', [['handle', text('')]], '"handle":"",'],
  ] as const)('an identity %s', (_, more, expected) => {
    const { events } = take(frameOf('#identity', [...more, ...identity]));
    expect(events).toEqual([
      {
        json: `${start}"identity","identity":{${inner},${expected}${rest},${time}}}`,
        kind: eventKinds.identity,
        operation: operations.none,
        did: exampleDid,
        collection: '',
      },
    ]);
  });

  test.each([
    ['that is active', [['active', trueItem]], true, ''],
    ['without a word on that', [], false, ''],
    ['with a status', [['status', text('takendown')]], false, ',"status":"takendown"'],
    ['with a null status', [['status', nullItem]], false, ''],
  ] as const)('an account %s', (_, more, active, status) => {
    const { events } = take(frameOf('#account', [...identity, ...more]));
    expect(events).toEqual([
      {
        json: `${start}"account","account":{"active":${active},${inner},${rest}${status},${time}}}`,
        kind: eventKinds.account,
        operation: operations.none,
        did: exampleDid,
        collection: '',
      },
    ]);
  });

  const did = ['did', text(exampleDid)] as const;
  const rev = ['rev', text(exampleRev)] as const;
  const seq = ['seq', integer(9)] as const;
  const when = ['time', text(exampleTime)] as const;
  const state = archiveOf([]);
  const blocks = ['blocks', bytes(state)] as const;

  test('a sync, which only the second wire shows', () => {
    const { events, drops } = take(frameOf('#sync', [did, rev, seq, when, blocks]));
    expect(drops).toEqual([]);
    const base64 = state.toString('base64').replaceAll('=', '');
    expect(events).toEqual([
      {
        json:
          `${start}"sync","sync":{"blocks":{"$bytes":"${base64}"},"did":"${exampleDid}","rev":"${exampleRev}",` +
          `"seq":9,"time":"${exampleTime}"}}`,
        kind: eventKinds.sync,
        operation: operations.none,
        did: exampleDid,
        collection: '',
      },
    ]);
  });

  test.each([
    ['without blocks', [did, rev, seq, when], 'bad_car'],
    [
      'with blocks of more than 10,000 bytes',
      [did, rev, seq, when, ['blocks', bytes(Buffer.alloc(10_001))]],
      'blocks_too_large',
    ],
    [
      'without a commit',
      [did, rev, seq, when, ['blocks', bytes(archive([record[0]], [record]))]],
      'bad_commit',
    ],
    [
      'whose block is another',
      [did, rev, seq, when, ['blocks', bytes(archive([record[0]], [[record[0], commitObject()]]))]],
      'bad_block_hash',
    ],
    ['without a revision', [did, seq, when, blocks], 'bad_frame'],
    ['of no account', [rev, seq, when, blocks], 'bad_frame'],
    ['without a number', [did, rev, when, blocks], 'bad_frame'],
    ['of no time', [did, rev, seq, blocks], 'bad_time'],
  ] as const)('no sync %s', (_, body, reason) => {
    expect(take(frameOf('#sync', body))).toMatchObject({ events: [], drops: [reason] });
  });

  test.each(['#info', '#labels', '#handle'])('nothing for %s', (type) => {
    expect(take(frameOf(type, [['seq', integer(1)]]))).toMatchObject({ events: [], drops: [] });
  });
});

describe('what is dropped', () => {
  const keep = opOf('delete', 'com.example.kept/1', null);

  test.each([
    ['a path without a slash', 'bad_path', [opOf('delete', 'a', null)]],
    ['no path', 'bad_path', [map(['action', text('delete')])]],
    ['a path of 2,049 bytes', 'bad_path', [opOf('delete', `a/${'b'.repeat(2047)}`, null)]],
    ['a create under a key of 513 bytes', 'bad_path', [opOf('create', `a/${'b'.repeat(513)}`, record[0])]],
    [
      'an update in a collection of 318 bytes',
      'bad_path',
      [opOf('update', `${'a'.repeat(318)}/b`, record[0])],
    ],
    ['a create under a path of two slashes', 'bad_path', [opOf('create', 'a/b/c', record[0])]],
    ['a create without a collection', 'bad_path', [opOf('create', '/b', record[0])]],
    ['a create without an rkey', 'bad_path', [opOf('update', 'a/', record[0])]],
    ['a create under a path with a space', 'bad_path', [opOf('create', 'a/b c', record[0])]],
    ['another action', 'unknown_action', [opOf('move', path, record[0])]],
    ['a create without a CID', 'missing_cid', [opOf('create', path, null)]],
    ['an update without a CID', 'missing_cid', [opOf('update', path, null)]],
    ['a create whose block is elsewhere', 'missing_block', [opOf('create', path, cidOf(Buffer.from('x')))]],
    ['an op that is no map', 'bad_op', [nullItem]],
  ] as const)('%s', (_, reason, ops) => {
    const recorder = take(commit([keep, ...ops, keep]));
    expect(recorder.drops).toEqual([reason]);
    expect(recorder.json).toHaveLength(2);
  });

  test('no path that the protocol allows, whatever its length', () => {
    const lengths = Array.from({ length: 840 - 255 + 1 }, (_, at) => 255 + at);
    const shapes = lengths.flatMap((bytes) => [
      // The collection grows when the key is as long as it may be, and the other way round.
      [bytes, Math.min(317, Math.max(18, bytes - 1 - 512))],
      [bytes, Math.min(317, bytes - 2)],
    ]);
    const ops = (['create', 'update', 'delete'] as const).flatMap((action) => {
      return shapes.map(([bytes, collectionBytes]) => {
        const path = `${'c'.repeat(collectionBytes)}/${'r'.repeat(bytes - 1 - collectionBytes)}`;
        const isEvent = action === 'delete' || bytes <= 317 + 1 + 512;
        return { path, isEvent, op: opOf(action, path, action === 'delete' ? null : record[0]) };
      });
    });
    const { json, drops } = take(commit(ops.map(({ op }) => op)));
    const written = json.map((event) => JSON.parse(event).commit);
    expect(written.map(({ collection, rkey }) => `${collection}/${rkey}`)).toEqual(
      ops.filter(({ isEvent }) => isEvent).map(({ path }) => path),
    );
    expect(drops).toEqual(ops.filter(({ isEvent }) => !isEvent).map(() => 'bad_path'));
  });

  test('a record that cannot be converted, and nothing beside it', () => {
    const bad = blockOf(map(['v', hex('f93e00')]));
    const ops = [
      opOf('create', 'a.b/1', record[0]),
      opOf('create', 'a.b/2', bad[0]),
      opOf('update', 'a.b/3', record[0]),
    ];
    const recorder = take(commit(ops, [record, bad]));
    expect(recorder.drops).toEqual(['bad_record']);
    expect(recorder.json.map((line) => JSON.parse(line).commit.rkey)).toEqual(['1', '3']);
  });

  test('a record above a mebibyte', () => {
    const sized = (bytes: number) =>
      map(['v', Buffer.concat([head(3, bytes - 8), Buffer.alloc(bytes - 8, 0x61)])]);
    expect(sized(1_048_576)).toHaveLength(1_048_576);
    expect(take(createFrame({ [path]: sized(1_048_576) })).drops).toEqual([]);
    expect(take(createFrame({ [path]: sized(1_048_577) })).drops).toEqual(['record_too_large']);
  });

  test('the whole commit, deletes included, when its blocks cannot be trusted', () => {
    const ops = [keep, opOf('create', path, record[0])];
    const object = blockOf(commitObject());
    const withBlocks = (blocks: Buffer) => take(frameOf('#commit', commitBody(ops, blocks)));
    expect(withBlocks(archiveOf([record])).drops).toEqual([]);
    const cases: [string, Buffer][] = [
      ['bad_car', Buffer.alloc(0)],
      ['bad_car', Buffer.from('no archive at all')],
      ['bad_car', archiveOf([record]).subarray(0, -1)],
      ['bad_car', archive([], [object, record])],
      ['bad_block_hash', archiveOf([record, [record[0], Buffer.from('x')]])],
      ['bad_commit', archive([object[0]], [record])],
      ['bad_commit', archive([record[0]], [object, record])],
      ['bad_commit', archiveOf([record], 1)],
      ['bad_commit', archiveOf([record], 4)],
    ];
    for (const [reason, blocks] of cases)
      expect(withBlocks(blocks)).toMatchObject({ drops: [reason], events: [] });
    expect(withBlocks(archiveOf([record], 2)).json).toHaveLength(2);
  });

  test.each([
    ['is a list', array()],
    ['has no version', map(['did', text('x')])],
    ['has a negative version', map(['version', integer(-3)])],
    ['has a version that is text', map(['version', text('3')])],
    ['has a DID that is a number', map(['version', integer(3)], ['did', integer(1)])],
    ['has a signature that is text', map(['version', integer(3)], ['sig', text('x')])],
    ['has a tree that is null', map(['version', integer(3)], ['data', nullItem])],
    ['has a previous commit that is text', map(['version', integer(3)], ['prev', text('x')])],
    ['is cut short', commitObject().subarray(0, -1)],
  ])('a commit whose object %s', (_, object) => {
    const root = blockOf(object);
    const frame = frameOf('#commit', commitBody([keep], archive([root[0]], [root])));
    expect(take(frame)).toMatchObject({ drops: ['bad_commit'], events: [] });
  });

  test('frames whose time is none', () => {
    const body = [
      ['did', text(exampleDid)],
      ['seq', integer(1)],
      ['time', text('yesterday')],
    ] as const;
    expect(take(commit([keep], [], { time: text('2026-01-02') }))).toMatchObject({
      drops: ['bad_time'],
      events: [],
    });
    expect(take(frameOf('#identity', body))).toMatchObject({ drops: ['bad_time'], events: [] });
    expect(take(frameOf('#account', body.slice(0, 2)))).toMatchObject({ drops: ['bad_time'], events: [] });
  });

  test('frames that the reader refused', () => {
    expect(take(commit([keep], [], { tooBig: trueItem }))).toMatchObject({ drops: ['too_big'], events: [] });
    expect(take(hex('a1'))).toMatchObject({ drops: ['bad_frame'], events: [] });
  });
});

describe('hostile commits', () => {
  test('8,192 ops with as many blocks', () => {
    const blocks = Array.from({ length: 8192 }, (_, index) => blockOf(map(['i', integer(index)])));
    const ops = blocks.map(([cid], index) => opOf('create', `a.b/${index}`, cid));
    const recorder = take(commit(ops, blocks));
    expect(recorder.drops).toEqual([]);
    expect(recorder.json).toHaveLength(8192);
    expect(JSON.parse(recorder.json[8191]).commit.record).toEqual({ i: 8191 });
  });

  test('ops that repeat one big record are not followed for ever', () => {
    const big = blockOf(map(['v', Buffer.concat([head(3, 1_000_000), Buffer.alloc(1_000_000, 0x61)])]));
    const ops = Array.from({ length: 100 }, (_, index) => opOf('create', `a.b/${index}`, big[0]));
    const recorder = take(commit(ops, [big]));
    expect(recorder.json).toHaveLength(4);
    expect(new Set(recorder.drops)).toEqual(new Set(['too_many_ops']));
    expect(recorder.take(commit(ops.slice(0, 3), [big])).json).toHaveLength(3);
  });

  test('deletions that each repeat a long account are not followed for ever', () => {
    const ops = Array.from({ length: 8192 }, (_, index) => opOf('delete', `a.b/${index}`, null));
    const recorder = take(commit(ops, [], { repo: text(Buffer.alloc(2048, 1)) }));
    const bytes = recorder.json.reduce((sum, json) => sum + json.length, 0);
    expect(bytes).toBeGreaterThan(16 * 1024 * 1024);
    expect(bytes).toBeLessThan(17 * 1024 * 1024);
    expect(new Set(recorder.drops)).toEqual(new Set(['too_many_ops']));
    expect(recorder.take(commit(ops, [])).json).toHaveLength(8192);
  });

  test('an archive of 50,000 tiny blocks', () => {
    const tiny = section(...blockOf(hex('a0')));
    const blocks = Buffer.concat([archiveOf([record]), ...Array.from({ length: 50_000 }, () => tiny)]);
    const frame = frameOf('#commit', commitBody([opOf('create', path, record[0])], blocks));
    expect(take(frame).json).toHaveLength(1);
  });
});
