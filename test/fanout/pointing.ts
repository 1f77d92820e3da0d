// Blocks whose events point at what a test says, whatever their records hold.

import type { DidHasher } from '../../lib/event/did-hash.ts';
import { ReferenceHasher } from '../../lib/event/reference.ts';
import type { BlockIndex } from '../../lib/log/block-index.ts';

/** The same columns, with `references[event]` as what each event points at. */
export function pointing(
  index: BlockIndex,
  references: readonly (readonly string[])[],
  hasher: DidHasher,
): BlockIndex {
  const reader = new ReferenceHasher(hasher);
  const ints: number[] = [];
  const ends = new Uint32Array(index.count);
  for (let event = 0; event < index.count; event++) {
    for (const text of references[event]) {
      const bytes = Buffer.from(text);
      if (!reader.read(bytes, 0, bytes.length)) throw new Error(`"${text}" is no reference`);
      ints.push(reader.didLow, reader.didHigh, reader.path);
    }
    ends[event] = ints.length / 3;
  }
  const { firstTimeUs: madeFromUs, lastTimeUs: madeThroughUs } = index;
  const path = new Uint32Array(index.count);
  return {
    ...index,
    subjects: { madeFromUs, madeThroughUs, path, ends, references: Uint32Array.from(ints) },
  };
}
