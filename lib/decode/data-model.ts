// What makes an event one that only the first wire shows: v1 reads more than the data model of atproto allows, and less than its
// lexicons ask for. A closed list, because every reason is a metric label; record-tape.ts and lib/event find them.

import { hashStart, sha256Bytes, sha256Code } from './cid.ts';

/** Every reason there is. An event is counted by the first that is found. */
export const v1OnlyReasons = [
  /** The account is no DID. */
  'did',
  /** A commit's revision is no TID, or absent. */
  'rev',
  /** The path is not a collection's NSID and a record key. */
  'path',
  /** The record's CID is not of version 1, DAG-CBOR and SHA-256. */
  'cid',
  /** The record is no map. */
  'no_map',
  /** A float, which v1 shows if it is an integer. */
  'float',
  /** An integer of more than 64 bits, sign included. */
  'integer',
  /** A link that is not of version 1 and SHA-256, or was given as text. */
  'link',
  /** Bytes that were given as text. */
  'bytes',
  /** A blob with a negative size, or an old one that v1 writes otherwise than it is. */
  'blob',
  /** Text that is not UTF-8. */
  'text',
  /** CBOR that is not DAG-CBOR: undefined, other tags, longer heads, unknown lengths, keys out of order, more than one item. */
  'encoding',
] as const;

/** One of {@link v1OnlyReasons}. */
export type V1OnlyReason = (typeof v1OnlyReasons)[number];

/** Multicodec of DAG-CBOR. */
const dagCborCodec = 0x71;

/** Whether the binary CID in the span is of version 1, with a whole SHA-256. */
export function isSha256Cid(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== 1) return false;
  const hash = hashStart(bytes, start, end);
  return end - hash === 2 + sha256Bytes && bytes[hash] === sha256Code && bytes[hash + 1] === sha256Bytes;
}

/** Whether it is one of a record. */
export function isRecordCid(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start + 1] === dagCborCodec && isSha256Cid(bytes, start, end);
}
