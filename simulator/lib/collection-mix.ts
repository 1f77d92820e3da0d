// Which collections the synthetic network writes to, and how often: weights that resemble the real network, with a
// long tail of made-up NSIDs, or the user's own (`--mix`). Owns no record shapes.

import { UsageError } from '../../lib/errors.ts';
import type { SeededRandom } from '../../lib/seeded-random.ts';

const tailCollections = 160;
const tailWeight = 1.8;
export const nsidPattern =
  /^[a-zA-Z][a-zA-Z0-9-]{0,62}(\.[a-zA-Z0-9-]{1,63}){1,20}\.[a-zA-Z][a-zA-Z0-9]{0,62}$/;

/** Weights of the default mix without its tail; they sum to about 98. */
const coreWeights: Readonly<Record<string, number>> = {
  'app.bsky.feed.like': 54,
  'app.bsky.feed.post': 15,
  'app.bsky.graph.follow': 12,
  'app.bsky.feed.repost': 10,
  'app.bsky.graph.block': 1.6,
  'app.bsky.graph.listitem': 1.2,
  'app.bsky.actor.profile': 0.9,
  'app.bsky.feed.threadgate': 0.7,
  'app.bsky.feed.postgate': 0.4,
  'app.bsky.graph.list': 0.12,
  'app.bsky.graph.listblock': 0.08,
  'app.bsky.graph.starterpack': 0.05,
  'app.bsky.graph.verification': 0.03,
  'app.bsky.feed.generator': 0.03,
  'app.bsky.actor.status': 0.1,
  'app.bsky.labeler.service': 0.01,
  'app.bsky.notification.declaration': 0.05,
  'chat.bsky.actor.declaration': 0.1,
};

/** Weights of the default mix: the collections of the big application, then a tail of third parties' (Zipf). */
export function defaultWeights(): Record<string, number> {
  const weights: Record<string, number> = { ...coreWeights };
  const nouns = ['play', 'status', 'entry', 'review', 'note', 'score', 'bookmark', 'photo'];
  let harmonic = 0;
  for (let rank = 1; rank <= tailCollections; rank++) {
    harmonic += 1 / rank;
  }
  for (let rank = 1; rank <= tailCollections; rank++) {
    const host = ['test.sim', 'test.sim.alpha', 'test.example-apps'][rank % 3];
    weights[`${host}.app${rank}.${nouns[rank % nouns.length]}`] = tailWeight / rank / harmonic;
  }
  return weights;
}

/** Draws collections by weight. */
export class CollectionMix {
  readonly #names: string[] = [];
  readonly #cumulative: number[] = [];

  /**
   * @throws CodedError `SIMULATOR_MIX_INVALID`: no collection, a name that is no NSID, or a weight that is no positive
   * number.
   */
  constructor(weights: Readonly<Record<string, number>>) {
    let total = 0;
    for (const [name, weight] of Object.entries(weights)) {
      if (!nsidPattern.test(name) || !(weight > 0) || !Number.isFinite(weight)) {
        throw new UsageError(
          'SIMULATOR_MIX_INVALID',
          `collection mix: "${name}=${weight}" is not an NSID with a positive weight`,
        );
      }
      total += weight;
      this.#names.push(name);
      this.#cumulative.push(total);
    }
    if (total === 0) {
      throw new UsageError('SIMULATOR_MIX_INVALID', 'collection mix: name at least one collection');
    }
  }

  /** Reads `collection=weight,collection=weight`; a weight left out is 1. @throws as the constructor. */
  static parse(text: string): CollectionMix {
    const weights: Record<string, number> = {};
    for (const part of text.split(',')) {
      const equals = part.indexOf('=');
      const name = (equals < 0 ? part : part.slice(0, equals)).trim();
      weights[name] = equals < 0 ? 1 : Number(part.slice(equals + 1).trim() || Number.NaN);
    }
    return new CollectionMix(weights);
  }

  /** A collection, drawn by weight. */
  pick(random: SeededRandom): string {
    const cumulative = this.#cumulative;
    const at = random.float() * cumulative[cumulative.length - 1];
    let low = 0;
    let high = cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle] > at) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return this.#names[low];
  }
}
