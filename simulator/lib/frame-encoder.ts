// Builds frames of `com.atproto.sync.subscribeRepos`: a DAG-CBOR header and a DAG-CBOR body, and the links inside
// records. The simulator's only import of `@ipld/dag-cbor`, which keeps lib/decode and what tests it apart. Knows no
// repository and no network.

import { decode, encode } from '@ipld/dag-cbor';
import { CodedError } from '../../lib/errors.ts';

/** A link to content: prints as a CID string, encodes as tag 42. */
export interface Link {
  readonly bytes: Uint8Array;
  toString(): string;
}

/** Message types of the stream that the simulator sends. */
export type MessageType = '#commit' | '#identity' | '#account' | '#sync' | '#info';

/** A frame taken apart. */
export interface DecodedFrame {
  readonly header: { readonly op: number; readonly t?: string };
  readonly body: Readonly<Record<string, unknown>>;
  /** Offset of the body in the frame. */
  readonly bodyStart: number;
}

const headerBytesMax = 64;

function link(codec: number, digest: Uint8Array): Link {
  const tagged = Buffer.concat([Buffer.from([0xd8, 0x2a, 0x58, 0x25, 0, 1, codec, 0x12, 0x20]), digest]);
  return decode<Link>(tagged);
}

/** A CIDv1 of DAG-CBOR content. @param digest SHA-256, 32 bytes. */
export function recordLink(digest: Uint8Array): Link {
  return link(0x71, digest);
}

/** A CIDv1 of raw content, as blobs have. @param digest SHA-256, 32 bytes. */
export function contentLink(digest: Uint8Array): Link {
  return link(0x55, digest);
}

/** In memory of its own: a slice of Node's pool would keep 64 KiB alive for a frame of 3 KB (24 KB each, as measured). */
function joinFrame(header: unknown, body: unknown): Uint8Array {
  const head = encode(header);
  const rest = encode(body);
  const frame = new Uint8Array(head.length + rest.length);
  frame.set(head);
  frame.set(rest, head.length);
  return frame;
}

/** A message frame. `type` is open, so that tests can send types that do not exist. */
export function encodeMessage(type: MessageType | (string & {}), body: Record<string, unknown>): Uint8Array {
  return joinFrame({ op: 1, t: type }, body);
}

/** An error frame, after which a relay closes: `FutureCursor`, `ConsumerTooSlow`. */
export function encodeError(error: string, message: string): Uint8Array {
  return joinFrame({ op: -1 }, { error, message });
}

/** An `#info` message: `OutdatedCursor`. */
export function encodeInfo(name: string, message: string): Uint8Array {
  return encodeMessage('#info', { name, message });
}

/** A commit that a relay found too big to carry: no blocks, no ops. */
export function encodeTooBigCommit(seq: number, did: string, rev: string, time: string): Uint8Array {
  return encodeMessage('#commit', {
    seq,
    repo: did,
    rev,
    since: null,
    time,
    commit: recordLink(Buffer.alloc(32, 1)),
    blocks: new Uint8Array(0),
    ops: [],
    blobs: [],
    rebase: false,
    tooBig: true,
  });
}

/** Takes a well-formed frame apart. @throws CodedError `SIMULATOR_FRAME_INVALID` for any other. */
export function decodeFrame(frame: Uint8Array): DecodedFrame {
  // The package decodes only whole values and does not tell where one ends, so the header's end is searched for.
  for (let end = 1; end <= Math.min(headerBytesMax, frame.length); end++) {
    let header: DecodedFrame['header'];
    try {
      header = decode(frame.subarray(0, end));
    } catch {
      continue;
    }
    try {
      return { header, body: decode(frame.subarray(end)), bodyStart: end };
    } catch (cause) {
      throw new CodedError('SIMULATOR_FRAME_INVALID', 'frame body is not one DAG-CBOR value', { cause });
    }
  }
  throw new CodedError('SIMULATOR_FRAME_INVALID', 'frame does not start with a DAG-CBOR header');
}
