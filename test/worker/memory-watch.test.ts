// When subscribers have to go for want of memory, with figures and a clock that are the test's.

import { expect, test } from 'vitest';
import { MemoryWatch, subscribersKept } from '../../lib/worker/memory-watch.ts';

/** A heap of 2,000 bytes, of which 900 are to be used, as is half of a container: a live subscriber keeps 1 of them and a replay 2. */
function started({ live = 0, replays = 0, containerBytes = 0, givesBack = true, goodbyeMs = 0 } = {}) {
  const world = {
    nowMs: 0,
    base: 0,
    garbage: 0,
    collections: 0,
    live,
    replays,
    collectMs: 0,
    lines: [] as { fields: object; message: string }[],
  };
  let keptBytes = 0;
  /** Those that went and are still on their way, until when. */
  const leaving: { bytes: number; untilMs: number }[] = [];
  const leavingBytes = (): number =>
    leaving.reduce((sum, { bytes, untilMs }) => sum + (untilMs > world.nowMs ? bytes : 0), 0);
  const used = (): number => {
    const here = world.base + world.live + 2 * world.replays + leavingBytes();
    keptBytes = Math.max(keptBytes, here);
    return world.garbage + (givesBack ? here : keptBytes);
  };
  const sources = {
    heap: () => ({ usedBytes: used(), limitBytes: 2_000 }),
    container: () =>
      containerBytes === 0 ? undefined : { usedBytes: used(), limitBytes: 2 * containerBytes },
    collect: () => {
      world.collections++;
      world.garbage = 0;
      world.nowMs += world.collectMs;
    },
    nowMs: () => world.nowMs,
  };
  const take = (from: 'live' | 'replays', count: number): number => {
    const gone = Math.min(count, world[from]);
    world[from] -= gone;
    leaving.push({ bytes: gone * (from === 'live' ? 1 : 2), untilMs: world.nowMs + goodbyeMs });
    return gone;
  };
  const sheddable = {
    get behind() {
      return world.replays;
    },
    get sessions() {
      return world.live + world.replays;
    },
    shedBehind: (count: number) => take('replays', count),
    shedNewest: (count: number) => take('live', count),
  };
  const watch = new MemoryWatch(sources, sheddable, (fields, message) =>
    world.lines.push({ fields, message }),
  );
  const looks = (count: number): void => {
    for (let at = 0; at < count; at++) {
      world.nowMs += 250;
      watch.look();
    }
  };
  return { world, watch, looks };
}

test('garbage is none of it: a heap that is full of it is collected, and nobody goes', () => {
  const { world, watch, looks } = started({ live: 300 });
  world.garbage = 500;
  looks(1);
  expect([watch.state, world.collections, world.live]).toEqual(['enough', 1, 300]);
  expect([watch.takes(true), watch.takes(false)]).toEqual([true, true]);
});

test('replays go first, and no others are let in; live subscribers stay', () => {
  const { world, watch, looks } = started({ live: 300, replays: 225 });
  looks(1);
  expect(watch.state).toBe('short');
  expect([watch.takes(true), watch.takes(false)]).toEqual([false, true]);
  looks(40);
  expect([watch.state, world.live]).toEqual(['enough', 300]);
  expect(world.replays).toBeLessThan(225);
  expect(300 + 2 * world.replays).toBeLessThan(0.7 * 900);
  expect(watch.takes(true)).toBe(true);
  expect(world.lines.map(({ message }) => message)).toEqual([
    expect.stringContaining('memory runs short'),
    'there is memory again',
  ]);
});

test('the newest go when replays are not enough, a part at a look, until it is below', () => {
  const { world, watch, looks } = started({ live: 820 });
  looks(1);
  expect([watch.state, world.live]).toEqual(['critical', 820 - 52]);
  expect([watch.takes(true), watch.takes(false)]).toEqual([false, false]);
  looks(40);
  // Live subscribers go only down to where it is no longer critical; what is then left leaves by itself, or is got used to.
  expect(world.live).toBeLessThan(0.8 * 900);
  expect(world.live).toBeGreaterThan(0.6 * 900);
});

test('some are left in any case', () => {
  const { world, looks } = started({ live: 60 });
  world.base = 840;
  looks(20);
  expect(world.live).toBeGreaterThanOrEqual(subscribersKept);
});

test('a few are let in, and stay, also behind: it is not they who fill a small machine that catches up', () => {
  const { world, watch, looks } = started({ live: 4, replays: 4 });
  world.base = 0.9 * 900;
  looks(20);
  expect([watch.state, world.live, world.replays]).toEqual(['critical', 4, 4]);
  expect([watch.takes(true), watch.takes(false)]).toEqual([true, true]);
  world.base = 0.95 * 900;
  looks(1);
  expect([watch.takes(true), watch.takes(false)]).toEqual([false, false]);
});

test('those that are still on their way have gone: no more than are needed, and all that are', () => {
  const { world, watch, looks } = started({ live: 820, goodbyeMs: 700 });
  looks(60);
  expect(watch.state).toBe('enough');
  expect(world.live).toBeLessThan(0.8 * 900);
  expect(world.live).toBeGreaterThan(0.5 * 900);
});

test('a container counts as a heap does, whichever is fuller', () => {
  const { world, watch, looks } = started({ live: 300, replays: 40, containerBytes: 400 });
  looks(1);
  expect(watch.state).toBe('critical');
  expect(world.lines[0].fields).toMatchObject({ what: 'container', usableBytes: 400 });
});

test('what is not given back ends no more than a few rounds, and is got used to', () => {
  const { world, watch, looks } = started({ live: 360, containerBytes: 400, givesBack: false });
  looks(20);
  expect(watch.state).toBe('critical');
  const left = world.live;
  expect(left).toBeGreaterThan(200);
  looks(60);
  expect([watch.state, world.live]).toEqual(['enough', left]);
  expect(watch.takes(true)).toBe(true);
  // What comes on top counts again.
  world.base += 400 - left;
  looks(1);
  expect([watch.state, watch.takes(false)]).toEqual(['critical', false]);
});

test('collections take a third of the time at most', () => {
  const { world, watch, looks } = started({ live: 500 });
  world.collectMs = 1_000;
  world.base = 240;
  looks(1);
  expect([watch.state, world.collections]).toEqual(['short', 1]);
  for (let at = 0; at < 60; at++) {
    world.base += 2;
    world.garbage += 20;
    looks(1);
  }
  expect(world.collections * 1_000).toBeLessThanOrEqual(world.nowMs / 3 + 1_000);
});

test('a crowd between two looks is let in only as far as there is room', () => {
  const { world, watch, looks } = started({ live: 300 });
  looks(1);
  while (watch.takes(false)) world.live++;
  expect([watch.state, world.live]).toEqual(['enough', Math.ceil(0.88 * 900)]);
});

test('while it is not known what is garbage, nobody is let in for whom there may be no room', () => {
  const { world, watch, looks } = started({ live: 300 });
  world.collectMs = 2_000;
  world.garbage = 500;
  looks(1);
  world.garbage = 500;
  looks(1);
  expect([watch.state, world.collections]).toEqual(['enough', 1]);
  expect([watch.takes(true), watch.takes(false)]).toEqual([false, false]);
});
