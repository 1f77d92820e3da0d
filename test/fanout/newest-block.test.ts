import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { encodings, NewestBlock } from '../../lib/fanout/encodings.ts';
import { SampleLog, seededRandom } from '../support/events.ts';

setFlagsFromString('--expose-gc');
const collectYoung = (): void =>
  (runInNewContext('gc') as (how: { type: 'minor' }) => void)({ type: 'minor' });

/** In a call of its own, so that nothing of it is left on the stack. */
function publish(newest: NewestBlock, sample: SampleLog): WeakRef<ArrayBufferLike> {
  const block = sample.block(3);
  newest.set(block);
  newest.encode(block, encodings.json);
  return new WeakRef(block.json.buffer);
}

test('blocks that were the newest go with the youngest objects, whatever became old before them', async () => {
  const sample = new SampleLog(seededRandom(7));
  const newest = new NewestBlock();
  publish(newest, sample);
  // What is there now is old from here on.
  for (let round = 0; round < 3; round++) collectYoung();
  const seen: WeakRef<ArrayBufferLike>[] = [];
  for (let round = 0; round < 40; round++) {
    seen.push(publish(newest, sample));
    // A weak reference is a strong one until the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    collectYoung();
  }
  expect(seen.filter((reference) => reference.deref() !== undefined).length).toBeLessThan(10);
});
