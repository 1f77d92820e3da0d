// A quick no to the question whether a block in memory has events of any of a few accounts: a Bloom filter for each block, made when
// it is first asked for. Thousands of readers of one account each come back once a minute, to all blocks of that minute: to look
// through their columns takes 2.5 µs a block, to ask 0.1. Blocks of the store have theirs in segment indexes.

import type { BlockIndex } from '../log/block.ts';
import { addToBloom, mayBeInBloom } from '../log/bloom.ts';

/** As in a segment index: one false hit in a thousand for the 256 accounts of a full block. */
const filterBytes = 512;
/** Events of a block below which looking through it is as quick. */
const eventsMin = 32;
/** Accounts above which asking for each is no quicker than looking through. */
const didsMax = 32;

const filters = new WeakMap<BlockIndex, Uint8Array>();

/** False when the block has no event of these accounts. @param didHashes as of `hashDids`; none are all. */
export function mayHaveDids(index: BlockIndex, didHashes: Uint32Array): boolean {
  const { length } = didHashes;
  if (length === 0 || length > 2 * didsMax || index.count < eventsMin) return true;
  let filter = filters.get(index);
  if (filter === undefined) {
    filter = filterOf(index);
    filters.set(index, filter);
  }
  for (let at = 0; at < length; at += 2) {
    if (mayBeInBloom(filter, 0, filterBytes, didHashes[at], didHashes[at + 1])) return true;
  }
  return false;
}

function filterOf({ count, didHash }: BlockIndex): Uint8Array {
  const filter = new Uint8Array(filterBytes);
  for (let at = 0; at < count * 2; at += 2) addToBloom(filter, 0, filterBytes, didHash[at], didHash[at + 1]);
  return filter;
}
