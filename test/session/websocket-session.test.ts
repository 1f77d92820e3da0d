// Sessions over real sockets: delivery, stalls, and every way to end. What clients send is client-messages.test.ts.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodings } from '../../lib/fanout/encodings.ts';
import { HeldBytes, heldLimitsOf } from '../../lib/session/held-bytes.ts';
import { SessionCounts, sessionEnds } from '../../lib/session/session-counts.ts';
import { defaultSessionTiming } from '../../lib/session/session-timer.ts';
import type { SubscriberSocket } from '../../lib/session/subscriber-socket.ts';
import { Turns } from '../../lib/session/turns.ts';
import { WebSocketSession } from '../../lib/session/websocket-session.ts';
import { FakeSource, type FakeSubscription, textFrame } from '../http/fake-source.ts';
import { listening } from '../http/listening.ts';
import { clientFrame } from '../http/raw-client.ts';
import { passAll } from '../support/pass-all.ts';
import {
  binary,
  close,
  fill,
  frames,
  messages,
  oneSession,
  ping,
  pong,
  text,
  update,
} from './one-session.ts';

describe('delivery', () => {
  it('writes prebuilt frames as they are', async () => {
    const server = await oneSession();
    const client = await server.client();
    const received = messages(client);
    const batch = Buffer.concat([
      textFrame('{"a":1}'),
      textFrame('x'.repeat(300)),
      Buffer.from([binary, 1, 0x28]),
    ]);
    expect(server.subscription.transport.write(batch)).toBe(true);
    await expect.poll(() => received.length).toBe(3);
    expect(received).toEqual(['text {"a":1}', `text ${'x'.repeat(300)}`, 'binary (']);
  });

  it('tells the delivery loop only of sockets that it has filled', () => {
    const source = new FakeSource();
    const held = new HeldBytes(heldLimitsOf(2 ** 30, 1));
    const socket = Object.assign(new EventEmitter(), {
      write: (bytes: Uint8Array) => {
        socket.writableLength += bytes.length;
        return false;
      },
      bytesRead: 0,
      bytesWritten: 0,
      writableLength: 0,
      writableHighWaterMark: 65_536,
    });
    const ws = Object.assign(new EventEmitter(), { readyState: 1, terminate: () => ws.emit('close') });
    const session = new WebSocketSession({
      ws: ws as unknown as SubscriberSocket,
      socket: socket as unknown as Socket,
      holding: held.open('192.0.2.1', () => {}),
      host: {
        source,
        timing: defaultSessionTiming,
        counts: new SessionCounts(),
        turns: new Turns(),
        gone: () => {},
      },
      request: {
        filter: passAll,
        encoding: encodings.json,
        requireHello: false,
        progress: false,
      },
      remoteAddress: '192.0.2.1',
      afterTimeUs: undefined,
    });
    onTestFinished(() => session.destroy());
    const [subscription] = source.subscriptions;
    socket.emit('drain');
    expect(subscription.drains).toBe(0);
    expect(session.write(textFrame('x'))).toBe(true);
    socket.emit('drain');
    expect(subscription.drains).toBe(0);
    expect(session.write(textFrame('x'.repeat(200_000)))).toBe(false);
    expect(held.bytes.answer).toBeGreaterThan(200_000);
    socket.emit('drain');
    socket.emit('drain');
    expect(subscription.drains).toBe(1);
  });
});

describe('progress', () => {
  it('is a text message, on a compressed connection too', async () => {
    for (const query of ['?progress=true', '?progress=true&compress=true']) {
      const server = await oneSession();
      const client = await server.client(`/subscribe${query}`);
      const received = messages(client);
      const { transport } = server.subscription;
      expect(transport.wantsProgress).toBe(true);
      transport.progress({ positionUs: 1000, newestUs: 3000, live: false });
      transport.write(textFrame('{}'));
      transport.progress({ positionUs: 3000, newestUs: 3000, live: true });
      await expect.poll(() => received.length).toBe(3);
      expect(received).toEqual([
        'text {"kind":"progress","time_us":1000,"progress":{"cursor":1001,"lag_us":2000,"live":false}}',
        'text {}',
        'text {"kind":"progress","time_us":3000,"progress":{"cursor":3001,"lag_us":0,"live":true}}',
      ]);
    }
  });

  it('is nothing after the end', async () => {
    const server = await oneSession();
    const client = await server.raw('/subscribe?progress=true');
    const { transport } = server.subscription;
    transport.close('delivery_failed');
    transport.progress({ positionUs: 1, newestUs: 1, live: true });
    client.send(close, Buffer.from([0x03, 0xe8]));
    await expect.poll(() => client.closed).toBe(true);
    expect(client.frames.map(({ firstByte }) => firstByte)).toEqual([close]);
  });
});

