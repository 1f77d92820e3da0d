import { expect, test } from 'vitest';
import { noCollection } from '../../lib/log/block.ts';
import { compactBlocks } from '../../lib/log/compaction.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

test('verdicts stay with their events, and who has none was not asked', () => {
  const sample = new SampleLog(seededRandom(41));
  const [first, second, third] = [2, 3, 1].map((count) => sample.block(count));
  expect(compactBlocks([first, second]).index.verdict).toBeUndefined();
  const checked = { ...second, index: { ...second.index, verdict: Uint8Array.of(3, 4, 27) } };
  const { index } = compactBlocks([first, checked, third]);
  expect([...(index.verdict as Uint8Array)]).toEqual([0, 0, 3, 4, 27, 0]);
});

test('compacted blocks are the block that the same events would have made at once', () => {
  const seed = 40;
  const random = seededRandom(seed);
  for (let round = 0; round < 30; round++) {
    const sizes = Array.from({ length: 1 + Math.floor(random() * 9) }, () => Math.floor(random() * 12));
    if (round === 0) sizes.fill(0);
    // Both logs draw the same random events at the same wall-clock time, in one block or in many.
    const draws = Array.from({ length: 2000 }, () => random());
    const drawn = (): (() => number) => {
      let next = 0;
      return () => draws[next++ % draws.length];
    };
    const nowMs = (): number => 1_700_000_000_000;
    const many = new SampleLog(drawn(), { nowMs });
    const blocks = sizes
      .map((size) => many.block(size))
      .filter((block) => block.index.count > 0 || round === 0);
    if (blocks.length === 0) continue;
    const compacted = compactBlocks(blocks);
    if (compacted.index.count === 0) {
      expect(compacted.index.lastTimeUs).toBe(blocks.at(-1)?.index.lastTimeUs);
      continue;
    }
    const named = (block: typeof compacted): string[] =>
      [...block.index.collection].map((id) => (id === noCollection ? '' : block.index.collections[id]));
    expect(
      Buffer.compare(compacted.json, Buffer.concat(blocks.map((block) => block.json))),
      `seed ${seed}`,
    ).toBe(0);
    expect([...compacted.index.timeUs]).toEqual(many.events.map((event) => event.time_us));
    expect(named(compacted)).toEqual(many.events.map((event) => event.commit?.collection ?? ''));
    expect(new Set(compacted.index.collections).size).toBe(compacted.index.collections.length);
    expect(compacted.index.jsonEnd.at(-1)).toBe(compacted.json.length);
    expect(compacted.index.zstdEnd.at(-1)).toBe(compacted.zstd.length);
    expect(compacted.positions).toEqual(blocks.at(-1)?.positions);
    expect([...compacted.index.didHash]).toEqual(blocks.flatMap((block) => [...block.index.didHash]));
  }
});
