// Pausing: real TCP back-pressure under a sender that never stops, a bounded amount read ahead, and pauses that hold
// over reconnects.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createConnection, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { framesAfterPauseMaxBytes } from '../../lib/upstream/limits.ts';
import {
  answeringRelay,
  closeAll,
  makeUpstream,
  Recorder,
  rawRelay,
  serverFrame,
  shakenRelay,
  wsRelay,
} from './relay-servers.ts';

/** What Node reads into a paused stream: up to the high-water mark, and the one chunk that crosses it. */
const readAheadMaxBytes = 128 * 1024;
const frameBytes = 5_000;
/** More than the kernel holds for both ends of a loopback connection. */
const frames = 8_000;

let clients: Socket[] = [];
const onClient = (message: unknown) => void clients.push((message as { socket: Socket }).socket);

beforeEach(() => {
  clients = [];
  subscribe('net.client.socket', onClient);
});

afterEach(async () => {
  unsubscribe('net.client.socket', onClient);
  await closeAll();
});

describe('pause()', () => {
  test('from inside frame(): at most the rest of a chunk follows, and the sender is held up', async () => {
    const recorder = recorderOfSequence();
    let sent = 0;
    const server = await shakenRelay((socket) => {
      const sendMore = () => {
        while (sent < frames && socket.write(numbered(sent++)));
        if (sent < frames) socket.once('drain', sendMore);
      };
      sendMore();
    });
    const upstream = makeUpstream([server.relay], recorder);
    const pausedAt: number[] = [];
    const inOrder = recorder.onFrame;
    recorder.onFrame = (bytes, relay) => {
      inOrder?.(bytes, relay);
      if (recorder.frameCount % 1000 !== 10) return;
      upstream.pause();
      pausedAt.push(recorder.frameBytes);
    };
    upstream.start();
    for (let pauses = 1; pauses <= frames / 1000; pauses++) {
      await recorder.until(`pause ${pauses}`, () => pausedAt.length === pauses);
      await turns(server.port);
      const client = clients[0] as Socket;
      expect(recorder.frameBytes - (pausedAt.at(-1) as number)).toBeLessThanOrEqual(framesAfterPauseMaxBytes);
      // Headers of frames and handshake are in bytesRead too.
      expect(client.bytesRead - recorder.frameBytes).toBeLessThanOrEqual(
        readAheadMaxBytes + framesAfterPauseMaxBytes + recorder.frameCount * 10 + 1000,
      );
      if (pauses === 1) expect(sent).toBeLessThan(frames);
      const { frameCount } = recorder;
      await turns(server.port);
      expect(recorder.frameCount).toBe(frameCount);
      upstream.resume();
    }
    await recorder.until('all frames', () => recorder.frameCount === frames);
    expect(recorder.disconnects).toEqual([]);
  });

  test('from elsewhere: nothing arrives until resume()', async () => {
    const recorder = recorderOfSequence();
    let socket: Socket | undefined;
    const server = await shakenRelay((opened) => {
      socket = opened;
      opened.write(numbered(0));
    });
    const upstream = makeUpstream([server.relay], recorder);
    upstream.start();
    await recorder.until('a frame', () => recorder.frameCount === 1);
    upstream.pause();
    expect(upstream.paused).toBe(true);
    for (let seq = 1; seq < 50; seq++) socket?.write(numbered(seq));
    await turns(server.port);
    expect(recorder.frameCount).toBe(1);
    upstream.resume();
    await recorder.until('the rest', () => recorder.frameCount === 50);
  });

  test('holds for a connection that opens later', async () => {
    const recorder = recorderOfSequence();
    const server = await shakenRelay((socket) => socket.write(Buffer.concat([0, 1, 2].map(numbered))));
    const upstream = makeUpstream([server.relay], recorder);
    upstream.pause();
    upstream.start();
    await recorder.until('open', () => recorder.connects.length === 1);
    await turns(server.port);
    expect(recorder.frameCount).toBe(0);
    upstream.reconnect('test');
    await recorder.until('open again', () => recorder.connects.length === 2);
    await turns(server.port);
    expect(recorder.frameCount).toBe(0);
    upstream.resume();
    await recorder.until('the frames', () => recorder.frameCount === 3);
  });

  test('from inside connected(), with frames in the very packet of the handshake', async () => {
    const recorder = recorderOfSequence();
    const server = await shakenRelay((socket) => {
      socket.cork();
      for (let seq = 0; seq < 20; seq++) socket.write(numbered(seq));
      socket.uncork();
    });
    const upstream = makeUpstream([server.relay], recorder);
    recorder.onConnected = () => upstream.pause();
    upstream.start();
    await recorder.until('open', () => recorder.connects.length === 1);
    await turns(server.port);
    expect(recorder.frameCount).toBe(0);
    upstream.resume();
    await recorder.until('the frames', () => recorder.frameCount === 20);
  });

  test('a connection that breaks meanwhile is noticed by its pings, and gives out nothing more', async () => {
    const recorder = recorderOfSequence();
    let first: Socket | undefined;
    const server = await shakenRelay((socket) => {
      first ??= socket;
      for (let seq = 0; seq < 1000; seq++) socket.write(numbered(seq));
    });
    const upstream = makeUpstream([server.relay], recorder, { timing: { pingIntervalMs: 10 } });
    recorder.onConnected = () => upstream.pause();
    upstream.start();
    await recorder.until('open', () => recorder.connects.length === 1);
    await turns(server.port);
    first?.resetAndDestroy();
    await recorder.until('connected again', () => recorder.connects.length === 2);
    expect(recorder.whys()).toEqual(['dropped']);
    expect(recorder.frameCount).toBe(0);
  });

  test('a graceful end meanwhile loses nothing', async () => {
    const recorder = recorderOfSequence();
    const server = await wsRelay((ws) => {
      if (server.targets.length > 1) return;
      for (let seq = 0; seq < 1000; seq++) ws.send(payload(seq));
      ws.close(1001);
    });
    const upstream = makeUpstream([server.relay], recorder);
    recorder.onConnected = () => upstream.pause();
    upstream.start();
    await recorder.until('open', () => recorder.connects.length === 1);
    await turns(server.port);
    expect(recorder.frameCount).toBe(0);
    upstream.resume();
    await recorder.until('the end', () => recorder.disconnects.length === 1);
    expect(recorder.frameCount).toBe(1000);
  });
});

