// Decides what an account writes in one commit: how many operations, on which collections, creating, updating or
// deleting which records, and whom they point at. Keeps the ring of recent posts that likes and replies refer to.
// Applying the writes is the repository's business.

import { tidOf } from '../../lib/event/tid.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import type { RecordKey, SyntheticAccount } from './account.ts';
import type { CollectionMix } from './collection-mix.ts';
import { recordLink } from './frame-encoder.ts';
import type { RecordContext, StrongRef } from './record-context.ts';
import { makeRecord } from './record-maker.ts';
import { type RepoWrite, recordPath } from './repo-builder.ts';

/** Posts that can be pointed at. */
const recentPostsMax = 512;
const deleteShare = 0.07;
const updateShare = 0.01;
const fewOpsShare = 0.045;
const manyOpsShare = 0.005;

/** Where a network's chance and its accounts come from. */
export interface PlannerOptions {
  readonly seed: string;
  readonly mix: CollectionMix;
  /** Records from which on an account only deletes, so that its repository stops growing. */
  readonly recordsMax: number;
  /** DID of a random account of the network. */
  someDid(random: SeededRandom): string;
}

/** Plans the writes of accounts. */
export class WritePlanner {
  readonly #options: PlannerOptions;
  readonly #random: SeededRandom;
  readonly #posts: StrongRef[] = [];
  #nextPost = 0;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed, 'writes');
  }

  /** Writes of one commit, at least one, each to a path of its own. */
  plan(account: SyntheticAccount, timeUs: number): RepoWrite[] {
    const draw = this.#random.float();
    const count =
      draw < manyOpsShare
        ? this.#random.between(4, 12)
        : draw < manyOpsShare + fewOpsShare
          ? this.#random.between(2, 3)
          : 1;
    const writes = new Map<string, RepoWrite>();
    // A mix of keys that are always the same has no second path to offer, hence the bound.
    for (let tries = 0; writes.size < count && tries < 4 * count; tries++) {
      const write = this.#planWrite(account, timeUs, writes.size);
      const path = recordPath(write.collection, write.rkey);
      if (!writes.has(path)) {
        writes.set(path, write);
      }
    }
    return [...writes.values()];
  }

  /** Creates of a repository's past: a profile and records from the mix. */
  planHistory(account: SyntheticAccount, records: number, timeUs: number): RepoWrite[] {
    const writes = new Map<string, RepoWrite>();
    for (let i = 0; i < records; i++) {
      const collection = i === 0 ? 'app.bsky.actor.profile' : this.#options.mix.pick(this.#random);
      const atUs = timeUs - (records - i) * 3_600_000_000;
      const write = this.#make(account, collection, undefined, atUs, 0);
      writes.set(recordPath(collection, write.rkey), write);
    }
    return [...writes.values()];
  }

  /** Makes a post that was written known to those who come later. */
  rememberPost(ref: StrongRef): void {
    this.#posts[this.#nextPost] = ref;
    this.#nextPost = (this.#nextPost + 1) % recentPostsMax;
  }

  #planWrite(account: SyntheticAccount, timeUs: number, index: number): RepoWrite {
    const random = this.#random;
    const draw = random.float();
    const full = account.recordCount >= this.#options.recordsMax;
    const existing = draw < deleteShare + updateShare || full ? account.someRecord(random) : undefined;
    if (existing !== undefined && (draw < deleteShare || full)) {
      return { action: 'delete', ...existing };
    }
    const collection = existing?.collection ?? this.#options.mix.pick(random);
    return this.#make(account, collection, existing, timeUs, index);
  }

  #make(
    account: SyntheticAccount,
    collection: string,
    existing: RecordKey | undefined,
    timeUs: number,
    index: number,
  ): RepoWrite {
    const made = makeRecord(collection, this.#contextOf(account, timeUs));
    const rkey = existing?.rkey ?? made.rkey ?? tidOf(timeUs - 200 + index, this.#random.int(1024));
    const action = account.repo.has(recordPath(collection, rkey)) ? 'update' : 'create';
    return { action, collection, rkey, record: made.record };
  }

  #contextOf(account: SyntheticAccount, timeUs: number): RecordContext {
    const random = this.#random;
    return {
      random,
      did: account.did,
      createdAt: new Date(timeUs / 1000 - random.between(20, 900)).toISOString(),
      someDid: () => this.#options.someDid(random),
      somePost: () => this.#somePost(),
      ownPostKey: () => account.lastPostKey,
    };
  }

  #somePost(): StrongRef {
    const random = this.#random;
    if (this.#posts.length > 0 && random.chance(0.9)) {
      return random.pick(this.#posts);
    }
    const rkey = tidOf(1_700_000_000_000_000 + random.uint32(), random.int(1024));
    return {
      uri: `at://${this.#options.someDid(random)}/app.bsky.feed.post/${rkey}`,
      cid: recordLink(random.bytes(32)).toString(),
    };
  }
}
