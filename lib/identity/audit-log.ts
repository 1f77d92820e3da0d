// The history of a did:plc account, as the directory's audit log tells it: which key it signed with at which time. Pure.

import { isSameKey, VerifyingKey } from '../verify/verifying-key.ts';

/** How far the clock of an account may be ahead: so long after a change of its key the older one is good, too. */
export const leewayMs = 5 * 60_000;
/** Operations of an account that are looked at, the newest: whoever has more has made them to be a burden. */
const operationsMax = 1_000;
/** Keys that a commit is checked with, at 0.2 ms each. The directory takes 30 operations a day of an account. */
const keysMax = 16;

/** From when on an account had which key; undefined from its tombstone, or an operation without one, on. */
export interface KeyChange {
  readonly fromMs: number;
  readonly key: VerifyingKey | undefined;
}

interface LogEntry {
  readonly nullified?: unknown;
  readonly createdAt?: unknown;
  readonly operation?: {
    readonly verificationMethods?: { readonly atproto?: unknown };
    readonly signingKey?: unknown;
  };
}

/** Reads a parsed log: the changes in order. Undefined when it is none. */
export function keyChangesOf(log: unknown): readonly KeyChange[] | undefined {
  if (!Array.isArray(log) || log.length === 0) return undefined;
  const changes: KeyChange[] = [];
  for (const entry of log.slice(-operationsMax) as readonly (LogEntry | null)[]) {
    const fromMs = typeof entry?.createdAt === 'string' ? Date.parse(entry.createdAt) : Number.NaN;
    if (Number.isNaN(fromMs)) return undefined;
    // What was done again within 72 hours, by a key with more authority, never was.
    if (entry?.nullified === true) continue;
    // The first kind of operation had the key in a field of its own.
    const text = entry?.operation?.verificationMethods?.atproto ?? entry?.operation?.signingKey;
    changes.push({ fromMs, key: typeof text === 'string' ? VerifyingKey.parse(text) : undefined });
  }
  // Most operations change something else.
  return changes
    .toSorted((a, b) => a.fromMs - b.fromMs)
    .filter(({ key }, at, all) => at === 0 || !isSameKey(key, all[at - 1].key));
}

/**
 * The keys that a commit may have been signed with that says it is of that time, the likeliest first: the one of then, and those that
 * came later, because an account whose clock is behind signs with them what seems to be of before. Whoever has a later key may say so.
 */
export function keysAt(changes: readonly KeyChange[], timeMs: number): VerifyingKey[] {
  const found: { readonly key: VerifyingKey; readonly offMs: number }[] = [];
  for (const [index, { fromMs, key }] of changes.entries()) {
    const untilMs = changes[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    if (key === undefined || untilMs + leewayMs <= timeMs) continue;
    // At the very moment of a change it is of both sides.
    found.push({ key, offMs: Math.max(0, fromMs - timeMs, timeMs - untilMs) });
  }
  const keys = found.toSorted((one, other) => one.offMs - other.offMs).map(({ key }) => key);
  const newest = found.at(-1)?.key;
  return newest === undefined || keys.indexOf(newest) < keysMax
    ? keys.slice(0, keysMax)
    : [...keys.slice(0, keysMax - 1), newest];
}
