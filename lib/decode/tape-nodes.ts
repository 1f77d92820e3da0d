// The layout of a record tape: what a CBOR item is once it has been walked. Nodes are runs of 32-bit integers in one
// array, in the order of the bytes; a container's first child follows it. record-tape.ts writes them, special-map.ts
// and map-order.ts work on maps that have ended, record-json.ts reads them.

import type { ByteWriter } from '../byte-writer.ts';
import type { V1OnlyReason } from './data-model.ts';

/** All nodes of one record. A node is named by the index of its first integer. */
export type TapeNodes = Int32Array;

/** A record that has been walked, or is being walked. */
export interface TapeView {
  readonly nodes: TapeNodes;
  /** What spans point into. */
  readonly source: Uint8Array;
  /** Binary CIDs that stood in the record as text. */
  readonly cids: ByteWriter;
  /** Why it is none by the data model, though v1 shows it: the first reason. */
  fault: V1OnlyReason | undefined;
}

/** Integers of a node. */
export const nodeInts = 8;
/** No node: the end of a list of siblings. */
export const noNode = -1;

/** Offsets in a node. Two uses of one integer never overlap in time. */
export const nodeFields = {
  /** One of {@link nodeKinds}; for containers that are being read, with flags above it. */
  kind: 0,
  /** The key under which a map holds the node, as a span of the record. */
  keyStart: 1,
  keyEnd: 2,
  /** Spans: the start. Integers: the high half. Containers: items still to come, then the first child. */
  first: 3,
  /** Spans: the end. Integers: the low half. Containers: the container around it. */
  second: 4,
  /** The next sibling in order of output, or {@link noNode}. */
  next: 5,
  /** Plain keys: what sorts like their first bytes. Others: where their encoded text starts. */
  keyPrefix: 6,
  /** Where the encoded text of a key that is not plain ends. */
  encodedEnd: 7,
  /** Maps that are being read: the node under the last key that starts with `$`. */
  special: 7,
} as const;

/** What a node is. */
export const nodeKinds = {
  null: 0,
  false: 1,
  true: 2,
  /** A 64-bit integer in two's complement. */
  integer: 3,
  /** Text: a span of the record. */
  text: 4,
  /** A byte string: a span of the record. */
  bytes: 5,
  /** Base64 text that stood under `$bytes`: a span of the record. */
  bytesText: 6,
  /** A CID: a span of the record. */
  link: 7,
  /** A CID that was given as text: a span of the tape's `cids`. */
  linkText: 8,
  array: 9,
  map: 10,
  /** A blob: its children are ref, mimeType, size. */
  blob: 11,
  /** A blob of the old form: its children are ref, mimeType. */
  oldBlob: 12,
} as const;

/** The bits of a node's kind; others are flags. */
export const kindMask = 0xff;
/** Of a node in a map: its key must be escaped when it is written. */
export const keyIsEscaped = 0x100;

/** Of a map that is being read: what is known of its keys. */
export const mapFlags = {
  hasType: 0x1000,
  hasLink: 0x2000,
  hasBytes: 0x4000,
  hasEscapedKey: 0x8000,
} as const;
