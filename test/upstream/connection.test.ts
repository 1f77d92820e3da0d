// One connection against real servers: what arrives of their messages, and every way in which they can end it.

import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { controlFramesMax, fragmentsMax, frameMaxBytes } from '../../lib/upstream/limits.ts';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';
import {
  answeringRelay,
  closeAll,
  deadRelay,
  hugeHeader,
  makeUpstream,
  Recorder,
  rawRelay,
  serverFrame,
  shakenRelay,
  type TestRelay,
  wsRelay,
} from './relay-servers.ts';

afterEach(closeAll);

describe('frames', () => {
  test('arrive whole and in order, however they were cut on the way', async () => {
    const recorder = new Recorder();
    const payloads = [0, 1, 125, 126, 65_535, 65_536, 300_000].map((bytes) => randomBytes(bytes));
    const server = await shakenRelay((socket) => {
      const wire = Buffer.concat(payloads.map((payload) => serverFrame(payload)));
      for (let at = 0; at < wire.length; at += 977) socket.write(wire.subarray(at, at + 977));
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('all frames', () => recorder.frameCount === payloads.length);
    for (const [i, payload] of payloads.entries())
      expect(payload.equals(recorder.frames[i] as Uint8Array)).toBe(true);
  });

  test('fragments of one message become one frame, with pings in between', async () => {
    const recorder = new Recorder();
    const server = await shakenRelay((socket) => {
      socket.write(serverFrame(Buffer.from('one '), 0x2, false));
      socket.write(serverFrame(Buffer.from('ping'), 0x9));
      socket.write(serverFrame(Buffer.from('two '), 0x0, false));
      socket.write(serverFrame(Buffer.from('three'), 0x0, true));
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('the frame', () => recorder.frameCount === 1);
    expect(Buffer.from(recorder.frames[0] as Uint8Array).toString()).toBe('one two three');
  });

  test.each([
    ['600 KB in fragments of 1 KiB', 600_000, 1024],
    ['the longest message in fragments of 1 KiB', frameMaxBytes, 1024],
    ['as many fragments of a byte as there may be', fragmentsMax, 1],
  ])('%s', async (_name, bytes, fragmentBytes) => {
    const recorder = new Recorder();
    const payload = randomBytes(bytes);
    const server = await shakenRelay((socket) => {
      for (let at = 0; at < bytes; at += fragmentBytes) {
        const fragment = payload.subarray(at, at + fragmentBytes);
        socket.write(serverFrame(fragment, at === 0 ? 0x2 : 0x0, at + fragmentBytes >= bytes));
      }
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('the frame', () => recorder.frameCount + recorder.disconnects.length > 0);
    expect(recorder.disconnects).toEqual([]);
    expect(payload.equals(recorder.frames[0] as Uint8Array)).toBe(true);
  });

  test('any number of pings between messages', async () => {
    const recorder = new Recorder();
    const pings = Array<Buffer>(controlFramesMax + 1).fill(serverFrame(Buffer.of(1), 0xa));
    const server = await shakenRelay((socket) => {
      socket.write(Buffer.concat([...pings, serverFrame(Buffer.of(7)), ...pings, serverFrame(Buffer.of(8))]));
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('both', () => recorder.frameCount + recorder.disconnects.length >= 2);
    expect(recorder.frames.map((bytes) => bytes[0])).toEqual([7, 8]);
  });

  test('kept frames are not written over by later ones', async () => {
    const recorder = new Recorder();
    const payloads = Array.from({ length: 2000 }, (_, i) => Buffer.alloc(1 + ((i * 37) % 900), i & 0xff));
    const server = await wsRelay((ws) => {
      for (const payload of payloads) ws.send(payload);
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('all frames', () => recorder.frameCount === payloads.length);
    for (const [i, payload] of payloads.entries())
      expect(payload.equals(recorder.frames[i] as Uint8Array)).toBe(true);
  });

  test('text is not a frame, broken UTF-8 no reason to leave', async () => {
    const recorder = new Recorder();
    const server = await shakenRelay((socket) => {
      socket.write(serverFrame(Buffer.from('{"hello":1}'), 0x1));
      socket.write(serverFrame(Buffer.of(0xff, 0xfe), 0x1));
      socket.write(serverFrame(Buffer.of(7)));
    });
    makeUpstream([server.relay], recorder).start();
    await recorder.until('the frame behind', () => recorder.frameCount === 1);
    expect(recorder.texts).toBe(2);
    expect(recorder.disconnects).toEqual([]);
  });

  test('the longest message is taken', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((ws) => ws.send(Buffer.alloc(frameMaxBytes)));
    makeUpstream([server.relay], recorder).start();
    await recorder.until('the frame', () => recorder.frameCount === 1);
    expect(recorder.frameBytes).toBe(frameMaxBytes);
  });
});

describe('ends', () => {
  const ends: [name: string, why: string, detail: RegExp, server: () => Promise<TestRelay>][] = [
    ['nothing listens', 'unreachable', /ECONNREFUSED/, deadRelay],
    [
      'HTTP 503',
      'refused',
      /^HTTP 503 Busy$/,
      () => answeringRelay('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'),
    ],
    [
      'HTTP 400 without end',
      'refused',
      /^HTTP 400/,
      () => answeringRelay('HTTP/1.1 400 Bad\r\nContent-Length: 999\r\n\r\n'),
    ],
    [
      'HTTP 200',
      'refused',
      /^HTTP 200/,
      () => answeringRelay('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    ],
    [
      'a redirect',
      'refused',
      /^HTTP 302 Found, redirects to ws:\/\/127.0.0.1:1\/ \(not followed\)$/,
      () => answeringRelay('HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'),
    ],
    ['garbage for HTTP', 'handshake', /HPE_/, () => answeringRelay('\x00\x01\x02 not http at all\r\n\r\n')],
    [
      'a wrong accept key',
      'handshake',
      /Sec-WebSocket-Accept/,
      () =>
        answeringRelay(
          'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: nonsense\r\n\r\n',
        ),
    ],
    [
      'half a handshake, then the end',
      'handshake',
      /ECONNRESET|hang up/,
      () => answeringRelay('HTTP/1.1 101 Switch'),
    ],
    [
      'a reset at once',
      'handshake',
      /ECONNRESET|hang up/,
      () => rawRelay((socket) => socket.resetAndDestroy()),
    ],
    ['a handshake that stalls', 'handshake_timeout', /150 ms/, () => rawRelay((socket) => socket.resume())],
    ['a handshake that trickles', 'handshake_timeout', /150 ms/, () => rawRelay(trickle)],
    [
      'a reset mid-stream',
      'dropped',
      /without a close frame/,
      () => sending((socket) => socket.resetAndDestroy()),
    ],
    [
      'an end mid-frame',
      'dropped',
      /without a close frame/,
      () => sending((socket) => socket.end(Buffer.of(0x82, 9, 1))),
    ],
    ['a close frame', 'closed', /^code 1008: too slow$/, () => closing(1008, 'too slow')],
    ['a close frame without a code', 'closed', /^code 1005$/, () => closing()],
    [
      'a close frame, the socket left open',
      'closed',
      /^code 1000$/,
      () => sending((socket) => socket.pause().write(Buffer.of(0x88, 2, 3, 232))),
    ],
    [
      'a masked frame',
      'protocol',
      /MASK/,
      () => sending((socket) => socket.write(Buffer.of(0x82, 0x81, 1, 2, 3, 4, 5))),
    ],
    ['a reserved bit', 'protocol', /RSV/, () => sending((socket) => socket.write(Buffer.of(0xc2, 1, 1)))],
    ['an unknown opcode', 'protocol', /opcode/, () => sending((socket) => socket.write(Buffer.of(0x83, 0)))],
    ['endless fragments', 'oversize', /fragments/, () => sending(fragments)],
    [
      'a message over the limit by its fragments',
      'oversize',
      /LENGTH/,
      () => sending((socket) => socket.write(longFragments())),
    ],
    ['endless pongs in a message', 'oversize', /control frames/, () => sending((socket) => pongs(socket))],
    [
      'a message too long',
      'oversize',
      /LENGTH/,
      () => sending((socket) => socket.write(hugeHeader(0x82, frameMaxBytes + 1))),
    ],
    [
      'a length beyond counting',
      'oversize',
      /LENGTH/,
      () => sending((socket) => socket.write(hugeHeader(0x82, 2 ** 60))),
    ],
  ];

  test.each(ends)('%s is %s, and it connects again', async (_name, why, detail, makeServer) => {
    const recorder = new Recorder();
    const server = await makeServer();
    // Only where it is waited for: a machine with other work takes long to shake hands.
    const timing = why === 'handshake_timeout' ? { handshakeTimeoutMs: 150 } : {};
    const upstream = makeUpstream([server.relay], recorder, { timing });
    upstream.start();
    await recorder.until('two ends', () => recorder.disconnects.length >= 2);
    await upstream.stop();
    for (const event of recorder.disconnects) {
      expect(event).toMatchObject({ why, id: server.relay.id });
      expect(event.detail).toMatch(detail);
    }
  });

  test('frames before a broken one are delivered', async () => {
    const recorder = new Recorder();
    const server = await shakenRelay((socket) => {
      socket.write(
        Buffer.concat([serverFrame(Buffer.of(1)), serverFrame(Buffer.of(2)), Buffer.of(0xff, 0xff)]),
      );
    });
    const upstream = makeUpstream([server.relay], recorder);
    recorder.onDisconnected = () => void upstream.stop();
    upstream.start();
    await recorder.until('the end', () => recorder.disconnects.length === 1);
    expect(recorder.frames.map((bytes) => bytes[0])).toEqual([1, 2]);
    expect(recorder.whys()).toEqual(['protocol']);
  });

  test('a name without an address is dns', async () => {
    const recorder = new Recorder();
    makeUpstream([parseRelayUrl('ws://relay.invalid')], recorder).start();
    await recorder.until('the end', () => recorder.disconnects.length > 0);
    expect(recorder.whys()[0]).toBe('dns');
  });
});

function trickle(socket: Socket): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nX-Slow: ');
  const timer = setInterval(() => socket.write('x'), 10);
  socket.on('close', () => clearInterval(timer));
  socket.resume();
}

function fragments(socket: Socket): void {
  const first = serverFrame(Buffer.of(1), 0x2, false);
  const more = serverFrame(Buffer.of(1), 0x0, false);
  socket.write(Buffer.concat([first, ...Array<Buffer>(fragmentsMax).fill(more)]));
}

function longFragments(): Buffer {
  const more = serverFrame(Buffer.alloc(65_536), 0x0, false);
  const count = frameMaxBytes / 65_536;
  return Buffer.concat([serverFrame(Buffer.of(1), 0x2, false), ...Array<Buffer>(count).fill(more)]);
}

function pongs(socket: Socket): void {
  const pong = serverFrame(Buffer.alloc(125), 0xa);
  const many = Array<Buffer>(controlFramesMax + 1).fill(pong);
  socket.write(Buffer.concat([serverFrame(Buffer.of(1), 0x2, false), ...many]));
}

function sending(then: (socket: Socket) => void): Promise<TestRelay> {
  return shakenRelay((socket) => socket.write(serverFrame(Buffer.of(1)), () => then(socket)));
}

function closing(code?: number, reason?: string): Promise<TestRelay> {
  return wsRelay((ws) => ws.close(code, reason));
}
