// The simulated relay as a reader sees it, over real sockets. Frames are published by count, not by time.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeFrame, encodeError, encodeInfo, encodeTooBigCommit } from '../lib/frame-encoder.ts';
import { FramePool, type FramePoolOptions } from '../lib/frame-pool.ts';
import { FrameRecording } from '../lib/frames-file.ts';
import { SyntheticNetwork } from '../lib/network.ts';
import { NetworkHistory } from '../lib/network-history.ts';
import { RelayServer, type RelayServerOptions } from '../lib/relay-server.ts';
import { RelayReader } from './relay-reader.ts';

const firstSeq = 1000;
const frames: Uint8Array[] = [];
const open: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  const network = new SyntheticNetwork({ seed: 'relay', accounts: 4, historyRecords: 10 });
  for (let i = 0; i < 50; i++) {
    frames.push((await network.next()).bytes);
  }
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) {
    await close();
  }
});

function pool(options: FramePoolOptions = {}): FramePool {
  return FramePool.fromFrames(frames, { firstSeq, nowMs: () => 0, ...options });
}

async function listen(options: Partial<RelayServerOptions> = {}): Promise<RelayServer> {
  const server = await RelayServer.listen({ source: pool(), ...options });
  open.push(() => server.close());
  return server;
}

function read(server: RelayServer, query = ''): RelayReader {
  const reader = new RelayReader(server.url, query);
  open.push(() => reader.terminate());
  return reader;
}

