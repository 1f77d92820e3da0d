// What the thread that ingests and the thread that checks commits say to each other. verifier.ts is the one side, verifier-thread.ts
// the other.

import type { CodedError } from '../errors.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import type { PlcStreamState } from '../identity/plc-stream.ts';
import type { SignatureEngine } from '../verify/signature.ts';

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
  /** Whether frames are held back until they are answered, by held-check.ts; else batch-check.ts has a time for each batch. */
  readonly isHolding: boolean;
  /** Of frame-ring.ts, unless frames are held. */
  readonly frames?: SharedArrayBuffer;
}

/** The frames of a block: commits, syncs, identity events. */
export interface FrameBatch {
  /** Counts up from 1. */
  readonly number: number;
  /** One frame after the other. */
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /** When an answer is of no use any more, by {@link monotonicMs}. */
  readonly answerByMs: number;
  /** Events of batches up to this one are in the log. */
  readonly storedBatch: number;
  /** Frames were not sent since the batch before, or there is none. */
  readonly hasSkipped: boolean;
}

/** Frames that are held back until they are answered: events of whatever kind. */
export interface HeldBatch {
  readonly number: number;
  /** Of its first frame; those after it have the next numbers. */
  readonly firstId: number;
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
  /** What was said by answers up to this number is in the log. */
  readonly storedAnswers: number;
}

/** What frames were found to be: they need not be held any more, in this order. */
export interface Answers {
  /** Counts up from 1. */
  readonly number: number;
  readonly ids: Float64Array;
  /** Numbers of reasons. */
  readonly reasons: Uint8Array;
  /** Whether what is refuted is dropped. */
  readonly isArmed: boolean;
  /** Frames that wait for keys, or for a second look. */
  readonly waitingFrames: number;
}

/** An incident, and the frame whose answer comes with it; 0 when that was answered before. */
export interface HeldIncident {
  readonly incident: Incident;
  readonly id: number;
  readonly isArmed: boolean;
}

export type ToVerifier =
  | { readonly kind: 'held'; readonly batch: HeldBatch }
  /** Whoever writes the log begins: frames that were sent before are held no more. */
  | { readonly kind: 'begin'; readonly storedAnswers: number }
  /** Writes what is stored, and ends. @param storedBatch a batch's number, or that of answers. */
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
  | { readonly kind: 'ready'; readonly engine: SignatureEngine }
  /** It cannot start, and ends. */
  | ({ readonly kind: 'refusal' } & Pick<CodedError, 'code' | 'message' | 'retryable' | 'exitCode'>)
  /** Nothing of the batch is in the way of the next. */
  | { readonly kind: 'done'; readonly number: number }
  | { readonly kind: 'incident'; readonly incident: Incident }
  | { readonly kind: 'answers'; readonly answers: Answers }
  | ({ readonly kind: 'held_incident' } & HeldIncident)
  /** How the stream of operations goes; when it changes, and every few seconds. */
  | { readonly kind: 'stream'; readonly report: StreamReport };

/** Milliseconds on a clock that does not step, the same in all threads. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
