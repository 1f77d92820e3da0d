// Every interval of the client, in one place. No behaviour lives here; callers and tests change them through `timing`.

/** Intervals, all in milliseconds. */
export interface ClientTiming {
  /** From the start of an attempt until the connection is open; also how long a question over plain HTTP may take. */
  readonly connectTimeoutMs: number;
  /**
   * Without a message, a connection counts as dead after this to twice this. Only for servers that report progress,
   * which they do every 5 s: others may have nothing to say.
   */
  readonly silenceTimeoutMs: number;
  /** Life of a connection from which on the back-off starts over. */
  readonly healthyAfterMs: number;
  /** Shortest wait before a new attempt. */
  readonly retryMinMs: number;
  /** Longest wait before the first new attempt; doubles with every failure. */
  readonly retryFirstMs: number;
  /** Longest wait before any attempt, but for a server that asks for more. */
  readonly retryMaxMs: number;
  /** Longest wait that a server can ask for. */
  readonly retryAfterMaxMs: number;
  /** Between two saves of the cursor, and after one that failed. */
  readonly saveIntervalMs: number;
  /** How long the end of a stream waits for the last save. */
  readonly closeSaveMs: number;
}

export const defaultClientTiming: ClientTiming = {
  connectTimeoutMs: 15_000,
  silenceTimeoutMs: 15_000,
  healthyAfterMs: 10_000,
  retryMinMs: 200,
  retryFirstMs: 1_000,
  retryMaxMs: 30_000,
  retryAfterMaxMs: 300_000,
  saveIntervalMs: 1_000,
  closeSaveMs: 5_000,
};

/** Messages on one connection from which on the back-off starts over, however short its life: a replay cut off. */
export const healthyMessages = 64;