test('resume() in the moment between a handshake that fails and its end', async () => {
  const recorder = new Recorder();
  const server = await answeringRelay('HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  const upstream = makeUpstream([server.relay], recorder);
  let resumes = 0;
  // Listens to the socket's error before ws does.
  const onSocket = (message: unknown) => {
    (message as { socket: Socket }).socket.on('error', () => {
      upstream.pause();
      upstream.resume();
      resumes++;
    });
  };
  subscribe('net.client.socket', onSocket);
  upstream.start();
  await recorder.until('two ends', () => recorder.disconnects.length >= 2);
  unsubscribe('net.client.socket', onSocket);
  expect(new Set(recorder.whys())).toEqual(new Set(['handshake']));
  expect(resumes).toBeGreaterThan(0);
});

test('another server in this process answers while one is paused', async () => {
  // What `turns` rests on.
  const server = await rawRelay((socket) => socket.pipe(socket));
  await turns(server.port);
});

/** Fails on a frame that is out of order. Keeps no frames. */
function recorderOfSequence(): Recorder {
  const recorder = new Recorder();
  recorder.keepFrames = false;
  let next = 0;
  recorder.onFrame = (bytes) => {
    const seq = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32BE(0);
    if (seq !== next++) throw new Error(`frame ${seq} where ${next - 1} was due`);
  };
  return recorder;
}

function payload(seq: number): Buffer {
  const bytes = Buffer.alloc(frameBytes);
  bytes.writeUInt32BE(seq);
  return bytes;
}

function numbered(seq: number): Buffer {
  return serverFrame(payload(seq));
}

/** Lets the event loop poll its sockets many times: connects to a port and back, one connection after another. */
async function turns(port: number): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const socket = createConnection({ port, host: '127.0.0.1' });
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
  }
}