describe('a stall', () => {
  /** Keeps the client's socket full from now on. */
  function keepFull(subscription: FakeSubscription, framesPerWrite = 1): void {
    const frames = Buffer.concat(Array<Buffer>(framesPerWrite).fill(textFrame('z'.repeat(60_000))));
    subscription.onDrained = () => {
      while (subscription.transport.write(frames));
    };
    subscription.onDrained();
  }

  it('ends with a reason that the client finds when it reads on', async () => {
    const server = await oneSession({ timing: { stallTimeoutMs: 200, closeTimeoutMs: 20_000 } });
    const client = await server.raw();
    client.socket.pause();
    keepFull(server.subscription);
    await expect.poll(() => server.subscription.ends).toBe(1);
    client.socket.resume();
    await expect
      .poll(() => client.closeFrame)
      .toEqual({ code: 1008, reason: 'no progress for 0.2s: read faster, or filter more' });
    client.send(close, Buffer.from([0x03, 0xf0]));
    await expect.poll(() => server.counts.ended.get('stalled')).toBe(1);
  });

  it('ends, also when the client never reads again and answers pings', async () => {
    const server = await oneSession({ timing: { stallTimeoutMs: 100, closeTimeoutMs: 50 } });
    const client = await server.raw();
    client.socket.pause();
    keepFull(server.subscription);
    const pongs = setInterval(() => client.send(pong, ''), 20);
    await expect.poll(() => server.counts.ended.get('stalled')).toBe(1);
    clearInterval(pongs);
    expect(server.listener.sessions.members.size).toBe(0);
  });

  it('is not a matter of who has nothing to read', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.socket.pause();
    server.subscription.transport.write(textFrame('in the kernel'));
    for (const ms of [60_001, 120_002]) server.session.visit(performance.now() + ms);
    expect(server.counts.ended.get('stalled')).toBe(0);
    expect(server.subscription.ends).toBe(0);
  });

  it.each([1, 400])('is not a slow reader that goes on reading, %i frames a write', async (frameCount) => {
    const server = await oneSession({
      timing: { stallTimeoutMs: 1000, pingIntervalMs: 100 },
      heldLimits: { connectionBytesMax: 2 ** 30, addressBytesMax: 2 ** 30, bytesMax: 2 ** 30 },
    });
    const client = await server.raw();
    client.socket.pause();
    keepFull(server.subscription, frameCount);
    // At most 6.5 MB a second: the kernel takes more when a third of its buffer is free, a megabyte or two.
    const reading = setInterval(() => {
      client.socket.once('data', () => client.socket.pause());
      client.socket.resume();
    }, 10);
    const { bytesRead } = client.socket;
    const read = () => client.socket.bytesRead - bytesRead;
    await expect.poll(read, { timeout: 20_000 }).toBeGreaterThan(13_000_000);
    clearInterval(reading);
    expect([...server.counts.ended.values()]).toEqual(sessionEnds.map(() => 0));
    expect(server.subscription.ends).toBe(0);
  });

  it('is for ever with a timeout of 0, and pings do not pile up meanwhile', async () => {
    const server = await oneSession({ timing: { stallTimeoutMs: 0 } });
    const client = await server.raw();
    client.socket.pause();
    keepFull(server.subscription);
    for (let visit = 1; visit <= 20; visit++) server.session.visit(performance.now() + visit * 30_000);
    expect(server.subscription.ends).toBe(0);
    client.socket.resume();
    await expect.poll(() => frames(client, ping).length).toBeGreaterThan(0);
    const kinds = client.frames.map(({ firstByte }) => (firstByte === ping ? 'ping' : 'data')).join();
    expect(kinds).not.toContain('ping,ping');
  });
});

