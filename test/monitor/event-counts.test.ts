import { expect, test } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import type { Block } from '../../lib/log/block.ts';
import { EventCounts } from '../../lib/monitor/event-counts.ts';
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
