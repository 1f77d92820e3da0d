import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { SignatureChecker } from '../../lib/verify/signature.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { deriveSigningKey } from '../../simulator/lib/signing-key.ts';
import { checkers, engineNames, hasNative } from './engines.ts';

const packages = { native: 'secp256k1/bindings.js', wasm: 'tiny-secp256k1' } as const;

test('the fastest that there is, is what is used', async () => {
  expect(checkers.map(({ engine }) => engine)).toEqual(engineNames);
  expect((await SignatureChecker.load()).engine).toBe(hasNative ? 'native' : 'wasm');
  expect((await SignatureChecker.load(['wasm'])).engine).toBe('wasm');
  expect((await SignatureChecker.load([])).engine).toBe('node');
  expect(SignatureChecker.ofNode().engine).toBe('node');
});

test('without a binary for the platform it is WebAssembly: elliptic is not even loaded', async () => {
  const script = `
    const { SignatureChecker } = await import('./lib/verify/signature.ts');
    const { engine } = await SignatureChecker.load();
    const { default: module } = await import('node:module');
    const loaded = Object.keys(module._cache).filter((path) => /secp256k1.bindings|elliptic/.test(path));
    console.log(JSON.stringify({ engine, loaded }));`;
  const engineOn = async (arch: string): Promise<{ engine: string; loaded: readonly string[] }> => {
    const env = { ...process.env, npm_config_arch: arch };
    const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
    return JSON.parse(run.stdout);
  };
  // The package looks for a binary of what is said here.
  expect(await engineOn('pdp11')).toMatchObject({ engine: 'wasm', loaded: [] });
  const { engine, loaded } = await engineOn(process.arch);
  expect(engine).toBe(hasNative ? 'native' : 'wasm');
  expect(loaded.filter((path) => path.includes('elliptic'))).toEqual([]);
  expect(loaded).toHaveLength(hasNative ? 1 : 0);
});

describe('an engine that is not to be trusted', () => {
  afterEach(() => {
    for (const name of Object.values(packages)) vi.doUnmock(name);
    vi.resetModules();
  });

  const answers: Readonly<Record<string, (...args: never[]) => boolean>> = {
    'says yes to all': () => true,
    'says no to all': () => false,
    'has a function that throws': () => {
      throw new Error('broken');
    },
    'does not look at what was signed': (one: Uint8Array, _two, three: Uint8Array) =>
      [one, three].some((bytes) => bytes.length === 64 && bytes[0] === 0x75),
    'does not look at the signature': (one: Uint8Array, two: Uint8Array) =>
      [one, two].some((bytes) => Buffer.compare(bytes, hash('sha256', 'abc', 'buffer')) === 0),
  };

  /** @param answer undefined for a package that does not load. */
  async function engineWith(
    distrusted: readonly (keyof typeof packages)[],
    answer: ((...args: never[]) => boolean) | undefined,
  ): Promise<string> {
    vi.resetModules();
    for (const engine of distrusted) {
      vi.doMock(packages[engine], () => {
        if (answer === undefined) throw new Error('no such package');
        return { default: { ecdsaVerify: answer }, verify: answer };
      });
    }
    return (await (await import('../../lib/verify/signature.ts')).SignatureChecker.load()).engine;
  }

  test.each([['does not load', undefined] as const, ...Object.entries(answers)])(
    'because it %s is not used',
    async (_name, answer) => {
      expect(await engineWith(['native'], answer)).toBe('wasm');
      expect(await engineWith(['native', 'wasm'], answer)).toBe('node');
      vi.doUnmock(packages.native);
      expect(await engineWith(['wasm'], answer)).toBe(hasNative ? 'native' : 'node');
    },
  );

  test('a no is said by two, and what throws says no', async () => {
    let fault: 'none' | 'throws' | 'says no' = 'none';
    const { verify } = await import('tiny-secp256k1');
    vi.resetModules();
    vi.doMock(packages.native, () => ({
      default: {
        ecdsaVerify: (signature: Uint8Array, digest: Uint8Array, point: Uint8Array) => {
          if (fault === 'throws') throw new Error('out of memory');
          return fault === 'none' && verify(digest, point, signature);
        },
      },
    }));
    const checker = await (await import('../../lib/verify/signature.ts')).SignatureChecker.load();
    expect(checker.engine).toBe('native');
    const signer = await deriveSigningKey('engines', 'did:example:a', 'secp256k1');
    const key = VerifyingKey.parse(signer.did()) as VerifyingKey;
    const bytes = Buffer.from('what is signed');
    const signature = await signer.sign(bytes);
    for (fault of ['none', 'throws', 'says no'] as const) {
      expect(checker.check(key, bytes, signature), fault).toBe('valid');
      expect(checker.check(key, Buffer.from('other'), signature), fault).toBe('bad_signature');
    }
  });
});

/** The order of secp256k1. */
const order = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;
const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

test('all say the same of what is right, altered, malformed or at a limit, and nothing throws', async () => {
  const random = new SeededRandom('engines', 'signatures');
  const counts = new Map<string, number>();
  const limits = [0n, 1n, order / 2n, order / 2n + 1n, order - 1n, order, order + 1n, 2n ** 256n - 1n].map(
    scalar,
  );
  for (let round = 0; round < 60; round++) {
    const signer = await deriveSigningKey('engines', `did:example:${round}`, 'secp256k1');
    const key = VerifyingKey.parse(signer.did()) as VerifyingKey;
    const bytes = random.bytes(random.int(300));
    const right = await signer.sign(bytes);
    const [r, s] = [right.subarray(0, 32), right.subarray(32)];
    const flipped = (at: number): Uint8Array => right.with(at, right[at] ^ (1 << random.int(8)));
    // As a frame lies in memory that threads share.
    const shared = new Uint8Array(new SharedArrayBuffer(100)).subarray(13, 77);
    shared.set(right);
    const otherS = scalar(order - BigInt(`0x${Buffer.from(s).toString('hex')}`));
    const tried = [
      ...[right, shared, Buffer.concat([r, otherS]), flipped(random.int(32)), flipped(32 + random.int(32))],
      ...[Buffer.concat([s, r]), right.subarray(1), Buffer.concat([right, r]), Buffer.alloc(0)],
      ...[Buffer.concat([r, random.pick(limits)]), Buffer.concat([random.pick(limits), s])],
      ...[Buffer.concat([random.pick(limits), random.pick(limits)]), random.bytes(64)],
    ];
    for (const [index, signature] of tried.entries()) {
      const found = checkers.map((checker) => checker.check(key, bytes, signature));
      expect(new Set(found).size, `${round} ${index}: ${found}`).toBe(1);
      expect(found[0] === 'valid', `${round} ${index}`).toBe(index < 2);
      if (index === 2) expect(found[0]).toBe('high_s');
      counts.set(found[0], (counts.get(found[0]) ?? 0) + 1);
    }
    const others = checkers.map((checker) => checker.check(key, random.bytes(20), right));
    expect(new Set(others)).toEqual(new Set(['bad_signature']));
  }
  expect([...counts.keys()].sort()).toEqual(['bad_signature', 'high_s', 'valid']);
});
