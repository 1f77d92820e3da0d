import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { readCarWithRoot } from '@atproto/repo';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeFrame, encodeInfo, encodeMessage } from '../lib/frame-encoder.ts';
import { FramePool } from '../lib/frame-pool.ts';
import { readFrames } from '../lib/frames-file.ts';
import { SyntheticNetwork } from '../lib/network.ts';
import { stampedRev } from '../lib/stamped-rev.ts';
import { eventsOf, readSyntheticFrame, type SyntheticFrame } from '../lib/synthetic-frame.ts';

const corpus = resolve(import.meta.dirname, '../../../shared/corpus/frames.bin');
const nowMs = (): number => Date.UTC(2026, 1, 3, 4, 5, 6, 789);
const size = 150;

const frames: SyntheticFrame[] = [];

beforeAll(async () => {
  const shares = { identity: 0.05, account: 0.05, sync: 0.05 };
  const network = new SyntheticNetwork({ seed: 'pool', accounts: 8, historyRecords: 20, shares });
  for (let i = 0; i < size; i++) {
    frames.push(await network.next());
  }
});

function poolOf(firstSeq?: number): FramePool {
  const bytes = frames.map((frame) => frame.bytes);
  return FramePool.fromFrames(bytes, firstSeq === undefined ? { nowMs } : { nowMs, firstSeq });
}

function frameAt(pool: FramePool, position: number): Buffer {
  const frame = Buffer.alloc(pool.bytesAt(position) + 20, 0xee);
  pool.writeAt(position, frame, 10);
  expect(frame.subarray(0, 10).equals(frame.subarray(-10))).toBe(true);
  return frame.subarray(10, -10);
}

describe('FramePool', () => {
  // The decoder is strict: an integer wider than it needs to be does not pass.
  it.each([1, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 30_000_000_001])(
    'stamps sequence %i in canonical CBOR and changes nothing else',
    (firstSeq) => {
      const pool = poolOf(firstSeq);
      for (const position of [0, 1, 2, size, size + 1]) {
        const seq = firstSeq + position;
        const { header, body } = decodeFrame(frameAt(pool, position));
        const built = decodeFrame(frames[seq % size].bytes);
        expect(header).toEqual(built.header);
        const rev = 'rev' in built.body ? { rev: stampedRev(seq, 0) } : {};
        expect(body).toEqual({ ...built.body, ...rev, seq, time: '2026-02-03T04:05:06.789Z' });
      }
    },
  );

  it('keeps every block under its hash', async () => {
    const pool = poolOf();
    for (let position = 0; position < size; position++) {
      const { blocks, commit } = decodeFrame(frameAt(pool, position)).body;
      if (blocks !== undefined) {
        const { root } = await readCarWithRoot(blocks as Uint8Array);
        expect(String(commit ?? root)).toBe(root.toString());
      }
    }
  });

  it('says from a sequence alone what the frame leads to', () => {
    const pool = poolOf(1000);
    let events = pool.firstEventOf(1000);
    for (let position = 0; position < 3 * size; position++) {
      const seq = 1000 + position;
      const read = readSyntheticFrame(frameAt(pool, position));
      const { kind, did, ops } = pool.expectedAt(seq);
      expect({ kind, did, ops }).toEqual({ kind: read.kind, did: read.did, ops: read.ops });
      expect(pool.firstEventOf(seq)).toBe(events);
      events += eventsOf(read);
    }
    expect(pool.eventsPerRound * 3).toBe(events - pool.firstEventOf(1000));
    expect(eventsOf(pool.expectedAt(0))).toBeLessThanOrEqual(pool.eventsPerRound);
  });

  it('writes any sequence again, also after jumps and restarts', () => {
    const commits = frames.filter((frame) => frame.kind === 'commit').map((frame) => frame.bytes);
    const pool = FramePool.fromFrames(commits, { firstSeq: 500, nowMs });
    const first = Buffer.from(frameAt(pool, 3));
    pool.jumpTo(10, 9000);
    pool.restartAt(20, 5);
    expect(frameAt(pool, 3).equals(first)).toBe(true);
    const bodies = [9, 10, 19, 20].map((position) => decodeFrame(frameAt(pool, position)).body);
    expect(bodies.map((body) => [body.seq, body.rev])).toEqual([
      [509, stampedRev(509, 0)],
      [9000, stampedRev(9000, 0)],
      [9009, stampedRev(9009, 0)],
      [5, stampedRev(5, 1)],
    ]);
  });

  it('limits the backlog when told to', () => {
    const bytes = frames.map((frame) => frame.bytes);
    const pool = FramePool.fromFrames(bytes, { firstSeq: 100, backlogFrames: 10 });
    pool.prepare(50);
    expect([pool.firstPosition, pool.positionAfter(0, 50), pool.positionAfter(145, 50)]).toEqual([
      40, 40, 46,
    ]);
  });

  it('refuses frames that cannot be stamped', () => {
    const code = (value: string) => expect.objectContaining({ code: value });
    expect(() => FramePool.fromFrames([])).toThrow(code('SIMULATOR_POOL_EMPTY'));
    expect(() => FramePool.fromFrames([encodeInfo('a', 'b')])).toThrow(code('SIMULATOR_FRAME_INVALID'));
    expect(() => FramePool.fromFrames([Buffer.from('no frame')])).toThrow(code('SIMULATOR_FRAME_INVALID'));
  });

  it('finds fields behind nested values and in any order of sizes', () => {
    const odd = encodeMessage('#commit', {
      seq: 5,
      a: [{ b: [1, -1, null, true, 2 ** 40, new Uint8Array(300), { c: 'x'.repeat(70_000) }] }],
      rev: '3aaaaaaaaaaaa',
      ops: [],
      time: '2020-02-02T02:02:02.222Z',
    });
    const other = encodeMessage('#sync', { seq: 70_000, rev: 'no TID', time: 'not 24 characters' });
    const pool = FramePool.fromFrames([odd, other], { firstSeq: 70, nowMs });
    expect(decodeFrame(frameAt(pool, 0)).body).toEqual({
      ...decodeFrame(odd).body,
      seq: 70,
      rev: stampedRev(70, 0),
      time: '2026-02-03T04:05:06.789Z',
    });
    expect(decodeFrame(frameAt(pool, 1)).body).toEqual({ ...decodeFrame(other).body, seq: 71 });
  });

  it.skipIf(!existsSync(corpus))(
    'stamps frames of the real network (skipped without ../shared)',
    async () => {
      const real = await readFrames(corpus);
      const pool = FramePool.fromFrames(real, { firstSeq: 40_000_000_000, nowMs });
      for (let position = 0; position < real.length; position++) {
        const seq = 40_000_000_000 + position;
        const { body } = decodeFrame(frameAt(pool, position));
        const built = decodeFrame(real[seq % real.length]).body;
        const rev = 'rev' in built ? { rev: stampedRev(seq, 0) } : {};
        expect(body).toEqual({ ...built, ...rev, seq, time: '2026-02-03T04:05:06.789Z' });
      }
    },
  );
});
