// Columns of blocks for tests that count: who, what and where, without payloads.

import { type EventKind, eventKinds, type Operation, operations } from '../../lib/event/event.ts';
import { type BlockIndex, noCollection } from '../../lib/log/block.ts';

/** One event: a collection of a commit, or another kind. */
export interface Column {
  readonly kind?: EventKind;
  readonly operation?: Operation;
  readonly collection?: string;
}

/** Commits that create, one in each of the collections. */
export function creates(...collections: readonly string[]): Column[] {
  return collections.map((collection) => ({ collection }));
}

/** The index of a block with those events. */
export function indexOf(columns: readonly Column[]): BlockIndex {
  const collections = [...new Set(columns.flatMap(({ collection }) => collection ?? []))];
  const numbers = new Map(collections.map((collection, at) => [collection, at]));
  return {
    count: columns.length,
    firstTimeUs: 1,
    lastTimeUs: columns.length,
    timeUs: Float64Array.from(columns, (_, at) => at + 1),
    jsonEnd: new Uint32Array(columns.length),
    zstdEnd: new Uint32Array(columns.length),
    didHash: new Uint32Array(columns.length * 2),
    collection: Uint16Array.from(columns, ({ collection }) =>
      collection === undefined ? noCollection : (numbers.get(collection) as number),
    ),
    kindAndOperation: Uint8Array.from(columns, ({ kind, operation, collection }) => {
      const isCommit = collection !== undefined;
      const given = operation ?? (isCommit ? operations.create : operations.none);
      return (kind ?? (isCommit ? eventKinds.commit : eventKinds.identity)) | (given << 4);
    }),
    collections,
  };
}
