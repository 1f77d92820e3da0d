// One synthetic account: its identifiers, its key and its repository with the paths that later commits may update or
// delete. It decides nothing about when or what to write; the network does.

import { SeededRandom } from '../../lib/seeded-random.ts';
import { RepoBuilder, type RepoWrite, recordPath } from './repo-builder.ts';
import { deriveSigningKey, type SigningKey } from './signing-key.ts';

/** One account in this many lives under did:web, and one in this many signs with P-256. */
const webShare = 24;
const p256Share = 8;
const base32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** Which record of a repository. */
export interface RecordKey {
  readonly collection: string;
  readonly rkey: string;
}

/** Identifiers of the account in a slot of the network; `generation` counts the accounts deleted there before it. */
export function identify(seed: string, slot: number, generation: number): { did: string; handle: string } {
  const random = new SeededRandom(seed, `identity/${slot}/${generation}`);
  const name = `a${slot}${generation > 0 ? `g${generation}` : ''}`;
  const handle = `${name}-${random.text('abcdefghijklmnopqrstuvwxyz', 5)}.sim.test`;
  const did = random.int(webShare) === 0 ? `did:web:${handle}` : `did:plc:sim${random.text(base32, 21)}`;
  return { did, handle };
}

/** The key that the account of a slot begins with. */
export function firstSigningKey(seed: string, slot: number, generation: number): Promise<SigningKey> {
  const { did } = identify(seed, slot, generation);
  const random = new SeededRandom(seed, `account/${slot}/${generation}`);
  return deriveSigningKey(seed, did, curveOf(random));
}

function curveOf(random: SeededRandom): 'p256' | 'secp256k1' {
  return random.int(p256Share) === 0 ? 'p256' : 'secp256k1';
}

/** An account and the state that its next commit builds on. */
export class SyntheticAccount {
  readonly did: string;
  handle: string;
  key: SigningKey;
  readonly repo: RepoBuilder;
  /** Clock id of its revisions. */
  readonly clockId: number;
  /** False while it is deactivated, suspended or taken down: it does not write then. */
  active = true;
  readonly #records: RecordKey[] = [];
  #lastPostKey: string | undefined;

  private constructor(
    identity: { did: string; handle: string },
    key: SigningKey,
    repo: RepoBuilder,
    clockId: number,
  ) {
    this.did = identity.did;
    this.handle = identity.handle;
    this.key = key;
    this.repo = repo;
    this.clockId = clockId;
  }

  /** The account of a slot, with an empty repository. */
  static async create(seed: string, slot: number, generation: number): Promise<SyntheticAccount> {
    const identity = identify(seed, slot, generation);
    const random = new SeededRandom(seed, `account/${slot}/${generation}`);
    const key = await deriveSigningKey(seed, identity.did, curveOf(random));
    const repo = await RepoBuilder.create(identity.did, key);
    return new SyntheticAccount(identity, key, repo, random.int(1024));
  }

  /** Signs what it writes from now on with that key. */
  useKey(key: SigningKey): void {
    this.key = key;
    this.repo.useKey(key);
  }

  /** Records in the repository. */
  get recordCount(): number {
    return this.#records.length;
  }

  /** Record key of its latest post. */
  get lastPostKey(): string | undefined {
    return this.#lastPostKey;
  }

  /** One of its records; undefined while it has none. */
  someRecord(random: SeededRandom): RecordKey | undefined {
    return this.#records.length === 0 ? undefined : random.pick(this.#records);
  }

  /** Notes what a write that the repository took did to the list of records. */
  note(write: RepoWrite): void {
    const { collection, rkey } = write;
    if (write.action === 'create') {
      this.#records.push({ collection, rkey });
    } else if (write.action === 'delete') {
      const path = recordPath(collection, rkey);
      const at = this.#records.findIndex((key) => recordPath(key.collection, key.rkey) === path);
      this.#records[at] = this.#records[this.#records.length - 1];
      this.#records.pop();
    }
    if (collection === 'app.bsky.feed.post') {
      this.#lastPostKey = write.action === 'delete' ? undefined : rkey;
    }
  }
}
