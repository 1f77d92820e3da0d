// Blocks whose events point at what a test says, whatever their records hold.

import type { DidHasher } from '../../lib/event/did-hash.ts';
import { SubjectHasher } from '../../lib/event/subject.ts';
import type { BlockIndex } from '../../lib/log/block.ts';

/** The same columns, with `subjects[event]` as what each event points at. */
export function pointing(
  index: BlockIndex,
  subjectHashes: readonly (readonly string[])[],
  hasher: DidHasher,
): BlockIndex {
  const reader = new SubjectHasher(hasher);
  const ints: number[] = [];
  const ends = new Uint32Array(index.count);
  for (let event = 0; event < index.count; event++) {
    for (const text of subjectHashes[event]) {
      const bytes = Buffer.from(text);
      if (!reader.read(bytes, 0, bytes.length)) throw new Error(`"${text}" is no subject`);
      ints.push(reader.didLow, reader.didHigh, reader.path);
    }
    ends[event] = ints.length / 3;
  }
  const { firstTimeUs: createdFromUs, lastTimeUs: createdThroughUs } = index;
  const path = new Uint32Array(index.count);
  return {
    ...index,
    subjects: { createdFromUs, createdThroughUs, path, ends, subjectHashes: Uint32Array.from(ints) },
  };
}
