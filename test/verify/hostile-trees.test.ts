// Trees that an account itself made to be a burden, or that odd software made: each is bounded or refuted by name, and honest ones
// that only look odd are not.

import { BlockMap, type CommitData, MemoryBlockstore, MST } from '@atproto/repo';
import { decode, encode } from '@ipld/dag-cbor';
import { describe, expect, test } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CommitCheck } from '../../lib/verify/commit-check.ts';
import { keyHeight } from '../../lib/verify/key-height.ts';
import { secondOpinion } from '../../lib/verify/second-opinion.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { depthMax, entriesMax } from '../../lib/verify/tree-reader.ts';
import type { RepoCommit, RepoWrite } from '../../simulator/lib/repo-builder.ts';
import { cidOfBytes, frameOfCommit, putTogether, RandomRepo, signFor } from './repo-commits.ts';

type Cid = CommitData['cid'];
interface Entry {
  readonly p: number;
  readonly k: Uint8Array;
  readonly v: unknown;
  readonly t: unknown;
}

const frame = new Frame();
const check = new CommitCheck(await SignatureChecker.load());
const account = await RandomRepo.create('hostile', new SeededRandom('hostile', ''), 1, 'secp256k1');
const value = cidOfBytes(Buffer.from('value'));
const create = (path: string) => ({ action: 'create', path, cid: value });
const remove = (path: string) => ({ action: 'delete', path, cid: null, prev: value });
const entry = (key: string, p = 0, t: unknown = null): Entry => ({
  p,
  k: Buffer.from(key.slice(p)),
  v: value,
  t,
});

/** What the check says of a tree made by hand, which the account has signed. */
async function found(
  blocks: BlockMap,
  root: Cid,
  ops: readonly unknown[],
  prevData: Cid | null = value,
): Promise<string> {
  const rev = account.nextRev();
  const object = await signFor(account, root, rev);
  const commit = { rev, since: '2222222222222', prevData, ops: [] } as unknown as RepoCommit;
  const signed = await putTogether(commit, { object, blocks });
  frame.read(frameOfCommit(account.did, signed, { ops }));
  return check.check(frame, account.key);
}

/** Adds a node, or any block, to `blocks`. */
function add(blocks: BlockMap, node: unknown): Cid {
  const bytes = node instanceof Uint8Array ? node : encode(node);
  const cid = cidOfBytes(bytes);
  blocks.set(cid, bytes);
  return cid;
}

const node = (entries: readonly Entry[], left: Cid | null = null) => ({ e: entries, l: left });

/** Keys of level 0 in order: whoever chooses keys can make a node as wide as he likes. */
function flatKeys(count: number): string[] {
  const keys: string[] = [];
  for (let index = 0; keys.length < count; index++) {
    const key = `a/${String(index).padStart(8, '0')}`;
    if (keyHeight(Buffer.from(key)) === 0) keys.push(key);
  }
  return keys;
}

