// Whether a signature over bytes is a key's. It owns which implementation does the arithmetic: libsecp256k1 as WebAssembly
// for secp256k1, if it loads and answers known questions right, and Node's for all else. The only import of `tiny-secp256k1`.

import { hash, verify } from 'node:crypto';
import type { Curve, VerifyingKey } from './verifying-key.ts';

/** What a check of a signature says; anything but `valid` is a reason to refute. */
export type SignatureFinding = 'valid' | 'bad_signature' | 'high_s';

type Secp256k1Verify = (digest: Uint8Array, point: Uint8Array, signature: Uint8Array) => boolean;

const signatureBytes = 64;
const scalarBytes = 32;
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
  /** What does the arithmetic of secp256k1. */
  readonly engine: 'wasm' | 'node';
  readonly #verify: Secp256k1Verify | undefined;

  private constructor(verifySecp256k1: Secp256k1Verify | undefined) {
    this.#verify = verifySecp256k1;
    this.engine = verifySecp256k1 === undefined ? 'node' : 'wasm';
  }

  /** The fastest that works here. */
  static async load(): Promise<SignatureChecker> {
    return new SignatureChecker(await loadWasm());
  }

  /** Node's own arithmetic alone. */
  static withoutWasm(): SignatureChecker {
    return new SignatureChecker(undefined);
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
        if (this.#verify(hash('sha256', bytes, 'buffer'), key.uncompressed(), signature)) return true;
      } catch {
        // It throws for an r or s of zero or beyond the order, and would if its memory were gone.
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

/** The package's function, if it loads here, and knows right from wrong. */
async function loadWasm(): Promise<Secp256k1Verify | undefined> {
  try {
    const { verify: verifyWasm } = await import('tiny-secp256k1');
    const strict: Secp256k1Verify = (digest, point, signature) => verifyWasm(digest, point, signature, true);
    return knowsRightFromWrong(strict) ? strict : undefined;
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
