// The public keys that accounts sign with, and the forms in which they are written: `did:key`, the multibase text of a
// Multikey, and the bare points of the two older suites. It owns what is kept of a key for checking; checks are signature.ts.

import { createPublicKey, ECDH, type KeyObject } from 'node:crypto';

/** The two curves of the protocol (atproto.com/specs/cryptography). */
export type Curve = 'p256' | 'secp256k1';

const didKeyPrefix = 'did:key:';
/** Longest text that is read: 67 bytes of a point with its code are 92 characters. */
const textCharsMax = 128;
const compressedBytes = 33;
const uncompressedBytes = 65;
/** Multicodec `p256-pub` and `secp256k1-pub`, as varints. */
const codes: Readonly<Record<Curve, readonly [number, number]>> = {
  p256: [0x80, 0x24],
  secp256k1: [0xe7, 0x01],
};
const nodeNames: Readonly<Record<Curve, string>> = { p256: 'prime256v1', secp256k1: 'secp256k1' };
/** DER of a SubjectPublicKeyInfo up to a point of 33 bytes (RFC 5480). */
const spkiHeads: Readonly<Record<Curve, Buffer>> = {
  p256: Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
  secp256k1: Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex'),
};

const base58Digits = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const base58Values = new Int8Array(128).fill(-1);
for (let digit = 0; digit < base58Digits.length; digit++)
  base58Values[base58Digits.charCodeAt(digit)] = digit;

/** Reads base58 (the Bitcoin alphabet); undefined when it is none. Quadratic, and so only for short text. */
function fromBase58(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    let carry = code < 128 ? base58Values[code] : -1;
    if (carry < 0) return undefined;
    for (let at = 0; at < bytes.length; at++) {
      carry += bytes[at] * 58;
      bytes[at] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  for (let index = 0; index < text.length && text[index] === '1'; index++) bytes.push(0);
  return Uint8Array.from(bytes.reverse());
}

/** A public key. It keeps what a check makes of it, so that the next one with it is cheaper: 3.5 KB once used. */
export class VerifyingKey {
  readonly curve: Curve;
  /** The point, compressed: 33 bytes. */
  readonly point: Uint8Array;
  #uncompressed: Uint8Array | undefined;
  #keyObject: KeyObject | undefined;

  private constructor(curve: Curve, point: Uint8Array) {
    this.curve = curve;
    this.point = point;
  }

  /** The key at that point; undefined when there is none on the curve. @param point of 33 or 65 bytes; copied. */
  static ofPoint(curve: Curve, point: Uint8Array): VerifyingKey | undefined {
    if (point.length !== compressedBytes && point.length !== uncompressedBytes) return undefined;
    try {
      // The hybrid form, whose first byte is 6 or 7, would be taken too.
      if (point.length === uncompressedBytes && point[0] !== 4) return undefined;
      const compressed = ECDH.convertKey(point, nodeNames[curve], undefined, undefined, 'compressed');
      return new VerifyingKey(curve, Uint8Array.from(compressed as Buffer));
    } catch {
      return undefined;
    }
  }

  /** Reads `did:key:z…` or the multibase text of a Multikey, `z…`; undefined when it is neither, or of another kind. */
  static parse(text: string): VerifyingKey | undefined {
    const bytes = multibase(text.startsWith(didKeyPrefix) ? text.slice(didKeyPrefix.length) : text);
    if (bytes === undefined) return undefined;
    for (const curve of ['p256', 'secp256k1'] as const) {
      const [first, second] = codes[curve];
      // Only the compressed form is a Multikey.
      if (bytes[0] === first && bytes[1] === second && bytes.length === 2 + compressedBytes) {
        return VerifyingKey.ofPoint(curve, bytes.subarray(2));
      }
    }
    return undefined;
  }

  /** Reads the multibase text of a bare point, as suites of 2019 have it. */
  static parseBarePoint(curve: Curve, text: string): VerifyingKey | undefined {
    const bytes = multibase(text);
    return bytes === undefined ? undefined : VerifyingKey.ofPoint(curve, bytes);
  }

  /** The point in 65 bytes. */
  uncompressed(): Uint8Array {
    this.#uncompressed ??= Uint8Array.from(
      ECDH.convertKey(this.point, nodeNames[this.curve], undefined, undefined, 'uncompressed') as Buffer,
    );
    return this.#uncompressed;
  }

  /** The key as Node has it. */
  keyObject(): KeyObject {
    const der = (): Buffer => Buffer.concat([spkiHeads[this.curve], this.point]);
    this.#keyObject ??= createPublicKey({ key: der(), format: 'der', type: 'spki' });
    return this.#keyObject;
  }
}

/** Whether both are the same key, or none. */
export function isSameKey(one: VerifyingKey | undefined, other: VerifyingKey | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.curve === other.curve && Buffer.compare(one.point, other.point) === 0;
}

function multibase(text: string): Uint8Array | undefined {
  return text.startsWith('z') && text.length <= textCharsMax ? fromBase58(text.slice(1)) : undefined;
}