describe('the end', () => {
  it.each([
    ['1000 and a reason', Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]), 1000],
    ['a code of its own', Buffer.from([0x0f, 0xa0]), 4000],
    ['no code', Buffer.alloc(0), undefined],
  ])('echoes a close with %s', async (_name, payload, code) => {
    const server = await oneSession();
    const client = await server.raw();
    client.send(close, payload);
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toEqual({ code, reason: '' });
    await expect.poll(() => server.counts.ended.get('client_closed')).toBe(1);
    expect(server.subscription.ends).toBe(1);
  });

  it.each([
    ['an unmasked frame', clientFrame(text, '{}', false), 'bad MASK'],
    ['a reserved bit', clientFrame(0xc1, '{}'), 'RSV1 set'],
    ['another reserved bit', clientFrame(0xa1, '{}'), 'RSV2 or RSV3 set'],
    ['a bad opcode', clientFrame(0x83, '{}'), 'bad opcode'],
    ['a continuation of nothing', clientFrame(0x80, '{}'), 'bad opcode'],
    ['a long ping', clientFrame(ping, 'x'.repeat(126)), 'len > 125 for control'],
    ['a fragmented ping', clientFrame(0x09, 'x'), 'FIN not set on control'],
    ['a bad close code', clientFrame(close, Buffer.from([0x03, 0xed])), 'bad close code'],
  ])('answers %s with 1002', async (_name, bytes, reason) => {
    const server = await oneSession();
    const client = await server.raw();
    client.socket.write(bytes);
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toEqual({ code: 1002, reason });
    await expect.poll(() => server.counts.ended.get('protocol_violation')).toBe(1);
    expect(server.subscription.ends).toBe(1);
  });

  it('says that a frame of more than 2^53 bytes is too large', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.socket.write(Buffer.from('81ff0020000000000000', 'hex'));
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toEqual({ code: 1009, reason: 'message too large' });
    await expect.poll(() => server.counts.ended.get('message_too_large')).toBe(1);
  });

  it('answers text that is not UTF-8 with 1007', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.send(text, Buffer.from([0xff]));
    await expect.poll(() => client.closeFrame).toEqual({ code: 1007, reason: 'invalid UTF-8' });
  });

  it('is noticed when the client shuts or breaks the connection', async () => {
    const server = await oneSession();
    const shutting = await server.raw();
    shutting.socket.end();
    await expect.poll(() => server.counts.ended.get('client_gone')).toBe(1);
    const breaking = await server.raw();
    breaking.socket.resetAndDestroy();
    await expect.poll(() => server.counts.ended.get('client_gone')).toBe(2);
    expect(server.source.subscriptions.map(({ ends }) => ends)).toEqual([1, 1]);
    expect(server.listener.sessions.members.size).toBe(0);
  });

  it('may come from the delivery loop, which writes nothing after it', async () => {
    const server = await oneSession();
    const client = await server.raw();
    const { transport } = server.subscription;
    transport.write(textFrame('before'));
    transport.close('delivery_failed');
    expect(transport.write(textFrame('after'))).toBe(false);
    transport.close('no_room');
    client.send(ping, 'late');
    client.send(text, update({ wantedDids: ['did:web:late'] }));
    await expect.poll(() => client.frames.length).toBeGreaterThan(1);
    client.send(close, Buffer.from([0x03, 0xe8]));
    await expect.poll(() => client.closed).toBe(true);
    expect(client.frames.map(({ firstByte }) => firstByte)).toEqual([text, close]);
    expect(client.closeFrame).toEqual({ code: 1000, reason: 'failed to replay events' });
    expect(server.subscription.ends).toBe(1);
    expect(server.subscription.filters).toHaveLength(1);
    await expect.poll(() => server.counts.ended.get('delivery_failed')).toBe(1);
  });

  it('may come from the delivery loop before it has let the session in', async () => {
    const server = await listening();
    const subscribe = server.source.subscribe.bind(server.source);
    server.source.subscribe = (transport, ...rest) => {
      transport.close('no_room');
      return subscribe(transport, ...rest);
    };
    const client = await server.raw();
    await expect
      .poll(() => client.closeFrame)
      .toEqual({ code: 1013, reason: 'too many wanted DIDs and subjects on this server: try again later' });
    expect(server.source.subscriptions[0].ends).toBe(1);
    client.send(close, Buffer.from([0x03, 0xf5]));
    const { ended } = server.listener.sessions.counts;
    await expect.poll(() => ended.get('no_room')).toBe(1);
  });

  it('does not wait for ever for an answer to its close', async () => {
    const server = await oneSession({ timing: { closeTimeoutMs: 30 } });
    const client = await server.raw();
    server.subscription.transport.close('delivery_failed');
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toEqual({ code: 1000, reason: 'failed to replay events' });
    await expect.poll(() => server.listener.sessions.members.size).toBe(0);
  });

  it.each(['close', 'shut'] as const)('is bounded behind a full socket (%s)', async (how) => {
    const server = await oneSession({ timing: { closeTimeoutMs: 50 } });
    const client = await server.raw();
    client.socket.pause();
    const { subscription } = server;
    await fill(subscription);
    const { drains } = subscription;
    if (how === 'close') subscription.transport.close('delivery_failed');
    else client.socket.end();
    await expect.poll(() => server.listener.sessions.members.size).toBe(0);
    expect(subscription.ends).toBe(1);
    expect(subscription.drains).toBe(drains);
  });
});

describe('hostile clients', () => {
  it('never bring the server down', async () => {
    const server = await oneSession({ timing: { closeTimeoutMs: 20 } });
    const seed = 20_260_707;
    let state = seed;
    const next = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) & 255;
    };
    for (let round = 0; round < 60; round++) {
      const client = await server.raw();
      client.socket.write(Buffer.from(Array.from({ length: 1 + (next() % 40) }, next)));
      if (round % 3 === 0) client.socket.end();
      else if (round % 3 === 1) client.socket.destroy();
    }
    const client = await server.client();
    client.send(update({}));
    await expect.poll(() => server.counts.messages.get('update'), { message: `seed ${seed}` }).toBe(1);
  });
});
