// The history of a did:plc account, as the directory's audit log tells it: which key it signed with at which time. Pure.

import { VerifyingKey } from '../verify/verifying-key.ts';

/** How far the clocks of directory and account may be apart: within it of a change both keys are good. */
const leewayMs = 5 * 60_000;
/** Operations of an account that are looked at, the newest: whoever has more has made them to be a burden. */
const operationsMax = 1_000;

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
  return changes.toSorted((a, b) => a.fromMs - b.fromMs);
}

/**
 * The keys that a commit of that time may have been signed with, the likeliest first. The newest is among them, whatever the time: who
 * has it may sign anything, and an account whose clock is behind signs with it what seems to be of before.
 */
export function keysAt(changes: readonly KeyChange[], timeMs: number): VerifyingKey[] {
  const found: VerifyingKey[] = [];
  const newest = changes.at(-1)?.key;
  for (const [index, { fromMs, key }] of changes.entries()) {
    const untilMs = changes[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    if (key === undefined || fromMs - leewayMs > timeMs || untilMs + leewayMs <= timeMs) continue;
    if (fromMs <= timeMs && timeMs < untilMs) found.unshift(key);
    else found.push(key);
  }
  if (newest !== undefined && !found.includes(newest)) found.push(newest);
  return found;
}