function seqsOf(reader: RelayReader): unknown[] {
  return reader.binary.map((frame) => decodeFrame(frame).body.seq);
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

describe('RelayServer cursors', () => {
  it('sends only what comes after the connection when there is no cursor', async () => {
    const server = await listen({ backlogFrames: 20 });
    const reader = await read(server).opened();
    await server.publish(5);
    expect(seqsOf(await reader.frames(5))).toEqual(range(1020, 5));
    expect(server.headSeq).toBe(1024);
  });

  it('sends every frame after the cursor, then goes on live', async () => {
    const server = await listen({ backlogFrames: 300 });
    const reader = await read(server, '?cursor=1010').frames(289);
    await server.publish(400);
    expect(seqsOf(await reader.frames(689))).toEqual(range(1011, 689));
  });

  it('sends nothing but live frames for the cursor of the newest', async () => {
    const server = await listen({ backlogFrames: 10 });
    const reader = await read(server, '?cursor=1009').opened();
    await server.publish(1);
    expect(seqsOf(await reader.frames(1))).toEqual([1010]);
  });

  it('tells a reader whose cursor is older than the backlog', async () => {
    const server = await listen({ source: pool({ backlogFrames: 10 }), backlogFrames: 30 });
    const reader = await read(server, '?cursor=1002').frames(11);
    const { header, body } = decodeFrame(reader.binary[0]);
    expect([header, body.name]).toEqual([{ op: 1, t: '#info' }, 'OutdatedCursor']);
    expect(seqsOf(reader).slice(1)).toEqual(range(1020, 10));
    // The one before the oldest misses nothing.
    expect(seqsOf(await read(server, '?cursor=1019').frames(10))).toEqual(range(1020, 10));
  });

  it('sends an error for a cursor of the future and closes', async () => {
    const server = await listen({ backlogFrames: 10 });
    const reader = await read(server, '?cursor=1010').closed();
    const { header, body } = decodeFrame(reader.binary[0]);
    expect([header, body.error]).toEqual([{ op: -1 }, 'FutureCursor']);
    expect(reader.binary).toHaveLength(1);
  });

  it.each(['x', '', '1.5', '1e3', '99999999999999999999'])('refuses cursor "%s"', async (cursor) => {
    const reader = await read(await listen(), `?cursor=${cursor}`).closed();
    expect(reader.errorMessage).toContain('400');
  });

  it('answers other paths with 404', async () => {
    const server = await listen();
    const answer = await fetch(server.url.replace('ws:', 'http:'));
    expect(answer.status).toBe(404);
  });
});

describe('RelayServer sources', () => {
  it('makes a network while it is read, and keeps a bounded backlog', async () => {
    const network = new SyntheticNetwork({ seed: 'live', accounts: 4, historyRecords: 10 });
    const source = new NetworkHistory(network, { historyBytesMax: 30_000 });
    const server = await listen({ source });
    const reader = await read(server).opened();
    await Promise.all([server.publish(2), server.publish(3)]);
    for (let count = 5; count < 40; count += 5) {
      await reader.frames(count);
      await server.publish(5);
    }
    expect(seqsOf(await reader.frames(40))).toEqual(range(30_000_000_001, 40));
    expect(source.firstPosition).toBeGreaterThan(10);
    const late = await read(server, '?cursor=30000000000').frames(2);
    expect(decodeFrame(late.binary[0]).body.name).toBe('OutdatedCursor');
    expect(decodeFrame(late.binary[1]).body.seq).toBe(30_000_000_001 + source.firstPosition);
  });

  it('replays a recording as it is, then is silent', async () => {
    const server = await listen({ source: new FrameRecording(frames, false), backlogFrames: 1000 });
    const reader = await read(server, '?cursor=0').frames(51);
    expect(reader.binary.slice(1)).toEqual(frames.map((frame) => Buffer.from(frame)));
    expect(server.head).toBe(frames.length);
  });

  it('sends frames that are larger than a batch', async () => {
    const large = [Buffer.alloc(300_000, 1), Buffer.alloc(10, 2), Buffer.alloc(70_000, 3)];
    const source = Object.assign(pool(), {
      bytesAt: (position: number) => large[position].length,
      writeAt: (position: number, out: Buffer, offset: number) => void out.set(large[position], offset),
    });
    const server = await listen({ source });
    const reader = await read(server).opened();
    await server.publish(3);
    expect((await reader.frames(3)).binary.map((frame) => [frame.length, frame[0]])).toEqual([
      [300_000, 1],
      [10, 2],
      [70_000, 3],
    ]);
  });
});

describe('RelayServer pace', () => {
  it('publishes by the clock it is given', async () => {
    let nowMs = 0;
    const server = await listen({ framesPerSecond: 1000, nowMs: () => nowMs });
    const reader = await read(server).opened();
    nowMs += 100;
    await reader.frames(100);
    server.setRate(10);
    nowMs += 500;
    await reader.frames(105);
    server.setRate(0);
    expect([server.head, reader.binary.length]).toEqual([105, 105]);
  });

  it('publishes as fast as the fastest reader takes frames, and no faster', async () => {
    const server = await listen({ framesPerSecond: Number.POSITIVE_INFINITY });
    expect(server.head).toBe(0);
    const paused = await read(server, '?cursor=999').frames(1);
    paused.pause();
    const reader = await read(server, '?cursor=999').frames(12_000);
    server.setRate(0);
    paused.resume();
    await paused.frames(12_000);
    for (let index = 0; index < 12_000; index += 97) {
      expect(decodeFrame(reader.binary[index]).body.seq).toBe(1000 + index);
      expect(paused.binary[index].equals(reader.binary[index])).toBe(true);
    }
  });
});

describe('RelayServer faults', () => {
  it('cuts connections after a number of frames, without a close frame', async () => {
    const server = await listen({ backlogFrames: 100, faults: { dropAfterFrames: 30 } });
    const first = await read(server, '?cursor=999').closed();
    expect([seqsOf(first), first.closeCode]).toEqual([range(1000, 30), 1006]);
    const second = await read(server, '?cursor=1029').closed();
    expect(seqsOf(second)).toEqual(range(1030, 30));
  });

  it.each([
    ['close', 1001],
    ['end', 1006],
    ['reset', 1006],
  ] as const)('drops connections now by %s', async (kind, code) => {
    const server = await listen();
    const readers = [await read(server).opened(), await read(server).opened()];
    await expect.poll(() => server.connections).toBe(2);
    server.dropConnections(kind);
    for (const reader of readers) {
      expect((await reader.closed()).closeCode).toBe(code);
    }
    await expect.poll(() => server.connections).toBe(0);
    expect((await read(server).opened()).isOpen).toBe(true);
  });

  it('drops connections within a frame', async () => {
    const server = await listen();
    const reader = await read(server).opened();
    await server.publish(3);
    await reader.frames(3);
    server.setFaults({ quiet: true });
    await server.publish(1);
    server.dropConnectionsMidFrame();
    await reader.closed();
    expect([reader.binary.length, reader.closeCode]).toEqual([3, 1006]);
    expect(seqsOf(await resumed(server, 1002))).toEqual([1003]);
  });

  it('sends old frames again when told to rewind', async () => {
    const server = await listen({ backlogFrames: 50, faults: { rewindFrames: 20 } });
    expect(seqsOf(await read(server, '?cursor=1039').frames(30))).toEqual(range(1020, 30));
    expect(seqsOf(await read(server, '?cursor=1004').frames(50))).toEqual(range(1000, 50));
  });

  it('jumps ahead in sequence', async () => {
    const server = await listen({ backlogFrames: 5 });
    server.jumpSequence(100);
    await server.publish(3);
    const expected = [...range(1000, 5), ...range(1105, 3)];
    expect(seqsOf(await read(server, '?cursor=999').frames(8))).toEqual(expected);
    expect(seqsOf(await read(server, '?cursor=1050').frames(3))).toEqual(range(1105, 3));
  });

  it('starts sequences over', async () => {
    const server = await listen({ backlogFrames: 5 });
    const reader = await read(server, '?cursor=1003').frames(1);
    server.restartSequence(7);
    await server.publish(3);
    expect(seqsOf(await reader.frames(4))).toEqual([1004, 7, 8, 9]);
    expect(server.headSeq).toBe(9);
    const outdated = await read(server, '?cursor=2').frames(4);
    expect(seqsOf(outdated)).toEqual([undefined, 7, 8, 9]);
    const future = await read(server, '?cursor=1004').closed();
    expect(decodeFrame(future.binary[0]).body.error).toBe('FutureCursor');
  });

  it('sends anything it is given, between frames', async () => {
    const server = await listen();
    const reader = await read(server).opened();
    await server.publish(1);
    const raw = [
      Buffer.from([1, 2, 3]),
      encodeInfo('Test', 'text'),
      encodeError('Test', 'text'),
      encodeTooBigCommit(1001, 'did:plc:a', '3aaaaaaaaaaaa', '2026-01-01T00:00:00.000Z'),
    ];
    for (const message of raw) {
      server.sendRaw(message);
    }
    server.sendRaw('text');
    await server.publish(1);
    await reader.frames(6);
    expect(reader.binary.slice(1, 5)).toEqual(raw.map((message) => Buffer.from(message)));
    expect([decodeFrame(reader.binary[5]).body.seq, reader.text]).toEqual([1001, ['text']]);
  });

  it('stays quiet but answers pings', async () => {
    const server = await listen({ faults: { quiet: true } });
    const reader = await read(server).opened();
    await server.publish(10);
    reader.ping('still there?');
    await reader.until(({ pongs }) => pongs.includes('still there?'), 'pong');
    expect(reader.binary).toEqual([]);
    server.setFaults({ quiet: false });
    expect(seqsOf(await reader.frames(10))).toEqual(range(1000, 10));
  });

  it('refuses handshakes', async () => {
    const server = await listen({ faults: { refuseStatus: 503 } });
    expect((await read(server).closed()).errorMessage).toContain('503');
    server.setFaults({ refuseStatus: 1 });
    expect((await read(server).closed()).errorMessage).toContain('hang up');
    server.setFaults({ refuseStatus: 0 });
    await read(server).opened();
    await expect.poll(() => server.accepted).toBe(1);
  });

  it('answers handshakes late', async () => {
    const server = await listen({ faults: { acceptDelayMs: 60 } });
    const start = performance.now();
    await read(server).opened();
    expect(performance.now() - start).toBeGreaterThan(50);
  });

  it('tells a reader that fell behind the backlog, and closes', async () => {
    const server = await listen({ source: pool({ backlogFrames: 5 }) });
    const reader = await read(server).opened();
    server.setFaults({ quiet: true });
    await server.publish(20);
    server.setFaults({ quiet: false });
    await reader.closed();
    expect(decodeFrame(reader.binary[0]).body.error).toBe('ConsumerTooSlow');
  });

  it('closes with readers, half-made handshakes and a timer', async () => {
    const server = await listen({ framesPerSecond: 1000 });
    const reader = await read(server).opened();
    server.setFaults({ acceptDelayMs: 60_000 });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    reader.ping('a round trip');
    await reader.until(({ pongs }) => pongs.length > 0, 'pong');
    await server.close();
    await server.close();
    socket.destroy();
  });
});

function resumed(server: RelayServer, cursor: number): Promise<RelayReader> {
  server.setFaults({ quiet: false });
  return read(server, `?cursor=${cursor}`).frames(1);
}

describe('RelayServer faults of numbering', () => {
  it('sends one frame with an odd sequence, once, and goes on', async () => {
    const server = await listen({ backlogFrames: 5, faults: { oddSequence: 1_000_000 } });
    const reader = await read(server).opened();
    await expect.poll(() => server.connections).toBe(1);
    await server.publish(1);
    await reader.frames(2);
    await server.publish(2);
    await reader.frames(4);
    expect(new Set(seqsOf(reader))).toEqual(new Set([1005, 1006, 1007, 1_001_005]));
    expect(server.faults.oddSequence).toBe(0);
    expect(seqsOf(await read(server, '?cursor=999').frames(8))).toEqual(range(1000, 8));
  });

  it('falls back to lower numbers on the same connection, once', async () => {
    const server = await listen({ backlogFrames: 5 });
    const reader = await read(server).opened();
    await expect.poll(() => server.connections).toBe(1);
    server.setFaults({ fallBack: 700 });
    await server.publish(3);
    await server.publish(3);
    expect(seqsOf(await reader.frames(6))).toEqual(range(305, 6));
  });

  it('falls back when a reader comes back, without a word', async () => {
    const server = await listen({ backlogFrames: 5, faults: { fallBackOnReconnect: 1e6 } });
    const reader = await read(server, '?cursor=1004').opened();
    await expect.poll(() => server.connections).toBe(1);
    await server.publish(3);
    expect(seqsOf(await reader.frames(3))).toEqual(range(1, 3));
    expect((await read(server, '?cursor=1004').closed()).binary.length).toBe(1);
  });

  it('answers so many cursors with FutureCursor', async () => {
    const server = await listen({ backlogFrames: 5, faults: { futureCursors: 2 } });
    for (let reader = 0; reader < 2; reader++) {
      const { binary, closeCode } = await read(server, '?cursor=1000').closed();
      expect([decodeFrame(binary[0]).body.error, closeCode]).toEqual(['FutureCursor', 1008]);
    }
    expect(seqsOf(await read(server, '?cursor=1000').frames(4))).toEqual(range(1001, 4));
  });

  it('resumes later than the cursor, or live, without a word', async () => {
    const server = await listen({ backlogFrames: 20, faults: { skipFrames: 7 } });
    expect(seqsOf(await read(server, '?cursor=1001').frames(11))).toEqual(range(1009, 11));
    server.setFaults({ ignoreCursor: true });
    const reader = await read(server, '?cursor=1001').opened();
    await expect.poll(() => server.connections).toBe(2);
    await server.publish(2);
    expect(seqsOf(await reader.frames(2))).toEqual(range(1020, 2));
  });

  it('dates a frame that is sent again as before', async () => {
    let timeMs = 0;
    const server = await listen({ source: pool({ nowMs: () => timeMs }) });
    for (; timeMs < 5; timeMs++) await server.publish(2);
    const timesOf = async (query: string): Promise<unknown[]> =>
      (await read(server, query).frames(4)).binary.map((frame) => decodeFrame(frame).body.time);
    const times = await timesOf('?cursor=1005');
    expect(new Set(times).size).toBe(2);
    timeMs = 77;
    expect(await timesOf('?cursor=1005')).toEqual(times);
  });
});
