// Sync frames among those that were taken: by what they say and their number, and in another numbering by what they say and when.

import { describe, expect, it } from 'vitest';
import { Frame } from '../../lib/decode/frame.ts';
import { TakenFrames } from '../../lib/ingest/taken-frames.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';

const time = '2026-01-02T03:04:05.678Z';

function syncOf(seq: number, changes: object = {}): Frame {
  const frame = new Frame();
  const body = {
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    rev: '3kaaaaaaaaaa2',
    time,
    seq,
    blocks: Buffer.from('x'),
  };
  expect(frame.read(encodeMessage('#sync', { ...body, ...changes }))).toBeUndefined();
  return frame;
}

describe('a sync frame', () => {
  const taken = new TakenFrames(new Uint8Array(8));
  const numbering = taken.newNumbering();
  taken.note(syncOf(7), numbering, Number.NaN);

  it.each([
    ['the same', syncOf(7), true, true],
    ['the same under another number', syncOf(8), false, true],
    ['one of another revision', syncOf(7, { rev: '3kaaaaaaaaab2' }), false, false],
    ['one of another account', syncOf(7, { did: 'did:plc:b' }), false, false],
    ['the same of another time', syncOf(7, { time: '2026-01-02T03:04:06.678Z' }), true, false],
  ])('is known when it is %s', (_, frame, isKnown, isSame) => {
    expect([taken.find(frame), taken.findSame(frame)]).toEqual([isKnown, isSame]);
  });
});
