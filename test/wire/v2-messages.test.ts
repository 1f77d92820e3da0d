// Where a stream of the second wire begins, and what the server says on it.

import { describe, expect, it } from 'vitest';
import { startOfV2, v2Wire } from '../../lib/wire/v2-messages.ts';

const nowUs = 1_780_000_000_000_000;
const oldestUs = nowUs - 1_000_000;

function start(cursor: number | undefined, oldest = oldestUs) {
  const { afterTimeUs, notice } = startOfV2(cursor, nowUs, oldest);
  return { afterTimeUs, payload: notice === undefined ? undefined : JSON.parse(notice).payload };
}

describe('a cursor', () => {
  it('that is absent means now', () => {
    expect(start(undefined)).toEqual({ afterTimeUs: undefined, payload: undefined });
  });

  it.each([oldestUs, oldestUs + 1, nowUs])('%d is where the stream starts, itself included', (cursor) => {
    expect(start(cursor)).toEqual({ afterTimeUs: cursor - 1, payload: undefined });
  });

  it.each([0, 1, 24_000_000_000, 1e15, oldestUs - 1])('%d is older than all there is, and told', (cursor) => {
    const { afterTimeUs, payload } = start(cursor);
    expect(afterTimeUs).toBeLessThan(oldestUs);
    expect(payload).toEqual({
      $type: 'network.bsky.jetstream.subscribeEvents#info',
      name: 'OutdatedCursor',
      message: expect.stringContaining(`${oldestUs}`),
    });
  });

  it('of another server, when the log is empty, starts with the next event, and is told', () => {
    expect(start(5, 0)).toMatchObject({ afterTimeUs: 0, payload: { name: 'OutdatedCursor' } });
    expect(start(nowUs, 0)).toEqual({ afterTimeUs: nowUs - 1, payload: undefined });
  });

  it('is never passed by what the log gets later: a copy that is still empty has all of another server to come', () => {
    const cursor = nowUs - 1_000_000;
    expect(start(cursor, 0)).toMatchObject({
      afterTimeUs: cursor - 1,
      payload: { name: 'OutdatedCursor' },
    });
    expect(start(cursor, cursor + 1)).toMatchObject({ afterTimeUs: cursor - 1 });
  });

  it('in the future is told, and means now', () => {
    expect(start(nowUs + 2)).toMatchObject({ afterTimeUs: undefined, payload: { name: 'FutureCursor' } });
  });
});

describe('a close', () => {
  it('never has a code that clients take for final', () => {
    for (const reason of ['no_room', 'no_room_of_address', 'delivery_failed', 'memory_short'] as const) {
      const { code } = v2Wire.closeOf(reason);
      expect([1001, 1008, 1011, 1012, 1013]).toContain(code);
    }
  });

  it('says why in a message, where the contract has a name for it', () => {
    expect(JSON.parse(v2Wire.closeOf('delivery_failed').error as string)).toEqual({
      $type: 'error',
      error: 'InternalError',
      message: expect.any(String),
    });
    const { code, error } = v2Wire.stallOf('no progress');
    expect(code).toBe(1008);
    expect(JSON.parse(error as string)).toMatchObject({ error: 'ConsumerTooSlow' });
  });
});
