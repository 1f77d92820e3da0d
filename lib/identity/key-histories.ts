// The keys that accounts have had, as the directory's audit log tells it: read once however many want to know, and the newest kept. How new
// an answer has to be is who asks to say.

import { CodedError } from '../errors.ts';
import type { KeyLack } from '../verify/commit-check.ts';
import { type KeyChange, keyChangesOf } from './audit-log.ts';
import type { Directory } from './directory.ts';

/** Histories that are kept, of usually one key. */
const historiesMax = 256;

/** The keys of an account over time. */
export interface KeyHistory {
  readonly changes: readonly KeyChange[];
  /** When it was asked for, in milliseconds since 1970. */
  readonly askedMs: number;
  /** Whatever had changed by then is in it: when it was asked for, or when a cache on the way had asked. */
  readonly readMs: number;
}

/** See the file comment. */
export class KeyHistories {
  readonly #directory: Directory;
  readonly #nowMs: () => number;
  /** The one that was read longest ago comes first. */
  readonly #known = new Map<string, KeyHistory>();
  readonly #asking = new Map<string, Promise<KeyHistory | KeyLack>>();

  constructor(directory: Directory, nowMs: () => number) {
    this.#directory = directory;
    this.#nowMs = nowMs;
  }

  /** As it was read last, if it is kept. */
  peek(did: string): KeyHistory | undefined {
    return this.#known.get(did);
  }

  /** Asks, once however many want to know. Never rejects for what is not ours. */
  read(did: string): Promise<KeyHistory | KeyLack> {
    let asking = this.#asking.get(did);
    if (asking === undefined) {
      asking = this.#ask(did).finally(() => this.#asking.delete(did));
      this.#asking.set(did, asking);
    }
    return asking;
  }

  async #ask(did: string): Promise<KeyHistory | KeyLack> {
    // What changes while it is asked for may not be in the answer.
    const askedMs = this.#nowMs();
    try {
      const { status, body, ageMs } = await this.#directory.askForLog(did);
      const changes = status === 200 ? keyChangesOf(parsed(body)) : undefined;
      if (changes === undefined) return 'lookup_failed';
      const history = { changes, askedMs, readMs: askedMs - ageMs };
      this.#known.delete(did);
      this.#known.set(did, history);
      if (this.#known.size > historiesMax) this.#known.delete(this.#known.keys().next().value as string);
      return history;
    } catch (error) {
      return lackOf(error);
    }
  }
}

/** Why there is no key after a request that failed. */
export function lackOf(error: unknown): KeyLack {
  return error instanceof CodedError && error.code === 'IDENTITY_LIMITED' ? 'limited' : 'lookup_failed';
}

/** JSON; undefined when it is none. */
export function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
