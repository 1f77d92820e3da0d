// Which accounts the events of a benchmark's frames point at, by the baseline's decoder: what `wantedSubjects` is counted
// with. What a deletion's record pointed at is not among it.

import { readFrames } from '../simulator/lib/frames-file.ts';
import { eventsOf } from './baseline-codec.ts';
import type { RelayFrames } from './relay-frames.ts';

/** An event. */
export interface SubjectEvent {
  /** Position of its frame in a round. */
  readonly frame: number;
  /** Of a commit. */
  readonly operation: string | undefined;
  /** Accounts of all DIDs and at-uris in its record. */
  readonly accounts: ReadonlySet<string>;
}

/** Every event of a round, in order. */
export async function* subjectEventsOf(frames: RelayFrames): AsyncGenerator<SubjectEvent> {
  for (const [frame, bytes] of (await readFrames(frames.path)).entries()) {
    for (const { content } of await eventsOf(bytes)) {
      const { operation, record } = content as { readonly operation?: string; readonly record?: unknown };
      yield { frame, operation, accounts: new Set(accountsIn(record)) };
    }
  }
}

function* accountsIn(value: unknown): Generator<string> {
  if (typeof value === 'string') {
    const [, did] = /^(?:at:\/\/)?(did:[\w.:%-]+)/.exec(value) ?? [];
    if (did !== undefined) yield did;
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) yield* accountsIn(inner);
  }
}