describe('bounds', () => {
  test('depth: keyless nodes on top of one another', async () => {
    for (const depth of [depthMax, depthMax + 1, 15_000]) {
      const blocks = new BlockMap();
      let root = add(blocks, node([entry('a/1')]));
      for (let index = 0; index < depth; index++) root = add(blocks, node([], root));
      const expected = depth <= depthMax ? 'incomplete' : 'tree_too_deep';
      expect(await found(blocks, root, [create('a/1')]), `${depth}`).toBe(expected);
      expect(await found(blocks, root, [remove('a/2')])).toBe(expected);
    }
  });

  test('depth: beside a key that is easily found', async () => {
    const blocks = new BlockMap();
    let low = add(blocks, node([entry('a/1')]));
    let high = add(blocks, node([entry('c/1')]));
    for (let index = 0; index < 5000; index++) {
      low = add(blocks, node([], low));
      high = add(blocks, node([], high));
    }
    const root = add(blocks, node([entry('b/1', 0, high)], low));
    expect(await found(blocks, root, [create('b/1')])).toBe('tree_too_deep');
  });

  test('width: one node', async () => {
    for (const count of [entriesMax, entriesMax + 1, 30_000]) {
      const blocks = new BlockMap();
      const keys = flatKeys(count);
      const root = add(blocks, node(keys.map((key) => entry(key))));
      const before = cidOfBytes(encode(node(keys.slice(1).map((key) => entry(key)))));
      const expected = count > entriesMax ? 'tree_too_wide' : 'incomplete';
      expect(await found(blocks, root, [create(keys[0])], before), `${count}`).toBe(expected);
    }
  });

  test('steps: thousands of ops, each deep down', async () => {
    const blocks = new BlockMap();
    let root = add(blocks, node([entry('a/1')]));
    for (let index = 0; index < depthMax - 1; index++) root = add(blocks, node([], root));
    const ops = Array.from({ length: 4000 }, (_, index) => remove(`a/x${index}`));
    expect(await found(blocks, root, ops)).toBe('tree_too_large');
    expect(await found(blocks, root, ops.slice(0, 200))).toBe('incomplete');
  });

  test('bytes: keys that are long, and share nearly all of it', async () => {
    for (const nodes of [2, 10]) {
      const blocks = new BlockMap();
      const ops: unknown[] = [];
      const entries = Array.from({ length: nodes }, (_, index) => {
        const start = `${String.fromCharCode(0x62 + index)}/`;
        const keys = Array.from({ length: 1000 }, (_key, at) => `${start}${'x'.repeat(1000)}${1000 + at}`);
        const child = add(blocks, node(keys.map((key, at) => entry(key, at === 0 ? 0 : key.length - 4))));
        ops.push(create(keys[0]));
        return entry(start, 0, child);
      });
      const root = add(blocks, node(entries));
      expect(await found(blocks, root, ops), `${nodes}`).toBe(nodes === 2 ? 'incomplete' : 'tree_too_large');
    }
  });

  test('a node that links to itself cannot be: its block does not hash to its name', async () => {
    const blocks = new BlockMap();
    const bytes = encode(node([], value));
    blocks.set(value, bytes);
    expect(await found(blocks, value, [create('a/1')])).toBe('bad_blocks');
  });

  test('one node in two places is out of order in one of them', async () => {
    const blocks = new BlockMap();
    const shared = add(blocks, node([entry('a/3')]));
    const root = add(blocks, node([entry('a/2', 0, shared), entry('a/5', 2, shared)]));
    expect(await found(blocks, root, [create('a/3')])).toBe('incomplete');
    expect(await found(blocks, root, [create('a/6')])).toBe('bad_tree');
  });
});

describe('blocks that are no nodes', () => {
  const good = encode(node([entry('a/1'), entry('a/2', 2)]));
  test.each([
    ['a record', encode({ text: 'hello' })],
    ['nothing', new Uint8Array(0)],
    ['one byte more', Buffer.concat([good, Buffer.from([0xf6])])],
    ['one byte less', good.subarray(0, -1)],
    ['keys out of order', encode(node([entry('a/2'), entry('a/1', 2)]))],
    ['a key twice', encode(node([entry('a/1'), entry('a/1', 2)]))],
    ['a key before the one that it begins', encode(node([entry('a/12'), entry('a/1', 2)]))],
    [
      'a prefix that is longer than the key before',
      encode(node([entry('a/1'), { ...entry('a/22', 2), p: 4 }])),
    ],
    ['a prefix of the first key', encode(node([entry('xa/1', 1)]))],
    ['a key that is too long', encode(node([entry(`a/${'1'.repeat(1100)}`)]))],
    ['a field more', encode({ ...node([entry('a/1')]), x: 1 })],
    ['an entry without its subtree', encode(node([{ p: 0, k: Buffer.from('a/1'), v: value } as never]))],
    ['a value that is no link', encode(node([{ ...entry('a/1'), v: 'value' }]))],
    ['a subtree that is no link', encode(node([entry('a/1', 0, 'tree')]))],
    ['a left that is no link', encode({ e: [], l: 'tree' })],
    ['entries that are none', encode({ e: {}, l: null })],
  ])('%s', async (_name, bytes) => {
    const blocks = new BlockMap();
    const root = add(blocks, bytes);
    expect(await found(blocks, root, [create('a/1')])).toBe('bad_tree');
    // Below another node, too, and on the way to a key that is not there.
    const above = add(blocks, node([entry('b/1')], root));
    expect(await found(blocks, above, [remove('a/0')])).toBe('bad_tree');
    // Where nobody looks, it is nobody's business.
    expect(await found(blocks, above, [create('b/1')])).not.toBe('op_not_in_tree');
  });

  test('as it should be it is one', async () => {
    const blocks = new BlockMap();
    const root = add(blocks, good);
    const before = cidOfBytes(encode(node([entry('a/1')])));
    expect(await found(blocks, root, [create('a/2')], before)).toBe('whole');
  });
});

