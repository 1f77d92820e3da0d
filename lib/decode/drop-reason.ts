// Why input from the relay does not become an event: a closed list, because every reason is a metric label. The
// stages that look at frames and records report these; counting them is lib/ingest's.

/** Every reason there is, in the order in which a frame meets them. */
export const dropReasons = [
  /** The frame is not a CBOR header and a CBOR body with fields of the right types. */
  'bad_frame',
  /** A commit has more ops than any relay sends, or an op repeats records more often than is reasonable. */
  'too_many_ops',
  /** A commit says `tooBig`: its blocks were left out upstream. */
  'too_big',
  /** A commit's `blocks` are longer than the protocol allows. */
  'blocks_too_large',
  /** `blocks` is no CAR version 1 with a root. */
  'bad_car',
  /** A block does not hash to its CID, or its CID uses a hash that is not SHA-256. */
  'bad_block_hash',
  /** The first root is absent or is no commit object of version 2 or 3. */
  'bad_commit',
  /** `time` is no RFC 3339 time. */
  'bad_time',
  /** An op is not a map with fields of the right types. */
  'bad_op',
  /** An op's path has no slash, or is none that a repository can hold. */
  'bad_path',
  /** An op's action is none of create, update, delete. */
  'unknown_action',
  /** A create or update without a CID. */
  'missing_cid',
  /** The block of a create or update is not in `blocks`. */
  'missing_block',
  /** A record is longer than the protocol allows. */
  'record_too_large',
  /** A record is not what the atproto data model allows. */
  'bad_record',
] as const;

/** One of {@link dropReasons}. */
export type DropReason = (typeof dropReasons)[number];
