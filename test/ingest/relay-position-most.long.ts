// The most frames that a relay whose times lie can make a position drop. A million of them take eight seconds.

import { expect, test } from 'vitest';
import { fallFrames, staleFramesMax } from '../../lib/ingest/relay-position.ts';
import { droppedAt } from './position-seat.ts';

test('cannot drop more than the most, however fast', () => {
  const dropped = droppedAt(1e6, () => {});
  expect(dropped).toBeLessThanOrEqual(staleFramesMax);
  expect(dropped).toBeGreaterThan(staleFramesMax - 2 * fallFrames);
});
