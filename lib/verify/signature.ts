// Whether a signature over bytes is a key's. It owns which implementation does the arithmetic of secp256k1: libsecp256k1 as native code
// where somebody has installed it, else as WebAssembly, each if it loads and answers known questions right; and Node's for all
// else. The only import of `secp256k1` and of `tiny-secp256k1`.

import { hash, verify } from 'node:crypto';
import type { Curve, VerifyingKey } from './verifying-key.ts';

/** What a check of a signature says; anything but `valid` is a reason to refute. */
export type SignatureFinding = 'valid' | 'bad_signature' | 'high_s';

/** What does the arithmetic of secp256k1: libsecp256k1 as native code or as WebAssembly, or Node's OpenSSL. */
export type SignatureEngine = 'native' | 'wasm' | 'node';

type Secp256k1Verify = (digest: Uint8Array, point: Uint8Array, signature: Uint8Array) => boolean;

const signatureBytes = 64;
const scalarBytes = 32;
const digestBytes = 32;
/** Half of each curve's order, rounded down: a larger s is the other of two signatures that say the same. */
const halfOrders: Readonly<Record<Curve, Buffer>> = {
  p256: Buffer.from('7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8', 'hex'),
  secp256k1: Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex'),
};

function isHighS(curve: Curve, signature: Uint8Array): boolean {
  const half = halfOrders[curve];
  for (let index = 0; index < scalarBytes; index++) {
    const difference = signature[scalarBytes + index] - half[index];
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** The public key of the private key 1: the generator of secp256k1. */
const knownPoint = Buffer.from(
  '0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8',
  'hex',
);

/** Checks signatures; stateless but for what keys keep of themselves. */
export class SignatureChecker {
  readonly engine: SignatureEngine;
  /** Undefined for Node's. */
  readonly #verify: Secp256k1Verify | undefined;
  readonly #digest = Buffer.alloc(digestBytes);

  private constructor(engine: SignatureEngine, verifySecp256k1?: Secp256k1Verify) {
    this.engine = engine;
    this.#verify = verifySecp256k1;
  }

  /** The fastest that works here. @param engines of which alone; Node's works always. */
  static async load(engines: readonly SignatureEngine[] = ['native', 'wasm']): Promise<SignatureChecker> {
    for (const engine of ['native', 'wasm'] as const) {
      const verifySecp256k1 = engines.includes(engine) ? await loaded(loaders[engine]) : undefined;
      if (verifySecp256k1 !== undefined) return new SignatureChecker(engine, verifySecp256k1);
    }
    return SignatureChecker.ofNode();
  }

  /** Node's own arithmetic alone. */
  static ofNode(): SignatureChecker {
    return new SignatureChecker('node');
  }

  /** Checks a signature (r and s, 32 bytes each) over the SHA-256 of `bytes`. Never throws on bad input. */
  check(key: VerifyingKey, bytes: Uint8Array, signature: Uint8Array): SignatureFinding {
    if (signature.length !== signatureBytes) return 'bad_signature';
    // Node's check, and that of a lenient library, accepts both.
    if (isHighS(key.curve, signature)) return 'high_s';
    return this.#isValid(key, bytes, signature) ? 'valid' : 'bad_signature';
  }

  #isValid(key: VerifyingKey, bytes: Uint8Array, signature: Uint8Array): boolean {
    if (this.#verify !== undefined && key.curve === 'secp256k1') {
      try {
        // By way of text it takes half the time.
        this.#digest.write(hash('sha256', bytes, 'latin1'), 'latin1');
        if (this.#verify(this.#digest, key.uncompressed(), signature)) return true;
      } catch {
        // They throw for an r or s beyond the order, WebAssembly for one of zero, and it would if its memory were gone.
      }
      // No is said by two: it is an accusation, and seldom.
    }
    try {
      return verify('sha256', bytes, { key: key.keyObject(), dsaEncoding: 'ieee-p1363' }, signature);
    } catch {
      return false;
    }
  }
}

/** Of each package the function. */
const loaders: Readonly<Record<Exclude<SignatureEngine, 'node'>, () => Promise<Secp256k1Verify>>> = {
  async native() {
    // Not the package itself: where it has no binary that is `elliptic`, slower than anything here. This throws.
    // @ts-expect-error: it comes without types, and may not be there.
    const { default: binding } = (await import('secp256k1/bindings.js')) as { default: NativeBinding };
    return (digest, point, signature) => binding.ecdsaVerify(signature, digest, point);
  },
  async wasm() {
    const { verify: verifyWasm } = await import('tiny-secp256k1');
    return (digest, point, signature) => verifyWasm(digest, point, signature, true);
  },
};

interface NativeBinding {
  ecdsaVerify(signature: Uint8Array, digest: Uint8Array, point: Uint8Array): boolean;
}

/** The function, if it loads here, and knows right from wrong. */
async function loaded(load: () => Promise<Secp256k1Verify>): Promise<Secp256k1Verify | undefined> {
  try {
    const verifySecp256k1 = await load();
    return knowsRightFromWrong(verifySecp256k1) ? verifySecp256k1 : undefined;
  } catch {
    return undefined;
  }
}

/** Signature of the private key 1 over "abc", by RFC 6979. */
const knownSignature = Buffer.from(
  '75601b1385909ea698e3fd6e26e5fa5105127bd2299d3ab0b9d9f93df5b8b99c28ae7cc8f969e6b6fb1feac477818a75a46e8c364e88dfdc9880e1a5175c4bd1',
  'hex',
);

function knowsRightFromWrong(check: Secp256k1Verify): boolean {
  const digest = hash('sha256', 'abc', 'buffer');
  const other = hash('sha256', 'abd', 'buffer');
  const altered = Buffer.from(knownSignature);
  altered[0] ^= 1;
  return (
    check(digest, knownPoint, knownSignature) &&
    !check(other, knownPoint, knownSignature) &&
    !check(digest, knownPoint, altered)
  );
}
