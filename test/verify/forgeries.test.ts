// What somebody between an account and us can do to a commit, each by its name, with every hash put right: it is told by the
// reason that says what was done. @atproto/repo and @atproto/crypto refute the same.

import { BlockMap } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { verdictOf } from '../../lib/event/verdict.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck, type KeyLack } from '../../lib/verify/commit-check.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import type { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { type RepoCommit, type RepoOp, recordPath } from '../../simulator/lib/repo-builder.ts';
import { array, bytes as bytesItem, integer, link, map, nullItem, text } from '../decode/raw-cbor.ts';
import { checkers } from './engines.ts';
import { cidOfBytes, frameOfCommit, putTogether, RandomRepo, signFor, takeApart } from './repo-commits.ts';

const random = new SeededRandom('forgeries', '');
const frame = new Frame();
const checks = checkers.map((checker) => new CommitCheck(checker));
const account = await RandomRepo.create('account', random, 300, 'secp256k1');
const other = await RandomRepo.create('other', random, 300, 'p256');
const honest = await account.commit(1);
const others = await other.commit(1);

function check(bytes: Uint8Array, key: VerifyingKey | KeyLack = account.key): string {
  const found = checks.map((one) => {
    frame.read(bytes);
    return one.check(frame, key);
  });
  expect(new Set(found).size).toBe(1);
  return found[0];
}

/** Checks a forged commit; what is refuted has to be refuted by others as well. */
async function found(
  commit: RepoCommit,
  changes: Record<string, unknown> = {},
  key = account.key,
): Promise<string> {
  const bytes = frameOfCommit(account.did, commit, changes);
  const finding = check(bytes, key);
  if (finding !== 'whole' && verdictOf(finding as 'odd_op') === 'refuted')
    expect(await secondOpinion(bytes, key)).toBe(finding === 'bad_tree' ? expect.anything() : 'refuted');
  return finding;
}

/** The commit with some fields of its object replaced. */
async function withObject(commit: RepoCommit, changes: Record<string, unknown>): Promise<RepoCommit> {
  const { object, blocks } = await takeApart(commit);
  return putTogether(commit, { object: { ...object, ...changes }, blocks });
}

const create = async (count: number): Promise<RepoCommit> => {
  const writes = Array.from({ length: count }, () => {
    return {
      action: 'create' as const,
      collection: 'com.example.a',
      rkey: random.text('qrstuvwxyz', 12),
      record: { n: random.int(1e9) },
    };
  });
  return account.repo.commit(writes, account.nextRev());
};

test('the honest commits are whole', async () => {
  expect(await found(honest)).toBe('whole');
  expect(check(frameOfCommit(other.did, others), other.key)).toBe('whole');
});

describe('who signed', () => {
  test('one bit of the signature, of each of its bytes', async () => {
    const { object } = await takeApart(honest);
    for (let at = 0; at < 64; at++) {
      const sig = Buffer.from(object.sig as Uint8Array);
      // The lowest bit of the highest byte of s would make it a high one now and then.
      sig[at] ^= 1;
      expect(['bad_signature', 'high_s']).toContain(await found(await withObject(honest, { sig })));
    }
  });

  test('a signature that is cut, longer, zero, or of everything', async () => {
    for (const sig of [
      new Uint8Array(0),
      new Uint8Array(63),
      new Uint8Array(64),
      new Uint8Array(65),
      Buffer.alloc(64, 255),
    ])
      expect(await found(await withObject(honest, { sig }))).toBe(
        sig[63] === 255 ? 'high_s' : 'bad_signature',
      );
  });

  test.each([account, other])('the other of two signatures that say the same ($key.curve)', async (who) => {
    const order = BigInt(
      who.key.curve === 'p256'
        ? '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
        : '0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141',
    );
    const commit = who === account ? honest : others;
    const { object, blocks } = await takeApart(commit);
    const sig = Buffer.from(object.sig as Uint8Array);
    const s = BigInt(`0x${sig.toString('hex', 32)}`);
    sig.write((order - s).toString(16).padStart(64, '0'), 32, 'hex');
    const forged = await putTogether(commit, { object: { ...object, sig }, blocks });
    const bytes = frameOfCommit(who.did, forged);
    expect(check(bytes, who.key)).toBe('high_s');
    expect(await secondOpinion(bytes, who.key)).toBe('refuted');
  });

  test('a key that is not, or no more, the account’s', async () => {
    expect(await found(honest, {}, other.key)).toBe('bad_signature');
  });

  test('no key to check with is no refutation', async () => {
    const bytes = frameOfCommit(account.did, honest);
    for (const lack of ['key_unknown', 'no_key'] as const) expect(check(bytes, lack)).toBe(lack);
    // What needs no key to be seen is seen without.
    expect(check(frameOfCommit(account.did, honest, { rev: '3aaaaaaaaaaaa' }), 'key_unknown')).toBe(
      'wrong_rev',
    );
  });
});

describe('what was signed', () => {
  test.each(['rev', 'data', 'did', 'prev'])('another %s in the object', async (field) => {
    const data = cidOfBytes(Buffer.from('x'));
    const values: Record<string, unknown> = { rev: account.nextRev(), data, did: other.did, prev: data };
    const forged = await withObject(honest, { [field]: values[field] });
    const changes = field === 'did' ? { repo: other.did } : field === 'rev' ? { rev: values.rev } : {};
    // The tree of another root is not there: that its ops cannot be seen does not save it.
    expect(await found(forged, changes)).toBe('bad_signature');
  });

  test('another account’s commit, and this one as another’s', async () => {
    expect(await found(others)).toBe('wrong_did');
    expect(await found(honest, { repo: other.did })).toBe('wrong_did');
    expect(check(frameOfCommit(other.did, await withObject(honest, { did: other.did })), other.key)).toBe(
      'bad_signature',
    );
  });

  test('another revision in the frame', async () => {
    expect(await found(honest, { rev: account.nextRev() })).toBe('wrong_rev');
  });

  test('another commit in the frame', async () => {
    expect(await found(honest, { commit: others.cid })).toBe('wrong_commit');
    expect(check(frameOfCommit(account.did, honest, { commit: null }))).toBe('wrong_commit');
  });

  test('a root that is no commit object, or is not there', async () => {
    const { blocks } = await takeApart(honest);
    expect(await found(await putTogether(honest, { object: { text: 'hello' }, blocks }))).toBe('bad_commit');
    expect(await found(await withObject(honest, { sig: 'text' }))).toBe('bad_commit');
    expect(check(frameOfCommit(account.did, { ...honest, car: others.car }))).toBe('wrong_commit');
  });

  test('blocks that are none, or do not hash to their names', async () => {
    const at = honest.car.length - 1;
    const flipped = Buffer.from(honest.car);
    flipped[at] ^= 1;
    for (const car of [flipped, honest.car.subarray(0, at), new Uint8Array(0)])
      expect(await found({ ...honest, car }), `${car.length}`).toBe('bad_blocks');
  });

  test('an object in another form is not looked into', async () => {
    const { object, blocks } = await takeApart(honest);
    const { did, rev, sig, data } = object as {
      did: string;
      rev: string;
      sig: Uint8Array;
      data: { bytes: Uint8Array };
    };
    const entries = [
      ['did', text(did)],
      ['rev', text(rev)],
      ['sig', bytesItem(sig)],
      ['data', link(data.bytes)],
      ['prev', nullItem],
      ['version', integer(3)],
    ] as const;
    expect(await found(await putTogether(honest, { object: map(...entries), blocks }))).toBe('whole');
    const odd = [
      map(...entries.toReversed()),
      map(...entries, ['z', array()]),
      Buffer.concat([map(...entries.slice(0, 5)).fill(0xa6, 0, 1), text('version'), Buffer.from([0x18, 3])]),
      map(...entries.with(5, ['version', integer(2)])),
    ];
    for (const form of odd)
      expect(await found(await putTogether(honest, { object: form, blocks }))).toBe('odd_commit');
    const rest = Buffer.concat([map(...entries), nullItem]);
    expect(await found(await putTogether(honest, { object: rest, blocks }))).toBe('odd_commit');
  });

  test('a revision that is no TID', async () => {
    const object = await signFor(account, (await takeApart(honest)).object.data as never, 'zzzz');
    const forged = await putTogether(honest, { object, blocks: (await takeApart(honest)).blocks });
    expect(await found(forged, { rev: 'zzzz' })).toBe('odd_commit');
  });
});

describe('what the ops say', () => {
  test('an op is left out', async () => {
    const commit = await create(4);
    for (const at of commit.ops.keys())
      expect(await found(commit, { ops: commit.ops.toSpliced(at, 1) })).toBe('incomplete');
    expect(await found(commit, { ops: [] })).toBe('incomplete');
  });

  test('an op is added', async () => {
    const commit = await create(2);
    const record = { n: 'never written' };
    const { object, blocks } = await takeApart(commit);
    const cid = await blocks.add(record as never);
    const added = await putTogether(commit, { object, blocks });
    const [{ path }] = commit.ops;
    const isolated = { action: 'create', path: `${path}0`, cid };
    expect(await found(added, { ops: [...commit.ops, isolated] })).toBe('op_not_in_tree');
    expect(await found(added, { ops: [{ ...commit.ops[0], cid }, commit.ops[1]] })).toBe('op_not_in_tree');
    expect(await found(added, { ops: [{ ...commit.ops[0], action: 'update', cid }, commit.ops[1]] })).toBe(
      'op_not_in_tree',
    );
    const deleted = { action: 'delete', path, cid: null, prev: cid };
    expect(await found(added, { ops: [deleted, commit.ops[1]] })).toBe('deleted_in_tree');
  });

  test('the deletion of what never was', async () => {
    const commit = await create(1);
    const never = { action: 'delete', path: `${commit.ops[0].path}0`, cid: null, prev: commit.cid };
    expect(await found(commit, { ops: [...commit.ops, never] })).toBe('incomplete');
  });

  test('an op twice', async () => {
    const commit = await create(2);
    expect(await found(commit, { ops: [...commit.ops, commit.ops[0]] })).toBe('duplicate_path');
    // What it leaves behind is signed, and nothing else is.
    const [op, other] = commit.ops as [RepoOp, RepoOp];
    const deleted = { action: 'delete', path: op.path, cid: null };
    expect(await found(commit, { ops: [deleted, other, op] })).toBe('duplicate_path');
    expect(await found(commit, { ops: [op, other, deleted] })).toBe('deleted_in_tree');
    expect(await found(commit, { ops: [op, other, { ...op, cid: other.cid }] })).toBe('op_not_in_tree');
  });

  test('a create for an update, an update for a create, another prev, another prevData', async () => {
    const [path] = account.paths;
    const [collection, rkey] = path.split('/');
    const writes = [{ action: 'update' as const, collection, rkey, record: { n: 1 } }];
    const commit = await account.repo.commit(writes, account.nextRev());
    const [op] = commit.ops as [RepoOp];
    expect(recordPath(collection, rkey)).toBe(op.path);
    expect(await found(commit, { ops: [{ ...op, action: 'create' }] })).toBe('incomplete');
    expect(await found(commit, { ops: [{ ...op, prev: commit.cid }] })).toBe('incomplete');
    expect(await found(commit, { prevData: commit.cid })).toBe('incomplete');
    const created = await create(1);
    const asUpdate = { ...created.ops[0], action: 'update', prev: op.cid };
    expect(await found(created, { ops: [asUpdate] })).toBe('incomplete');
  });

  test('what the protocol did not have before is missing', async () => {
    const commit = await create(1);
    expect(await found(commit, { prevData: null })).toBe('legacy');
    expect(await found(commit, { prevData: null, since: null })).toBe('legacy');
    expect(
      await found(commit, { ops: [{ action: 'delete', path: `${commit.ops[0].path}0`, cid: null }] }),
    ).toBe('legacy');
  });

  test('an op that is none', async () => {
    const commit = await create(1);
    const [op] = commit.ops;
    for (const odd of [
      { ...op, action: 'move' },
      { ...op, path: '' },
      { action: 'create', path: op.path },
    ])
      expect(check(frameOfCommit(account.did, commit, { ops: [odd] }))).toBe('odd_op');
  });

  test('blocks that are left out hide ops at most, and add none', async () => {
    const commit = await create(1);
    const [{ path, cid }] = commit.ops;
    const { object, blocks } = await takeApart(commit);
    const root = object.data as typeof commit.cid;
    const { e } = decode<{ e: { k: Uint8Array }[] }>(blocks.get(root) as Uint8Array);
    const seen = new Set<string>();
    for (const { cid: left } of blocks.entries()) {
      const fewer = new BlockMap();
      for (const one of blocks.entries()) if (!one.cid.equals(left)) fewer.set(one.cid, one.bytes);
      const forged = await putTogether(commit, { object, blocks: fewer });
      // Left out is the record, a node on the way, or one beside it.
      const finding = await found(forged);
      seen.add(finding);
      if (finding === 'whole') continue;
      expect(['no_proof', 'missing_blocks']).toContain(finding);
      const lie = { action: 'create', path, cid: object.data };
      const isSeen = finding === 'missing_blocks';
      expect(await found(forged, { ops: [lie] })).toBe(isSeen ? 'op_not_in_tree' : 'no_proof');
      // A second op that can be seen to be wrong is not hidden by the first.
      if (left.equals(root)) continue;
      const wrong = { action: 'delete', path: Buffer.from(e[0].k).toString(), cid: null, prev: cid };
      const second = isSeen ? 'op_not_in_tree' : 'deleted_in_tree';
      expect(await found(forged, { ops: [lie, wrong] })).toBe(second);
    }
    expect(seen).toContain('whole');
    expect(seen).toContain('no_proof');
  });

  test('more ops than the protocol allows are not undone', async () => {
    expect(await found(await create(200))).toBe('whole');
    expect(await found(await create(201))).toBe('over_limit');
  });
});

test('bits flipped anywhere in the blocks that it takes', async () => {
  const { object, blocks } = await takeApart(honest);
  // The record's own block is not one of them: whoever reads it compares its CID.
  for (const { cid } of honest.ops) if (cid !== null) blocks.delete(cid);
  const commit = await putTogether(honest, { object, blocks });
  const bytes = Buffer.from(frameOfCommit(account.did, commit));
  expect(check(bytes)).toBe('whole');
  frame.read(bytes);
  const { blocksStart, blocksEnd } = frame;
  for (let at = blocksStart; at < blocksEnd; at++) {
    const bit = 1 << random.int(8);
    bytes[at] ^= bit;
    expect(
      ['bad_blocks', 'bad_commit', 'wrong_commit', 'no_proof', 'missing_blocks'],
      `byte ${at}`,
    ).toContain(check(bytes));
    bytes[at] ^= bit;
  }
  expect(check(bytes)).toBe('whole');
});

test('frames that are dropped', () => {
  expect(check(frameOfCommit(account.did, honest, { tooBig: true }))).toBe('unreadable');
  expect(check(Buffer.from(encode({ op: 1, t: '#commit' })))).toBe('unreadable');
});
