// What a heap snapshot of Node.js holds, counted by kind: for the question whether a daemon keeps anything of clients that have left.

import { readFileSync } from 'node:fs';

/** Of one kind. */
export interface HeapCount {
  count: number;
  bytes: number;
}

/** The parts of a snapshot that are read: see `v8-profiler.h`, whose fields are named in the file itself. */
interface Snapshot {
  readonly snapshot: { readonly meta: { node_fields: string[]; node_types: [string[], ...unknown[]] } };
  readonly nodes: number[];
  readonly strings: string[];
}

/** Kinds whose names are contents, or code that grows hot: each is one kind. */
const namelessTypes: readonly string[] = [
  'string',
  'concatenated string',
  'sliced string',
  'code',
  'number',
  'bigint',
];

/** Objects by `type name`. */
export function readHeap(path: string): Map<string, HeapCount> {
  const { snapshot, nodes, strings } = JSON.parse(readFileSync(path, 'utf8')) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [typeAt, nameAt, sizeAt] = ['type', 'name', 'self_size'].map((name) => fields.indexOf(name));
  const counts = new Map<string, HeapCount>();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const type = types[0][nodes[at + typeAt]];
    const kind = namelessTypes.includes(type) ? type : `${type} ${strings[nodes[at + nameAt]].slice(0, 60)}`;
    const counted = counts.get(kind) ?? { count: 0, bytes: 0 };
    counted.count++;
    counted.bytes += nodes[at + sizeAt];
    counts.set(kind, counted);
  }
  return counts;
}

/** All of them, in bytes. */
export function heapBytes(counts: ReadonlyMap<string, HeapCount>): number {
  return [...counts.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Kinds that have grown by at least `countMin`, those with the most bytes first. */
export function grownKinds(
  before: ReadonlyMap<string, HeapCount>,
  after: ReadonlyMap<string, HeapCount>,
  countMin: number,
): (HeapCount & { readonly kind: string })[] {
  return [...after]
    .map(([kind, { count, bytes }]) => {
      const was = before.get(kind) ?? { count: 0, bytes: 0 };
      return { kind, count: count - was.count, bytes: bytes - was.bytes };
    })
    .filter(({ count }) => count >= countMin)
    .sort((one, other) => other.bytes - one.bytes);
}
