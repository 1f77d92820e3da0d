// The queue of sealed blocks, with a log that refuses one: nothing that follows may be stored or published.

import { expect, test } from 'vitest';
import { CodedError } from '../../lib/errors.ts';
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
