// What the thread that ingests and the threads that serve subscribers say to each other. Blocks are copied on the way:
// memory that threads share is freed by V8 only when it happens to collect, which took three times the memory; the copy
// is a tenth of a microsecond an event. worker-pool.ts is the one side, worker-thread.ts the other.

import type { Compressor } from '../codec/compressor.ts';
import type { Config } from '../config/config.ts';
import type { CodedError } from '../errors.ts';
import type { Sharing } from '../http/listen.ts';
import type { ListenAddress } from '../listen-address.ts';
import type { Block } from '../log/block.ts';
import type { ReplicaStart } from '../log/log-replica.ts';
import type { KeptBlocks } from '../proofs/proof-store.ts';
import type { StatusReport } from '../status/status-report.ts';
import type { DeliveryCounts } from './delivery-counts.ts';
import type { ServerLogEntry } from './subscriber-server.ts';

/** What a worker is started with. */
export interface WorkerStart {
  readonly config: Config;
  /** What the main thread has chosen and tested. */
  readonly compressor: Compressor['name'];
  /** Of this worker's newest blocks. */
  readonly tailBytesMax: number;
  /** Reads of the log at a time. */
  readonly readsMax: number;
  /** Memory of the `AddressTable`. */
  readonly addresses: SharedArrayBuffer;
  readonly plainSocketsMax: number;
  /** Threads that listen. */
  readonly listeners: number;
  /** Memory of the `TrustedTime`. */
  readonly time: SharedArrayBuffer;
  /** Bytes of blocks taken by each worker, for the pool to see which falls behind: one entry each. */
  readonly takenBytes: BigInt64Array;
  /** This worker's entry in it. */
  readonly index: number;
}

/** Told to a worker, without an answer, in the order in which it happens. */
export type Tell =
  /** A block has been stored: send it to subscribers. */
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'compacted'; readonly compacted: Block; readonly count: number }
  | { readonly kind: 'trimming'; readonly throughUs: number }
  | { readonly kind: 'status'; readonly report: StatusReport }
  /** The answer to `blocksAt`. */
  | ({ readonly kind: 'blocks'; readonly asked: number } & KeptBlocks);

/** Asked of a worker, and what it answers with. */
export interface Asks {
  /** The first: opens the log, from which on it is told of changes. */
  follow: { readonly ask: { readonly log: ReplicaStart }; readonly answer: undefined };
  suspend: { readonly ask: object; readonly answer: undefined };
  resume: { readonly ask: { readonly log: ReplicaStart }; readonly answer: undefined };
  listen: {
    readonly ask: { readonly address: ListenAddress; readonly sharing: Sharing };
    readonly answer: ListenAddress;
  };
  counts: { readonly ask: object; readonly answer: DeliveryCounts };
  stop: { readonly ask: { readonly deadlineMs: number }; readonly answer: undefined };
}
export type AskKind = keyof Asks;

/** An ask on its way; `id` comes back with the answer. */
export type Ask = {
  [Kind in AskKind]: { readonly kind: Kind; readonly id: number } & Asks[Kind]['ask'];
}[AskKind];

/** What a CodedError holds: as an error it would come as another one, without a class. */
export type Failure = Pick<CodedError, 'code' | 'message' | 'retryable' | 'exitCode'>;

/** What a worker says. */
export type FromWorker =
  /** Everything is loaded: it waits for `follow`. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | ({ readonly kind: 'failure'; readonly id: number } & Failure)
  /** It cannot start, and ends. */
  | ({ readonly kind: 'refusal' } & Failure)
  /** A table of the block store is damaged. */
  | { readonly kind: 'damaged'; readonly table: number }
  /** It asks for a commit that is kept. */
  | { readonly kind: 'blocksAt'; readonly asked: number; readonly timeUs: number }
  /** For the log file. */
  | { readonly kind: 'log'; readonly entry: ServerLogEntry };
