// Sums and rates of kinds, operations and collections, on blocks that are known and a clock that is the test's.

import { describe, expect, it, test } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import type { Block } from '../../lib/log/block.ts';
import { collectionsMax, collectionsShown, EventCounts } from '../../lib/monitor/event-counts.ts';
import { Tick } from '../../lib/monitor/meter.ts';
import { type Column, creates, indexOf } from './blocks.ts';

function block(columns: readonly Column[], jsonBytes = 0, zstdBytes = 0): Block {
  return {
    index: indexOf(columns),
    json: new Uint8Array(jsonBytes),
    zstd: new Uint8Array(zstdBytes),
    dictionaryId: 1,
    positions: new Map(),
  };
}

class Clocked {
  readonly tick = new Tick();
  readonly counts = new EventCounts();

  /** A second in which those events came. */
  second(columns: readonly Column[], seconds = 1) {
    if (columns.length > 0) this.counts.count(block(columns));
    this.tick.next(seconds);
    this.counts.sample(this.tick);
    return this.counts.report(this.tick);
  }
}

const names = (rates: readonly { name: string }[]): string[] => rates.map(({ name }) => name);

test('events are counted by kind, commits by operation and collection', () => {
  const counts = new EventCounts();
  const like = 'app.bsky.feed.like';
  counts.count(
    block([
      { collection: 'made.up.first' },
      { collection: like },
      { collection: like, operation: operations.delete },
      {},
      { kind: eventKinds.account },
    ]),
  );
  counts.count(block(creates(like), 100, 30));
  expect(counts.kinds()).toEqual([
    ['commit', 4],
    ['identity', 1],
    ['account', 1],
    ['sync', 0],
  ]);
  expect(counts.commits().filter(([, , count]) => count > 0)).toEqual([
    ['create', like, 2],
    ['delete', like, 1],
    ['create', 'other', 1],
  ]);
  expect([counts.blocks, counts.jsonBytes, counts.zstdBytes]).toEqual([2, 100, 30]);
});

test('names from strangers make no new labels, however many they are', () => {
  const counts = new EventCounts();
  const before = counts.commits().map(([operation, name]) => `${operation} ${name}`);
  const names = Array.from({ length: 600 }, (_, at) => `test.made.up${at}`);
  counts.count(block(creates(...names, 'app.bsky.feed.post', '__proto__', 'constructor')));
  const after = counts.commits();
  expect(after.map(([operation, name]) => `${operation} ${name}`)).toEqual(before);
  expect(after.filter(([, , count]) => count > 0)).toEqual([
    ['create', 'app.bsky.feed.post', 1],
    ['create', 'other', 602],
  ]);
});

test('a commit without a collection is one of the others', () => {
  const counts = new EventCounts();
  counts.count(block([{ kind: eventKinds.commit, operation: operations.update }]));
  expect(counts.commits().filter(([, , count]) => count > 0)).toEqual([['update', 'other', 1]]);
});

describe('rates', () => {
  it('are right from the first second on, by kind, operation and collection', () => {
    const clocked = new Clocked();
    const report = clocked.second([
      ...creates('app.post', 'app.like', 'app.like', 'app.like'),
      { collection: 'app.post', operation: operations.delete },
      { collection: 'app.post', operation: operations.update },
      { kind: eventKinds.account },
      {},
      {},
    ]);
    expect(report).toEqual({
      total: 9,
      perSecond: 9,
      history: [9],
      kinds: [
        { name: 'commit', perSecond: 6 },
        { name: 'identity', perSecond: 2 },
        { name: 'account', perSecond: 1 },
        { name: 'sync', perSecond: 0 },
      ],
      operations: [
        { name: 'create', perSecond: 4 },
        { name: 'update', perSecond: 1 },
        { name: 'delete', perSecond: 1 },
      ],
      collections: [
        { name: 'app.post', perSecond: 3 },
        { name: 'app.like', perSecond: 3 },
      ],
      otherCollectionsPerSecond: 0,
    });
  });

  it('stay what they are while nothing changes, also when ticks are late', () => {
    const clocked = new Clocked();
    const events = creates(...Array.from({ length: 10 }, () => 'app.post'));
    clocked.second(events);
    clocked.second([...events, ...events, ...events], 3);
    const report = clocked.second(events);
    expect(report.collections).toEqual([{ name: 'app.post', perSecond: 10 }]);
    expect(report.history).toEqual([10, 10, 10]);
  });

  it('forget over half a minute', () => {
    const clocked = new Clocked();
    for (let second = 0; second < 200; second++) clocked.second(creates('app.post', 'app.post'));
    let report = clocked.second([], 30);
    expect(report.collections[0].perSecond).toBeCloseTo(2 / Math.E, 1);
    expect(report.history).toHaveLength(60);
    for (let second = 0; second < 10; second++) report = clocked.second([], 30);
    expect(report.collections).toEqual([]);
    expect(report.perSecond).toBe(0);
  });
});

describe('collections', () => {
  it('beyond those shown are one sum', () => {
    const many = Array.from({ length: collectionsShown + 5 }, (_, at) =>
      Array.from({ length: 40 - at }, () => `c${at}`),
    ).flat();
    const report = new Clocked().second(creates(...many));
    expect(report.collections).toHaveLength(collectionsShown);
    expect(report.collections[0]).toEqual({ name: 'c0', perSecond: 40 });
    expect(report.otherCollectionsPerSecond).toBe(20 + 19 + 18 + 17 + 16);
  });

  it('keep their place while strangers make up names, and every event is counted once', () => {
    const clocked = new Clocked();
    const busy = creates(...Array.from({ length: 5 }, () => 'app.busy'));
    let report = clocked.second(busy);
    for (let second = 0; second < 20; second++) {
      const flood = Array.from({ length: collectionsMax * 2 }, (_, at) => `x.${second}.${at}`);
      report = clocked.second([...creates(...flood), ...busy]);
    }
    expect(names(report.collections)[0]).toBe('app.busy');
    expect(report.collections[0].perSecond).toBeCloseTo(5);
    const counted = report.collections.reduce((sum, { perSecond }) => sum + perSecond, 0);
    expect(counted + report.otherCollectionsPerSecond).toBeCloseTo(report.kinds[0].perSecond, 0);
  });

  it('find a place in spite of them', () => {
    const clocked = new Clocked();
    const flood = (second: number) =>
      creates(...Array.from({ length: collectionsMax * 2 }, (_, at) => `x.${second}.${at}`));
    for (let second = 0; second < 5; second++) clocked.second(flood(second));
    let report = clocked.second([]);
    for (let second = 5; second < 30; second++) {
      report = clocked.second([...creates('app.late', 'app.late', 'app.late'), ...flood(second)]);
    }
    expect(names(report.collections)[0]).toBe('app.late');
  });

  it('are counted in a block with more of them than any before', () => {
    const wide = creates(...Array.from({ length: 700 }, (_, at) => `c${at}`));
    const report = new Clocked().second([...wide, ...creates('c0')]);
    expect(report.collections[0]).toEqual({ name: 'c0', perSecond: 2 });
  });
});
