// Frames and answers through shared memory, both sides in one thread: whole, in order, within bounds, and around its end many times.

import { afterEach, expect, test, vi } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { FrameReceiver, FrameSender, ringBytes } from '../../lib/verifier/frame-ring.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const notes = { answerByMs: 12.5, storedBatch: 3, hasSkipped: false };

function frameOf(random: SeededRandom, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, () => random.int(256));
}

function framesOf(batch: ReturnType<FrameReceiver['take']>): Uint8Array[] {
  const { bytes, ends } = batch as NonNullable<typeof batch>;
  return Array.from(ends, (end, at) => Uint8Array.from(bytes.subarray(at === 0 ? 0 : ends[at - 1], end)));
}

test('a batch comes out as it went in, and its answers come back', () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  const random = new SeededRandom('ring', 'frames');
  const frames = [frameOf(random, 5), frameOf(random, 0), frameOf(random, 3_000)];
  expect(receiver.take()).toBeUndefined();
  for (const frame of frames) sender.add(frame);
  const first = sender.openFrame;
  expect(sender.send({ ...notes, hasSkipped: true })).toBe(1);
  const batch = receiver.take();
  expect(batch).toMatchObject({ ...notes, number: 1, hasSkipped: true });
  expect(framesOf(batch)).toEqual(frames);
  expect(receiver.hasNext).toBe(false);
  expect(sender.answered).toBe(0);
  receiver.answer(Uint8Array.of(7, 8, 9), false);
  expect(sender.answered).toBe(1);
  expect([0, 1, 2].map((at) => sender.reasonOf(first + at))).toEqual([7, 8, 9]);
  expect(sender.outstandingBytes).toBe(3_005);
  receiver.done();
  expect(sender.outstandingBytes).toBe(0);
});

test('what was added and not sent is forgotten on request', () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  sender.add(Uint8Array.of(1));
  sender.clear();
  sender.add(Uint8Array.of(2));
  sender.send(notes);
  expect(framesOf(receiver.take())).toEqual([Uint8Array.of(2)]);
});

test('batches of any size go around the end of the memory, a few under way at a time', () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  const random = new SeededRandom('ring', 'around');
  const waiting: { readonly frames: Uint8Array[]; readonly first: number }[] = [];
  let bytes = 0;
  for (let number = 1; bytes < 5 * ringBytes; number++) {
    const frames = Array.from({ length: 1 + random.int(6) }, () =>
      new Uint8Array(random.int(60_000)).fill(random.int(256)),
    );
    const first = sender.openFrame;
    for (const frame of frames) sender.add(frame);
    bytes += frames.reduce((sum, { length }) => sum + length, 0);
    expect(sender.send(notes)).toBe(number);
    waiting.push({ frames, first });
    if (waiting.length < 8) continue;
    const { frames: sent, first: firstSent } = waiting.shift() as (typeof waiting)[0];
    const batch = receiver.take();
    expect(Buffer.concat(framesOf(batch)).equals(Buffer.concat(sent))).toBe(true);
    receiver.answer(
      Uint8Array.from(sent, ({ length }) => length % 256),
      true,
    );
    expect(sender.answered).toBe(number - 7);
    expect(sent.map((_, at) => sender.reasonOf(firstSent + at))).toEqual(
      sent.map(({ length }) => length % 256),
    );
    sender.free();
  }
});

test('what does not fit is not sent, and what comes after it is', () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  const large = new Uint8Array(1_500_000);
  for (const number of [1, 2]) {
    sender.add(large);
    expect(sender.send(notes)).toBe(number);
  }
  sender.add(Uint8Array.of(1));
  sender.add(large);
  sender.add(Uint8Array.of(2));
  expect(sender.send(notes)).toBeUndefined();
  expect(sender.outstandingBytes).toBeLessThanOrEqual(ringBytes);
  sender.add(new Uint8Array(ringBytes + 1));
  expect(sender.send(notes)).toBeUndefined();
  for (const number of [1, 2]) {
    expect(receiver.take()?.number).toBe(number);
    receiver.answer(Uint8Array.of(0), true);
  }
  expect(sender.outstandingBytes).toBe(0);
  sender.add(new Uint8Array(ringBytes));
  expect(sender.send(notes)).toBe(3);
  expect(receiver.take()?.bytes.length).toBe(ringBytes);
});

test('there are bounds on frames and batches, too', () => {
  const sender = new FrameSender();
  for (let added = 0; added <= 16_384; added++) sender.add(Uint8Array.of(1));
  expect(sender.send(notes)).toBeUndefined();
  for (let sent = 1; sent <= 1_024; sent++) {
    sender.add(Uint8Array.of(1));
    expect(sender.send(notes)).toBe(sent);
  }
  sender.add(Uint8Array.of(1));
  expect(sender.send(notes)).toBeUndefined();
});

test('a side that sleeps is woken, but not for what is there already', async () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  const woken = receiver.sleep();
  sender.add(Uint8Array.of(1));
  sender.send(notes);
  await woken;
  receiver.wake();
  expect(receiver.sleep()).toBeUndefined();
  receiver.take();
  const answered = sender.answeredAfter(0);
  receiver.answer(Uint8Array.of(4), true);
  await answered;
  expect(sender.answeredAfter(0)).toBeUndefined();
});

test('a sender stands still until its batch is answered, also when one before it is answered meanwhile', () => {
  const sender = new FrameSender();
  const receiver = new FrameReceiver(sender.memory);
  for (const number of [1, 2]) {
    sender.add(Uint8Array.of(number));
    sender.send(notes);
  }
  const times: number[] = [];
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation((_, __, ___, ms) => {
    times.push(ms as number);
    receiver.take();
    receiver.answer(Uint8Array.of(7), true);
    return 'ok';
  });
  expect(sender.standFor(2, 60_000)).toBe(true);
  expect(times).toHaveLength(2);
  expect(Math.max(...times)).toBeLessThanOrEqual(60_000);
  expect(sender.standFor(1, 60_000)).toBe(true);
  expect(wait).toHaveBeenCalledTimes(2);
});

test('a sender stands still for no longer than it is allowed to', () => {
  const sender = new FrameSender();
  sender.add(Uint8Array.of(1));
  sender.send(notes);
  expect(sender.standFor(1, 5)).toBe(false);
});
