// The queue of sealed blocks, with a log that refuses one: nothing that follows may be stored or published.

import { expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
import type { BlockVerdicts } from '../../lib/event/verdict.ts';
import { BlockQueue } from '../../lib/ingest/block-queue.ts';
import type { Block } from '../../lib/log/block.ts';
import type { EventLog } from '../../lib/log/event-log.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

test('nothing is stored behind a block that the log refused, also when the next could be', async () => {
  const appended: Block[] = [];
  const published: Block[] = [];
  const failures: unknown[] = [];
  const refusal = new CodedError('LOG_WRITE_FAILED', 'a bad sector');
  const log = {
    resolve: (block: Block) => block,
    append: async (block: Block) => {
      appended.push(block);
      if (appended.length === 1) throw refusal;
    },
  } as unknown as EventLog;
  const queue = new BlockQueue(
    {
      log,
      publish: (block) => {
        published.push(block);
        return undefined;
      },
      written: () => {},
      stalled: () => {},
      failed: (error) => failures.push(error),
    },
    { setPaused: () => {}, drained: () => {} },
  );
  const sample = new SampleLog(seededRandom(5), { didHashKey: new Uint8Array(16) });
  queue.push(sample.block(3), undefined);
  await expect.poll(() => queue.isStoring).toBe(false);
  expect(failures).toEqual([refusal]);
  // What had begun to gather meanwhile: it would be stored with a hole before it, and the relay's place behind the hole.
  queue.push(sample.block(3), undefined);
  await queue.stop();
  expect(appended).toHaveLength(1);
  expect(published).toEqual([]);
});

/** A queue whose log notes what it is told, behind one that is asked for verdicts. */
function noting(extra: object, resolve: (block: Block) => Block | Promise<Block>) {
  const notes: string[] = [];
  const appended: Block[] = [];
  const log = {
    resolve: (block: Block) => {
      notes.push(block.index.verdict === undefined ? 'resolve' : 'resolve whole');
      return resolve(block);
    },
    append: async (block: Block) => {
      notes.push('append');
      appended.push(block);
    },
    ...extra,
  } as unknown as EventLog;
  const queue = new BlockQueue(
    {
      ...{ log, written: () => {}, stalled: () => {} },
      publish: () => {
        notes.push('publish');
        return undefined;
      },
      failed: (error) => notes.push(String(error)),
    },
    { setPaused: () => {}, drained: () => notes.push('drained') },
  );
  return { queue, notes, appended };
}

const column = Uint8Array.of(1, 2, 3);

/** @param give the column, at once or later. */
function verdictsOf(notes: string[], give: () => Uint8Array | Promise<Uint8Array>): BlockVerdicts {
  return {
    column: () => {
      notes.push('column');
      return give();
    },
    stored: () => notes.push('stored'),
  };
}

test('verdicts are asked for when nothing else is left to do, and stored with their events', async () => {
  const sample = new SampleLog(seededRandom(6), { didHashKey: new Uint8Array(16) });
  for (const give of [() => column, async () => column])
    for (const resolve of [(block: Block) => block, async (block: Block) => block]) {
      const { queue, notes, appended } = noting({}, resolve);
      queue.push(sample.block(3), undefined, verdictsOf(notes, give));
      await queue.stop();
      expect(notes).toEqual(['resolve', 'column', 'append', 'stored', 'publish']);
      expect(appended[0].index.verdict).toBe(column);
    }
});

test('a log that sends on what it resolves has it whole', async () => {
  const sample = new SampleLog(seededRandom(7), { didHashKey: new Uint8Array(16) });
  for (const give of [() => column, async () => column]) {
    const { queue, notes, appended } = noting({ lookAhead: () => {} }, (block) => block);
    queue.push(sample.block(3), undefined, verdictsOf(notes, give));
    await queue.stop();
    expect(notes).toEqual(['column', 'resolve whole', 'append', 'stored', 'publish']);
    expect(appended[0].index.verdict).toBe(column);
  }
});

test('verdicts that are there take no other turn of the event loop', async () => {
  const sample = new SampleLog(seededRandom(8), { didHashKey: new Uint8Array(16) });
  const { queue, notes } = noting({}, (block) => block);
  const turn = new Promise<string[]>((resolve) => {
    process.nextTick(() => queueMicrotask(() => setImmediate(() => resolve([...notes]))));
  });
  queue.push(
    sample.block(3),
    undefined,
    verdictsOf(notes, () => column),
  );
  expect(await turn).toEqual(['resolve', 'column', 'append', 'stored', 'publish', 'drained']);
});
