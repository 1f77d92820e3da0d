// What a cluster needs of the engine that keeps its log: a stream of messages with an append that names the sequence it
// follows, reads, a doorbell, and one small value that expires, for the lease. An answer that does not come is an outcome
// like any other. nats-engine.ts does it with NATS JetStream, tests with a stream in memory that is told how to fail.

/**
 * Why an attempt says nothing about what was stored; a closed list, and labels of a metric.
 * - `timeout`: no answer in time
 * - `no_leader`: nobody leads the stream at the moment
 * - `in_process`: the engine has the same message and has not stored it yet
 * - `storage`: the engine has no room, or has switched its storage off
 * - `reconnected`: the connection was made anew while the answer was waited for
 * - `error`: any other answer, or none because the connection is closed
 */
export const unsureReasons = [
  'timeout',
  'no_leader',
  'in_process',
  'storage',
  'reconnected',
  'error',
] as const;
export type UnsureReason = (typeof unsureReasons)[number];

/** The end of one attempt to append. */
export type AppendOutcome =
  /** @property isDuplicate it had been stored before: the answer of an earlier attempt was lost. */
  | { readonly kind: 'stored'; readonly sequence: number; readonly isDuplicate: boolean }
  /** The stream does not end, or is not about to end, where the append said. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unsure'; readonly why: UnsureReason };

/** A message, and who made it. `bytes` belong to whoever gets it. */
export interface StreamMessage {
  /** Unlike that of any other message: by it the engine and the writer know a message again. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** A message with its place. */
export interface StoredMessage extends StreamMessage {
  readonly sequence: number;
}

/** Where a stream begins and ends, by its leader. */
export interface StreamState {
  /** Sequence of the oldest message that is kept; one after `lastSequence` when none is. Can go back. */
  readonly firstSequence: number;
  /** Sequence of the newest message, kept or not; 0 for a stream that never had one. */
  readonly lastSequence: number;
  /** The engine's clock, in milliseconds since 1970. */
  readonly timeMs: number;
}

/**
 * How a batch ended.
 * - `end`: there is nothing more at the replica that answered, which may be behind
 * - `more`: as many bytes as were asked for
 * - `silent`: no answer, or one that broke off
 */
export type BatchEnd = 'end' | 'more' | 'silent';

/** What became of writing the value. */
export type LeaseWrite =
  | { readonly kind: 'written'; readonly revision: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unsure' };

/** One value that expires unless it is written again, in {@link leaseTtlMs}. */
export interface LeaseStore {
  /** Writes it if its revision is still that one; 0: if there is none. */
  write(value: string, revision: number): Promise<LeaseWrite>;
  /** By the leader; `null` when there is none, undefined when nobody answers. */
  read(): Promise<{ readonly value: string; readonly revision: number } | null | undefined>;
  /** Hears what somebody tries to write, also when it is refused. Returns how to stop. */
  watch(heard: (value: string) => void): () => void;
}

/** How long the value of a {@link LeaseStore} lasts. */
export const leaseTtlMs = 10_000;

/** Connection to an engine. No call rejects. */
export interface Engine {
  /** Largest message, in bytes, its id included. */
  readonly messageBytesMax: number;
  readonly lease: LeaseStore;
  /** Whether the connection is there. */
  readonly isConnected: boolean;
  /** Connections after the first. */
  readonly reconnects: number;
  /** One attempt to store a message right behind `lastSequence`. */
  append(message: StreamMessage, lastSequence: number, timeoutMs: number): Promise<AppendOutcome>;
  /** By the leader; undefined when nobody answers. */
  state(): Promise<StreamState | undefined>;
  /** By the leader; `null` when the stream has none of that sequence, undefined when nobody answers. */
  message(sequence: number): Promise<StoredMessage | null | undefined>;
  /** Messages from `sequence` on, or from the first one after it that is kept, in order, at most about `bytesMax`. */
  batch(sequence: number, bytesMax: number, take: (message: StoredMessage) => void): Promise<BatchEnd>;
  /** Hears of each message once it is stored; some are missed, and some come twice. Returns how to stop. */
  follow(heard: (message: StoredMessage) => void): () => void;
  /** Says something to all nodes that listen at the moment; whether it arrives is not known. */
  tell(text: string): void;
  /** Hears what nodes say, this one too. Returns how to stop. */
  hear(heard: (text: string) => void): () => void;
  /** The server does not answer: goes to another one. */
  hop(): void;
  close(): Promise<void>;
}
