import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeInfo, encodeMessage } from '../lib/frame-encoder.ts';
import { FrameRecording, readFrames, writeFrames } from '../lib/frames-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'frames-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

const recorded = [10, 12, 20].map((seq) => encodeMessage('#identity', { seq, did: 'did:plc:a', time: 't' }));

async function* each(frames: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* frames;
}

describe('frames file', () => {
  it('reads back what was written, beyond the size of a stream buffer', async () => {
    const path = join(folder, 'a.bin');
    const frames = Array.from({ length: 40 }, (_, index) => Buffer.alloc(index * 1000, index));
    await writeFrames(path, each(frames));
    expect(await readFrames(path)).toEqual(frames);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half a length', Buffer.from([1, 0])],
    ['half a frame', Buffer.from([5, 0, 0, 0, 1, 2])],
    ['an absurd length', Buffer.from([255, 255, 255, 255, 1])],
  ])('refuses %s', async (name, bytes) => {
    const path = join(folder, name.replaceAll(' ', '-'));
    await writeFile(path, bytes);
    await expect(readFrames(path)).rejects.toMatchObject({ code: 'SIMULATOR_FILE_INVALID' });
  });

  it('rejects when the file cannot be written', async () => {
    await expect(writeFrames(join(folder, 'none', 'a'), each(recorded))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});

describe('FrameRecording', () => {
  it('keeps the recorded sequences', () => {
    const recording = new FrameRecording([...recorded, encodeInfo('a', 'b')], false);
    expect([0, 1, 2, 3].map((position) => recording.seqAt(position))).toEqual([10, 12, 20, 20]);
    expect([0, 10, 11, 19, 20].map((cursor) => recording.positionAfter(cursor, 3))).toEqual([0, 1, 1, 2, 3]);
    expect(recording.length).toBe(4);
    expect(() => recording.jumpTo()).toThrow(expect.objectContaining({ code: 'SIMULATOR_SEQUENCE_FIXED' }));
  });

  it('starts over when looped, and looks cursors up in the present round', () => {
    const recording = new FrameRecording(recorded, true);
    expect(recording.length).toBe(Number.POSITIVE_INFINITY);
    expect([3, 4, 5].map((position) => recording.seqAt(position))).toEqual([10, 12, 20]);
    expect([recording.positionAfter(10, 5), recording.positionAfter(15, 5)]).toEqual([4, 5]);
    expect([recording.positionAfter(5, 3), recording.positionAfter(5, 4)]).toEqual([0, 3]);
  });
});
