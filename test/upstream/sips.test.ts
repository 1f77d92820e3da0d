// Reading in sips: what comes while the socket rests comes together, nothing is lost by pauses and ends that fall into a rest, and a
// relay that sends more than a read takes is not held up.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Sips } from '../../lib/upstream/sips.ts';
import {
  closeAll,
  makeUpstream,
  Recorder,
  serverFrame,
  shakenRelay,
  type TestRelay,
} from './relay-servers.ts';

/** Long beside what it takes to send a few frames, however busy the machine is. */
const restMs = 500;
const timing = { restMs };

afterEach(closeAll);

/** A relay that sends its first frame at once, and hands over its socket. */
async function relayOfOne(): Promise<{ relay: TestRelay; socket: Promise<Socket> }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const relay = await shakenRelay((socket) => {
    socket.write(serverFrame(Buffer.of(0)));
    resolve(socket);
  });
  return { relay, socket: promise };
}

/** One frame after the other, each with a write of its own that has left this process before the next. */
async function sendOneByOne(socket: Socket, from: number, to: number): Promise<void> {
  for (let at = from; at <= to; at++) {
    await new Promise((resolve) => socket.write(serverFrame(Buffer.of(at)), resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const numbersOf = ({ frames }: Recorder): number[] => frames.map(([number]) => number);
const numbers = (to: number): number[] => Array.from({ length: to + 1 }, (_, at) => at);

test('frames that come during a rest are handed over together, in order', async () => {
  const recorder = new Recorder();
  const { relay, socket } = await relayOfOne();
  makeUpstream([relay.relay], recorder, { timing }).start();
  await recorder.until('the first sip', () => recorder.catches === 1);
  await sendOneByOne(await socket, 1, 20);
  await recorder.until('the second sip', () => recorder.catches === 2);
  expect(numbersOf(recorder)).toEqual(numbers(20));
});

test('without a rest each comes as it was sent', async () => {
  const recorder = new Recorder();
  const { relay, socket } = await relayOfOne();
  makeUpstream([relay.relay], recorder, { timing: { restMs: 0 } }).start();
  for (let at = 1; at <= 5; at++) {
    await recorder.until(`frame ${at - 1}`, () => recorder.catches === at);
    (await socket).write(serverFrame(Buffer.of(at)));
  }
  await recorder.until('the last', () => recorder.catches === 6);
  expect(numbersOf(recorder)).toEqual(numbers(5));
});

test.each(['in the rest', 'after the rest'])('a pause that begins in a rest, and ends %s', async (when) => {
  const recorder = new Recorder();
  const { relay, socket } = await relayOfOne();
  const upstream = makeUpstream([relay.relay], recorder, { timing: { restMs: 100 } });
  upstream.start();
  await recorder.until('the first sip', () => recorder.catches === 1);
  upstream.pause();
  await sendOneByOne(await socket, 1, 5);
  if (when === 'after the rest') await new Promise((resolve) => setTimeout(resolve, 150));
  expect(numbersOf(recorder)).toEqual([0]);
  upstream.resume();
  await recorder.until('the others', () => recorder.frameCount === 6);
  await sendOneByOne(await socket, 6, 10);
  await recorder.until('those after', () => recorder.frameCount === 11);
  expect(numbersOf(recorder)).toEqual(numbers(10));
});

test('an end of the relay in a rest is seen, behind the frames before it', async () => {
  const recorder = new Recorder();
  const { relay, socket } = await relayOfOne();
  makeUpstream([relay.relay], recorder, { timing }).start();
  await recorder.until('the first sip', () => recorder.catches === 1);
  await sendOneByOne(await socket, 1, 5);
  (await socket).end();
  await recorder.until('an end', () => recorder.disconnects.length === 1);
  expect(numbersOf(recorder).slice(0, 6)).toEqual(numbers(5));
});

test('stop() in a rest: the close frame of the other side is read', async () => {
  const recorder = new Recorder();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const relay = await shakenRelay(
    (socket) => socket.write(serverFrame(Buffer.of(0))),
    (chunk, socket) => {
      if ((chunk[0] & 0x0f) !== 8) return;
      socket.end(serverFrame(Buffer.of(0x03, 0xe8), 0x8));
      void once(socket, 'close').then(() => answer());
    },
  );
  const upstream = makeUpstream([relay.relay], recorder, { timing: { restMs: 250, closeTimeoutMs: 60_000 } });
  upstream.start();
  await recorder.until('the first sip', () => recorder.catches === 1);
  await upstream.stop();
  await answered;
  expect(recorder.disconnects).toEqual([]);
});

test('a relay that sends more than a read takes is read without rests', async () => {
  const recorder = new Recorder();
  recorder.keepFrames = false;
  const frame = serverFrame(Buffer.alloc(20_000));
  const frames = 2_000;
  const relay = await shakenRelay((socket) => {
    let sent = 0;
    const sendMore = (): void => {
      while (sent < frames && socket.write(frame)) sent++;
      if (sent++ < frames) socket.once('drain', sendMore);
    };
    sendMore();
  });
  makeUpstream([relay.relay], recorder, { timing: { restMs: 100 } }).start();
  await recorder.until('all frames', () => recorder.frameCount >= frames - 1);
  // 40 MB in reads of 64 KiB: a rest after each would be six hundred.
  expect(recorder.catches).toBeLessThan(60);
});

test('what the kernel has room for does not bound a relay that catches up', async () => {
  let rests = 0;
  const handle = {
    reading: true,
    readStart: () => {},
    readStop: () => {
      rests++;
    },
  };
  const socket = { bytesRead: 0, _handle: handle };
  const sips = new Sips(socket as unknown as Socket, 20, () => {});
  // A relay far behind whose frames fill a receive buffer of 60,000 bytes whenever there is room.
  for (let reads = 0; reads < 200; ) {
    if (handle.reading) {
      reads++;
      socket.bytesRead += 60_000;
      sips.took();
    }
    await turn();
  }
  sips.end();
  expect(rests).toBeLessThan(5);
});

test('a turn is over once, also when the socket is read on, and when it has ended meanwhile', async () => {
  const handle = { reading: true, readStart: () => {}, readStop: () => {} };
  const socket = { bytesRead: 0, _handle: handle };
  const told: boolean[] = [];
  const sips = new Sips(socket as unknown as Socket, 10_000, (isCaughtUp) => told.push(isCaughtUp));
  const read = async (bytes: number): Promise<void> => {
    socket.bytesRead += bytes;
    sips.took();
    sips.took();
    await turn();
  };
  await read(10);
  handle.reading = true;
  await read(1e9);
  expect(told).toEqual([true, false]);
  sips.took();
  sips.end();
  await turn();
  expect(told).toEqual([true, false, false]);
});
