// The unit of the log: an immutable group of consecutive events, as stored and as sent. Made by block-builder.ts,
// stored by level-log.ts, kept by memory-tail.ts, cut for subscribers by lib/fanout.

import type { BlockIndex } from './block-index.ts';

/** Relay id to the last sequence of it whose events are in the log. One entry per configured relay, so it is small. */
export type UpstreamPositions = ReadonlyMap<string, number>;

/** Events with both wire-ready copies. Nobody writes to `json` or `zstd`: they are shared with every socket. */
export interface Block {
  readonly index: BlockIndex;
  /** The events as WebSocket text messages, one after the other. */
  readonly json: Uint8Array;
  /** The same events as WebSocket binary frames that hold one zstd frame each. */
  readonly zstd: Uint8Array;
  /** Of the dictionary that `zstd` was made with. */
  readonly dictionaryId: number;
  /** What is in the log once this block is. */
  readonly positions: UpstreamPositions;
}

/** Bytes of both copies. */
export function blockBytesOf({ json, zstd }: Block): number {
  return json.length + zstd.length;
}

/** One encoding of a block: what a replay reads. */
export interface BlockSlice {
  readonly index: BlockIndex;
  readonly messages: Uint8Array;
}
