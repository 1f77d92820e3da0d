// How long to wait before a retry: exponential with full jitter, so that the many clients of a relay that restarts
// do not come back as one. Pure; which relay is tried, and what counts as a failure, is the reconnect plan's.

/** What shapes the back-off. */
export interface BackoffLimits {
  /** Shortest wait before a retry. */
  readonly retryMinMs: number;
  /** Longest wait before the first retry; doubles with every failure. */
  readonly retryFirstMs: number;
  /** Longest wait before any retry. */
  readonly retryMaxMs: number;
}

/**
 * Milliseconds to wait, a whole number between `retryMinMs` and a ceiling that starts at `retryFirstMs` and doubles
 * with every failure up to `retryMaxMs`.
 * @param failures failed attempts in a row before this wait, 0 for the wait after a connection that delivered.
 * @param random uniform in [0, 1).
 */
export function retryDelayMs(failures: number, random: () => number, limits: BackoffLimits): number {
  const ceilingMs = Math.min(limits.retryMaxMs, limits.retryFirstMs * 2 ** failures);
  const spanMs = Math.max(0, ceilingMs - limits.retryMinMs);
  return Math.round(limits.retryMinMs + random() * spanMs);
}
