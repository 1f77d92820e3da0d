// Keys as a resolver would have them, for tests of who asks it.

import type { KeysOfTime } from '../../lib/identity/key-resolver.ts';
import type { BatchKeys } from '../../lib/verifier/batch-check.ts';
import type { KeyLack } from '../../lib/verify/commit-check.ts';
import type { VerifyingKey } from '../../lib/verify/verifying-key.ts';

type Key = VerifyingKey | KeyLack;

/** What it knows, and what whoever it asks would say. */
export class TestKeys implements BatchKeys {
  readonly known = new Map<string, Key>();
  readonly elsewhere = new Map<string, Key>();
  earlier: readonly VerifyingKey[] = [];
  asked: string[] = [];
  /** Nobody answers before it resolves. */
  outage: Promise<void> | undefined;

  peek(did: string): Key | undefined {
    return this.known.get(did);
  }

  async keyAtHand(did: string): Promise<Key> {
    this.asked.push(did);
    await this.outage;
    const key = this.elsewhere.get(did) ?? 'key_unknown';
    this.known.set(did, key);
    return key;
  }

  async doubt(did: string): Promise<void> {
    this.known.delete(did);
  }

  recheck(did: string): Promise<Key> {
    return this.keyAtHand(did);
  }

  async keysAt(did: string): Promise<KeysOfTime> {
    if (this.earlier.length > 0) return { keys: this.earlier, lack: undefined };
    const newest = await this.recheck(did);
    return typeof newest === 'string' ? { keys: [], lack: newest } : { keys: [newest], lack: undefined };
  }
}
