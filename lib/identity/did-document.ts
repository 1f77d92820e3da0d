// What of a DID document is needed here: the key that its account signs commits with (atproto.com/specs/did). Pure; where documents
// come from is its callers'.

import { type Curve, VerifyingKey } from '../verify/verifying-key.ts';

/** Suites of 2019, whose multibase text is a bare point. */
const bareCurves: Readonly<Record<string, Curve>> = {
  EcdsaSecp256k1VerificationKey2019: 'secp256k1',
  EcdsaSecp256r1VerificationKey2019: 'p256',
};
/** Verification methods that are looked at: real documents have one. */
const methodsMax = 64;

/** A key; `no_key` when the document names none for commits; `wrong_did` when it is not that account's document, or none. */
export type DocumentKey = VerifyingKey | 'no_key' | 'wrong_did';

/** Reads a parsed document, of whatever shape it is. The first method that is a key for commits counts. */
export function signingKeyOf(document: unknown, did: string): DocumentKey {
  if (fieldOf(document, 'id') !== did) return 'wrong_did';
  const methods = fieldOf(document, 'verificationMethod');
  if (!Array.isArray(methods)) return 'no_key';
  for (const method of methods.slice(0, methodsMax)) {
    const id = fieldOf(method, 'id');
    if ((id !== '#atproto' && id !== `${did}#atproto`) || fieldOf(method, 'controller') !== did) continue;
    const key = keyOf(fieldOf(method, 'type'), fieldOf(method, 'publicKeyMultibase'));
    if (key !== undefined) return key;
  }
  return 'no_key';
}

function keyOf(type: unknown, text: unknown): VerifyingKey | undefined {
  if (typeof type !== 'string' || typeof text !== 'string') return undefined;
  if (type === 'Multikey') return VerifyingKey.parse(text);
  return Object.hasOwn(bareCurves, type) ? VerifyingKey.parseBarePoint(bareCurves[type], text) : undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