test('roots without a key, as @atproto/repo leaves them, are no lie', async () => {
  const high = ['A2/827942', 'C2/014073'];
  const low = ['A0/374913', 'B0/601692', 'C0/451630'];
  const blocks = new BlockMap();
  const rootOf = async (tree: MST): Promise<Cid> => {
    const { root, blocks: all } = await tree.getUnstoredBlocks();
    blocks.addMap(all);
    return root;
  };
  let tree = await (await MST.create(new MemoryBlockstore())).add(high[0], value);
  const first = await rootOf(tree);
  // All that there is goes, and something comes: the tree stays as high as it was.
  tree = await (await tree.delete(high[0])).add(low[0], value);
  const odd = await rootOf(tree);
  expect(odd.equals(await rootOf(await (await MST.create(new MemoryBlockstore())).add(low[0], value)))).toBe(
    false,
  );
  expect(await found(blocks, odd, [remove(high[0]), create(low[0])], first)).toBe('whole');
  // One more on it, one less of it, and it as what was before.
  const more = await rootOf(await tree.add(low[1], value));
  expect(await found(blocks, more, [create(low[1])], odd)).toBe('whole');
  const higher = await rootOf(await tree.add(high[1], value));
  expect(await found(blocks, higher, [create(high[1])], odd)).toBe('whole');
  const trimmed = await rootOf(await (await MST.create(new MemoryBlockstore())).add(low[1], value));
  expect(await found(blocks, trimmed, [remove(low[0])], more)).toBe('whole');
  expect(await found(blocks, trimmed, [remove(low[2])], more)).toBe('incomplete');
});

test('a root without a key, whose block is missing, says nothing against what may be below it', async () => {
  const blocks = new BlockMap();
  const low = await (await MST.create(new MemoryBlockstore())).add('A0/374913', value);
  const { root: before } = await low.getUnstoredBlocks();
  const { root, blocks: all } = await (await low.add('A2/827942', value)).getUnstoredBlocks();
  for (const { cid, bytes } of all.entries())
    if (decode<{ e: unknown[] }>(bytes).e.length > 0) blocks.set(cid, bytes);
  expect(await found(all, root, [create('A2/827942')], before)).toBe('whole');
  expect(await found(blocks, root, [create('A2/827942')], before)).toBe('missing_blocks');
});

test.each([0, 1, 2, 3, 5])(
  'the highest record, %d high, is deleted, of two and as the last',
  async (height) => {
    const other = await RandomRepo.create('last', new SeededRandom('hostile', 'last'), 0, 'secp256k1');
    const random = new SeededRandom('hostile', `${height}`);
    const keyOf = (wanted: number): { collection: string; rkey: string } => {
      for (;;) {
        const rkey = random.text('abcdefgh', 8);
        if (keyHeight(Buffer.from(`com.example.a/${rkey}`)) === wanted)
          return { collection: 'com.example.a', rkey };
      }
    };
    const [high, low] = [keyOf(height), keyOf(0)];
    const write = async (write: RepoWrite): Promise<void> => {
      const bytes = frameOfCommit(other.did, await other.repo.commit([write], other.nextRev()));
      frame.read(bytes);
      expect(check.check(frame, other.key)).toBe('whole');
      expect(await secondOpinion(bytes, other.key)).toBe('whole');
    };
    for (const rest of [true, false]) {
      await write({ action: 'create', ...high, record: { n: 1 } });
      if (rest) await write({ action: 'create', ...low, record: { n: 1 } });
      await write({ action: 'delete', ...high });
      if (rest) await write({ action: 'delete', ...low });
    }
  },
);
