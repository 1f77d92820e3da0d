// What the thread that ingests and the thread that checks commits say to each other. verifier.ts is the one side, verifier-thread.ts
// the other.

import type { CodedError } from '../errors.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import type { PlcStreamState } from '../identity/plc-stream.ts';

/** What the thread is started with. */
export interface VerifierStart {
  readonly dataDir: string;
  readonly plcUrl: string;
  /** As of `ResolverOptions`. */
  readonly webUrl: string | undefined;
  /** As of `ResolverOptions`. */
  readonly webHosts?: readonly string[] | undefined;
  /** Whether the directory's stream of operations is followed, and as whom. */
  readonly streamsAs?: string | undefined;
}

/** The frames of a block: commits, syncs, identity events. */
export interface FrameBatch {
  /** Counts up from 1. */
  readonly number: number;
  /** One frame after the other; the memory goes with the message. */
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /** When an answer is of no use any more, by {@link monotonicMs}. */
  readonly answerByMs: number;
  /** Events of batches up to this one are in the log. */
  readonly storedBatch: number;
  /** Frames were not sent since the batch before, or there is none. */
  readonly hasSkipped: boolean;
}

export type ToVerifier =
  | { readonly kind: 'batch'; readonly batch: FrameBatch }
  /** Writes what is stored, and ends. */
  | { readonly kind: 'stop'; readonly storedBatch: number };

/** How the directory's stream of operations goes; counts are since start. */
export interface StreamReport {
  readonly state: PlcStreamState;
  /** When the newest operation happened that was heard, in milliseconds since 1970. */
  readonly newestMs: number | undefined;
  readonly operations: number;
  readonly connections: number;
  readonly badCursors: number;
}

/** What a commit, or an account's chain of them, was found to be, for the coverage ledger; the relay is for the other side to add. */
export type Incident = Omit<CoverageFinding, 'relay'>;

export type FromVerifier =
  /** It is loaded, and does signatures so. */
  | { readonly kind: 'ready'; readonly engine: 'wasm' | 'node' }
  /** It cannot start, and ends. */
  | ({ readonly kind: 'refusal' } & Pick<CodedError, 'code' | 'message' | 'retryable' | 'exitCode'>)
  /** The reason of each frame of a batch, by its number; what is not a commit or a sync was not asked. At once, or when time is up. */
  | { readonly kind: 'verdicts'; readonly number: number; readonly reasons: Uint8Array }
  /** Nothing of the batch is in the way of the next. */
  | { readonly kind: 'done'; readonly number: number }
  | { readonly kind: 'incident'; readonly incident: Incident }
  /** How the stream of operations goes; when it changes, and every few seconds. */
  | { readonly kind: 'stream'; readonly report: StreamReport };

/** Milliseconds on a clock that does not step, the same in all threads. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
