// Signing keys of synthetic accounts, derived from the seed. The only import of `@atproto/crypto`. The keys protect
// nothing: they follow from the seed.

import { createHash } from 'node:crypto';
import { type Keypair, P256Keypair, Secp256k1Keypair } from '@atproto/crypto';

/** Signs commits; `did()` is the public key as `did:key:…`. */
export type SigningKey = Keypair;

/** The key of an account: always the same for a seed and an owner. */
export function deriveSigningKey(
  seed: string,
  owner: string,
  curve: 'p256' | 'secp256k1',
): Promise<SigningKey> {
  const secret = createHash('sha256').update(`signing key\n${seed}\n${owner}`).digest();
  const bytes = new Uint8Array(secret);
  return curve === 'p256' ? P256Keypair.import(bytes) : Secp256k1Keypair.import(bytes);
}
