import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { CollectionMix, defaultWeights } from '../lib/collection-mix.ts';

function shares(mix: CollectionMix, draws: number): Map<string, number> {
  const random = new SeededRandom('mix', 'test');
  const counts = new Map<string, number>();
  for (let i = 0; i < draws; i++) {
    const name = mix.pick(random);
    counts.set(name, (counts.get(name) ?? 0) + 1 / draws);
  }
  return counts;
}

describe('CollectionMix', () => {
  it('resembles the network by default, with a tail of rare collections', () => {
    const drawn = shares(new CollectionMix(defaultWeights()), 50_000);
    expect(drawn.get('app.bsky.feed.like')).toBeCloseTo(0.55, 1);
    expect(drawn.get('app.bsky.feed.post')).toBeCloseTo(0.15, 1);
    expect(drawn.size).toBeGreaterThan(120);
  });

  it('draws by the weights of a list, 1 where none is given', () => {
    const drawn = shares(CollectionMix.parse('a.b.c=3, d.e.f'), 20_000);
    expect([...drawn.keys()].sort()).toEqual(['a.b.c', 'd.e.f']);
    expect(drawn.get('a.b.c')).toBeCloseTo(0.75, 1);
  });

  it.each(['', 'a.b.c=', 'a.b.c=0', 'a.b.c=-1', 'a.b.c=x', 'nodots=1', 'a.b.c=Infinity'])(
    'refuses "%s"',
    (text) => {
      expect(() => CollectionMix.parse(text)).toThrow(
        expect.objectContaining({ code: 'SIMULATOR_MIX_INVALID' }),
      );
    },
  );

  it('refuses a mix of nothing', () => {
    expect(() => new CollectionMix({})).toThrow(expect.objectContaining({ code: 'SIMULATOR_MIX_INVALID' }));
  });
});
