// The protocol's own vectors: see fixtures/README.md.

import { readFileSync } from 'node:fs';
import { blocksToCarFile, type CommitData, MemoryBlockstore, MST } from '@atproto/repo';
import { describe, expect, test } from 'vitest';
import { CarIndex } from '../../lib/decode/car.ts';
import { keyHeight } from '../../lib/verify/key-height.ts';
import { PartialTree } from '../../lib/verify/partial-tree.ts';
import { commonPrefix } from '../../lib/verify/tree-node.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { recordLink } from '../../simulator/lib/frame-encoder.ts';
import { checkers } from './engines.ts';
import { digestOfCid } from './repo-commits.ts';

type Cid = CommitData['cid'];

function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as T;
}

interface SignatureFixture {
  readonly comment: string;
  readonly messageBase64: string;
  readonly algorithm: 'ES256' | 'ES256K';
  readonly publicKeyDid: string;
  readonly publicKeyMultibase: string;
  readonly signatureBase64: string;
  readonly validSignature: boolean;
  readonly tags: readonly string[];
}

describe.each(checkers.map((checker) => [checker.engine, checker] as const))(
  'signatures, %s',
  (_, checker) => {
    test.each(fixture<SignatureFixture[]>('signature-fixtures'))('$comment', (one) => {
      const key = VerifyingKey.parse(one.publicKeyDid) as VerifyingKey;
      const curve = one.algorithm === 'ES256' ? 'p256' : 'secp256k1';
      expect(key.curve).toBe(curve);
      expect(VerifyingKey.parseBarePoint(curve, one.publicKeyMultibase)?.point).toEqual(key.point);
      const found = checker.check(
        key,
        Buffer.from(one.messageBase64, 'base64'),
        Buffer.from(one.signatureBase64, 'base64'),
      );
      const expected = one.tags.includes('high-s')
        ? 'high_s'
        : one.validSignature
          ? 'valid'
          : 'bad_signature';
      expect(found).toBe(expected);
    });
  },
);

test.each([
  ...fixture<{ publicDidKey: string; privateKeyBytesHex: string }[]>('w3c_didkey_K256'),
  ...fixture<{ publicDidKey: string }[]>('w3c_didkey_P256'),
])('$publicDidKey is a key', ({ publicDidKey }) => {
  const key = VerifyingKey.parse(publicDidKey) as VerifyingKey;
  expect(key.curve).toBe(publicDidKey.startsWith('did:key:zQ3s') ? 'secp256k1' : 'p256');
  expect(key.uncompressed()).toHaveLength(65);
  expect(key.keyObject().asymmetricKeyDetails?.namedCurve).toBe(
    key.curve === 'p256' ? 'prime256v1' : 'secp256k1',
  );
});

test.each(fixture<{ key: string; height: number }[]>('key_heights'))(
  'height of "$key"',
  ({ key, height }) => {
    expect(keyHeight(Buffer.from(key))).toBe(height);
  },
);

test('heights of the example keys are in their names', () => {
  const keys = readFileSync(new URL('fixtures/example_keys.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  expect(keys).toHaveLength(156);
  for (const key of keys) expect(keyHeight(Buffer.from(key)), key).toBe(Number(key[1]));
});

test.each(fixture<{ left: string; right: string; len: number }[]>('common_prefix'))(
  'common prefix of "$left" and "$right"',
  ({ left, right, len }) => {
    const bytes = Buffer.from(left + right);
    const middle = Buffer.byteLength(left);
    expect(commonPrefix(bytes, 0, middle, middle, bytes.length)).toBe(len);
  },
);

interface ProofFixture {
  readonly comment: string;
  readonly leafValue: string;
  readonly keys: readonly string[];
  readonly adds: readonly string[];
  readonly dels: readonly string[];
  readonly rootBeforeCommit: string;
  readonly rootAfterCommit: string;
  readonly blocksInProof: readonly string[];
}

describe('commit proofs', () => {
  const proofs = fixture<ProofFixture[]>('commit-proof-fixtures');

  /** The tree after the commit with these of its blocks, and with the paths and the value behind them. */
  async function open(
    { keys, adds, dels, leafValue, rootAfterCommit }: ProofFixture,
    blockNames: readonly string[],
  ) {
    const value = recordLink(digestOfCid(leafValue)) as Cid;
    let tree = await MST.create(new MemoryBlockstore());
    for (const key of [...keys, ...adds]) tree = await tree.add(key, value);
    for (const key of dels) tree = await tree.delete(key);
    const { root, blocks } = await tree.getUnstoredBlocks();
    expect(root.toString()).toBe(rootAfterCommit);
    for (const { cid } of blocks.entries()) if (!blockNames.includes(cid.toString())) blocks.delete(cid);
    const archive = await blocksToCarFile(root, blocks);
    const paths = [...adds, ...dels].toSorted();
    const bytes = Buffer.concat([
      archive,
      root.bytes,
      value.bytes,
      ...paths.map((path) => Buffer.from(path)),
    ]);
    const car = new CarIndex();
    expect(car.read(bytes, 0, archive.length)).toBeUndefined();
    const opened = new PartialTree();
    opened.open(car, bytes, archive.length);
    let pathEnd = archive.length + 72;
    const undoings = paths.map((path) => {
      const pathStart = pathEnd;
      pathEnd += path.length;
      const isThere = opened.find(pathStart, pathEnd);
      expect(isThere, path).toBe(adds.includes(path));
      const prevStart = isThere ? -1 : archive.length + 36;
      return { pathStart, pathEnd, prevStart, prevEnd: archive.length + 72, isThere };
    });
    return { opened, undoings };
  }

  test.each(proofs)('$comment', async (proof) => {
    const { opened, undoings } = await open(proof, proof.blocksInProof);
    expect(opened.undoesTo(undoings, digestOfCid(proof.rootBeforeCommit))).toBe(true);
    const { opened: again } = await open(proof, proof.blocksInProof);
    expect(again.undoesTo(undoings, digestOfCid(proof.rootAfterCommit))).toBe(false);
  });

  test.each(proofs)('$comment, each op left out', async (proof) => {
    for (const at of [...proof.adds, ...proof.dels].keys()) {
      const { opened, undoings } = await open(proof, proof.blocksInProof);
      const fewer = undoings.toSpliced(at, 1);
      expect(opened.undoesTo(fewer, digestOfCid(proof.rootBeforeCommit))).toBe(false);
    }
  });

  test.each(proofs)('$comment, each block left out', async (proof) => {
    for (const name of proof.blocksInProof) {
      const less = proof.blocksInProof.filter((other) => other !== name);
      let outcome: string;
      try {
        const { opened, undoings } = await open(proof, less);
        // If it is right, the block is one that this order of work does without.
        outcome = opened.undoesTo(undoings, digestOfCid(proof.rootBeforeCommit)) ? 'right' : 'wrong';
      } catch (error) {
        outcome = (error as Error).message;
      }
      expect(['right', 'missing_blocks'], name).toContain(outcome);
    }
  });
});
