// One operation of the PLC directory as its export tells it, in the numbered form and in the older one: whose it is, and which key the
// account signs commits with from then on. Pure. The directory is believed as far as it is for documents.

import { VerifyingKey } from '../verify/verifying-key.ts';

const didPattern = /^did:plc:[a-z2-7]{24}$/;

/** See the file comment. */
export interface PlcOperation {
  readonly did: string;
  /** Undefined: it has none any more, by a tombstone or otherwise. */
  readonly key: VerifyingKey | undefined;
  /** When the directory took it, in milliseconds since 1970. */
  readonly createdMs: number;
  /** Of the numbered form. */
  readonly seq: number | undefined;
}

interface ExportedOperation {
  readonly did?: unknown;
  readonly createdAt?: unknown;
  readonly seq?: unknown;
  readonly nullified?: unknown;
  readonly operation?: {
    readonly verificationMethods?: { readonly atproto?: unknown } | null;
    readonly signingKey?: unknown;
  } | null;
}

/** Reads a line or a message. Undefined when it is no operation, as others may come to be told, or says nothing any more. */
export function readPlcOperation(text: string): PlcOperation | undefined {
  let told: ExportedOperation | null;
  try {
    told = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { did, createdAt, seq, nullified, operation } = told ?? {};
  if (typeof did !== 'string' || !didPattern.test(did) || typeof createdAt !== 'string' || !operation)
    return undefined;
  const createdMs = Date.parse(createdAt);
  if (Number.isNaN(createdMs) || nullified === true) return undefined;
  if (seq !== undefined && !(Number.isSafeInteger(seq) && (seq as number) >= 0)) return undefined;
  const key = operation.verificationMethods?.atproto ?? operation.signingKey;
  return {
    did,
    key: typeof key === 'string' ? VerifyingKey.parse(key) : undefined,
    createdMs,
    seq: seq as number | undefined,
  };
}
