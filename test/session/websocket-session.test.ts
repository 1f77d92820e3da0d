// Sessions over real sockets: delivery, control frames, messages, and every way to end.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { passAll } from '../../lib/event/filter.ts';
import { encodings } from '../../lib/fanout/transport.ts';
import { MessageIntake } from '../../lib/session/message-intake.ts';
import { SessionCounts, sessionEnds } from '../../lib/session/session-counts.ts';
import type { SubscriberSocket } from '../../lib/session/subscriber-socket.ts';
import { defaultSessionTiming, WebSocketSession } from '../../lib/session/websocket-session.ts';
import type { WebSocket } from '../../lib/websocket.ts';
import { FakeSource, type FakeSubscription, textFrame } from '../http/fake-source.ts';
import { closeOf, listening } from '../http/listening.ts';
import { clientFrame, type RawWebSocket } from '../http/raw-client.ts';

const text = 0x81;
const binary = 0x82;
const close = 0x88;
const ping = 0x89;
const pong = 0x8a;

const update = (payload: unknown) => JSON.stringify({ type: 'options_update', payload });

function frames(client: RawWebSocket, firstByte: number): string[] {
  return client.frames
    .filter((frame) => frame.firstByte === firstByte)
    .map(({ payload }) => payload.toString());
}

function messages(client: WebSocket): string[] {
  const received: string[] = [];
  client.on('message', (data, isBinary) =>
    received.push(`${isBinary ? 'binary' : 'text'} ${data.toString()}`),
  );
  return received;
}

/** Writes until the socket of a client that reads nothing is full and stays so. */
async function fill(subscription: FakeSubscription): Promise<void> {
  const frame = textFrame('z'.repeat(60_000));
  let drains: number;
  do {
    while (subscription.transport.write(frame)) await sleep(0);
    drains = subscription.drains;
    await sleep(20);
  } while (subscription.drains > drains);
}

async function oneSession(...[options]: Parameters<typeof listening>) {
  const server = await listening(options);
  return {
    ...server,
    counts: server.listener.sessions.counts,
    get subscription() {
      return server.source.subscriptions[0];
    },
    get session() {
      return [...server.listener.sessions.members][0];
    },
  };
}

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

  it('says when the socket is full, and when it no longer is', async () => {
    const server = await oneSession();
    const client = await server.client();
    client.pause();
    const received = messages(client);
    const { subscription } = server;
    const frame = textFrame('y'.repeat(60_000));
    let written = 0;
    do written++;
    while (subscription.transport.write(frame) || written < 100);
    expect(subscription.drains).toBe(0);
    client.resume();
    await expect.poll(() => subscription.drains).toBe(1);
    await expect.poll(() => received.length).toBe(written);
    expect(subscription.transport.write(frame)).toBe(true);
  });

  it('tells the pull loop only of sockets that it has filled', () => {
    const source = new FakeSource();
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
      host: {
        source,
        timing: defaultSessionTiming,
        counts: new SessionCounts(),
        intake: new MessageIntake(),
        gone: () => {},
      },
      request: {
        filter: passAll,
        cursor: undefined,
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
      transport.progress({ positionUs: 1000, tipUs: 3000, live: false });
      transport.write(textFrame('{}'));
      transport.progress({ positionUs: 3000, tipUs: 3000, live: true });
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
    transport.close(1000, 'over');
    transport.progress({ positionUs: 1, tipUs: 1, live: true });
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
    const server = await oneSession({ timing: { stallTimeoutMs: 50 } });
    const client = await server.raw();
    client.socket.pause();
    server.subscription.transport.write(textFrame('in the kernel'));
    await sleep(500);
    expect(server.counts.ended.get('stalled')).toBe(0);
    expect(server.subscription.ends).toBe(0);
  });

  it.each([1, 400])('is not a slow reader that goes on reading, %i frames a write', async (frameCount) => {
    const server = await oneSession({ timing: { stallTimeoutMs: 1000, pingIntervalMs: 100 } });
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
    const server = await oneSession({ timing: { stallTimeoutMs: 0, pingIntervalMs: 20 } });
    const client = await server.raw();
    client.socket.pause();
    keepFull(server.subscription);
    await sleep(500);
    expect(server.subscription.ends).toBe(0);
    client.socket.resume();
    await expect.poll(() => frames(client, ping).length).toBeGreaterThan(0);
    const kinds = client.frames.map(({ firstByte }) => (firstByte === ping ? 'ping' : 'data')).join();
    expect(kinds).not.toContain('ping,ping');
  });
});

describe('control frames', () => {
  it('answers a ping with its payload', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.send(ping, 'hello');
    client.send(ping, '');
    client.send(ping, 'x'.repeat(125));
    await expect.poll(() => frames(client, pong)).toEqual(['hello', '', 'x'.repeat(125)]);
  });

  it('pings with an empty payload every 30 s', async () => {
    expect(defaultSessionTiming.pingIntervalMs).toBe(30_000);
    const server = await oneSession({ timing: { pingIntervalMs: 20 } });
    const client = await server.raw();
    await expect.poll(() => frames(client, ping).length).toBeGreaterThan(0);
    expect(frames(client, ping)[0]).toBe('');
  });

  it('pings while it waits for a hello', async () => {
    const server = await oneSession({ timing: { pingIntervalMs: 20 } });
    const client = await server.client('/subscribe?requireHello=true');
    let pings = 0;
    client.on('ping', () => pings++);
    await expect.poll(() => pings).toBeGreaterThan(5);
    expect(server.source.subscriptions).toHaveLength(0);
  });

  it('gives up a client that is silent', async () => {
    const server = await oneSession({ timing: { pingIntervalMs: 20 } });
    const client = await server.raw();
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toBeUndefined();
    await expect.poll(() => server.counts.ended.get('client_silent')).toBe(1);
    expect(server.subscription.ends).toBe(1);
  });

  it('keeps a client that answers, and one that only takes data', async () => {
    const server = await oneSession({ timing: { pingIntervalMs: 20 } });
    const answering = await server.client();
    let pings = 0;
    answering.on('ping', () => pings++);
    const taking = await server.raw();
    const feed = setInterval(() => server.source.subscriptions[1].transport.write(textFrame('some data')), 5);
    await expect.poll(() => pings).toBeGreaterThan(10);
    clearInterval(feed);
    expect(taking.closed).toBe(false);
    expect(server.listener.sessions.members.size).toBe(2);
  });

  it('holds one pong, the newest, for a client that reads nothing', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.socket.pause();
    await fill(server.subscription);
    for (let index = 0; index < 10_000; index++) client.send(ping, `ping ${index}`);
    client.send(text, '{"type":"marker"}');
    await expect.poll(() => server.counts.messages.get('ignored_type')).toBe(1);
    client.socket.resume();
    await expect.poll(() => frames(client, pong)).toEqual(['ping 9999']);
  });
});

describe('client messages', () => {
  it('replace the filter', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe?wantedDids=did:web:a&maxMessageSizeBytes=50');
    client.send(update({ wantedCollections: ['a.b.*'] }));
    client.send(update({ maxMessageSizeBytes: 10 }));
    await expect.poll(() => server.subscription.filters.length).toBe(3);
    expect(server.subscription.filters.slice(1)).toEqual([
      { ...passAll, prefixes: ['a.b.'], maxMessageSizeBytes: 50 },
      { ...passAll, maxMessageSizeBytes: 10 },
    ]);
    expect(server.counts.messages.get('update')).toBe(2);
  });

  it('are ignored when they are binary or of an unknown type', async () => {
    const server = await oneSession();
    const client = await server.client();
    client.send(Buffer.from(update({})));
    client.send('{"type":"other","payload":5}');
    client.send('{}');
    client.send(update({}));
    await expect.poll(() => server.counts.messages.get('update')).toBe(1);
    expect(server.counts.messages.get('ignored_binary')).toBe(1);
    expect(server.counts.messages.get('ignored_type')).toBe(2);
    expect(server.subscription.filters).toHaveLength(2);
    expect(client.readyState).toBe(client.OPEN);
  });

  const sourced = 'failed to unmarshal subscriber sourced message: ';
  const options = 'failed to unmarshal subscriber options update: ';
  const parse = 'failed to parse subscriber options: invalid subscriber options';
  it.each([
    ['{', `${sourced}unexpected end of JSON input`],
    ['nope', `${sourced}invalid character 'o' in literal null (expecting 'u')`],
    ['{"type":"options_update"}', `${options}unexpected end of JSON input`],
    [update({ wantedCollections: ['x'] }), `${parse}: invalid collection: x`],
    [update({ wantedDids: ['x'] }), parse],
    [update({ wantedCollections: Array(101).fill('a.*') }), `${parse}: too many wanted collections`],
    [
      update([]),
      `${options}json: cannot unmarshal array into Go value of type server.SubscriberOptionsUpdatePayload`.slice(
        0,
        123,
      ),
    ],
    [
      update({ wantedCollections: ['\u20ac'.repeat(100)] }),
      `${parse}: invalid collection: ${'\u20ac'.repeat(13)}`,
    ],
  ])('end the connection with %s', async (message, reason) => {
    const server = await oneSession();
    const client = await server.client();
    const closed = closeOf(client);
    client.send(message);
    expect(await closed).toEqual({ code: 1000, reason });
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    await expect.poll(() => server.counts.ended.get('bad_message')).toBe(1);
    expect(server.subscription.ends).toBe(1);
  });

  it('may have 10,000,000 bytes and no more', async () => {
    const server = await oneSession();
    const client = await server.client();
    client.send(`{}${' '.repeat(9_999_998)}`);
    await expect.poll(() => server.counts.messages.get('ignored_type')).toBe(1);
    const closed = closeOf(client);
    client.send(`{}${' '.repeat(9_999_999)}`);
    expect(await closed).toEqual({ code: 1009, reason: 'message too large' });
    await expect.poll(() => server.counts.ended.get('message_too_large')).toBe(1);
  });

  it('are too many at some point, and then no more of them is read', async () => {
    const server = await oneSession();
    const client = await server.client();
    const closed = closeOf(client);
    // A thousand a second are allowed beyond ten thousand at once: these take less than ten seconds on any machine.
    const count = 20_000;
    for (let index = 0; index < count; index++) client.send(update({}));
    expect(await closed).toEqual({
      code: 1008,
      reason: 'more than 1,000,000 bytes of messages a second: send fewer, or shorter ones',
    });
    expect(server.counts.messages.get('update')).toBeLessThan(count);
    await expect.poll(() => server.counts.ended.get('too_many_messages')).toBe(1);
  });

  it('have to end in time', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.send(0x01, '{"type":');
    client.send(ping, 'begun');
    await expect.poll(() => frames(client, pong)).toEqual(['begun']);
    server.session.visit(performance.now() + 29_000);
    client.send(0x80, '"x"}');
    client.send(0x01, '{');
    client.send(ping, 'begun again');
    await expect.poll(() => frames(client, pong).length).toBe(2);
    expect(server.counts.messages.get('ignored_type')).toBe(1);
    server.session.visit(performance.now() + 30_000);
    const reason = 'a message did not end within 30s';
    await expect.poll(() => client.closeFrame).toEqual({ code: 1008, reason });
    client.socket.destroy();
    await expect.poll(() => server.counts.ended.get('message_unfinished')).toBe(1);
  });
});

describe('requireHello', () => {
  it('delivers nothing before the first valid update, and from the cursor of the URL after it', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe?requireHello=true&cursor=1000&wantedDids=did:web:old');
    client.send('{"type":"other"}');
    client.send(Buffer.from(update({})));
    await expect.poll(() => server.counts.messages.get('ignored_binary')).toBe(1);
    expect(server.source.subscriptions).toHaveLength(0);
    client.send(update({ wantedDids: ['did:web:new'] }));
    await expect.poll(() => server.source.subscriptions.length).toBe(1);
    expect(server.subscription.afterTimeUs).toBe(999);
    expect(server.subscription.filters).toEqual([{ ...passAll, dids: new Set(['did:web:new']) }]);
    client.send(update({}));
    await expect.poll(() => server.subscription.filters.length).toBe(2);
    expect(server.source.subscriptions).toHaveLength(1);
  });

  it('fixes the cursor when the client connects', async () => {
    let nowUs = 1_780_000_000_000_000;
    const server = await oneSession({ nowUs: () => nowUs });
    const client = await server.client(`/subscribe?requireHello=true&cursor=${nowUs + 5}`);
    nowUs += 10;
    client.send(update(null));
    await expect.poll(() => server.source.subscriptions.length).toBe(1);
    expect(server.subscription.afterTimeUs).toBeUndefined();
  });

  it('ends with an invalid one', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe?requireHello=true');
    const closed = closeOf(client);
    client.send(update({ wantedDids: ['x'] }));
    expect((await closed).code).toBe(1000);
    expect(server.source.subscriptions).toHaveLength(0);
  });

  it('ends with the client', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe?requireHello=true');
    client.close(1000, 'bye');
    await expect.poll(() => server.counts.ended.get('client_closed')).toBe(1);
    expect(server.source.subscriptions).toHaveLength(0);
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

  it('may come from the pull loop, which writes nothing after it', async () => {
    const server = await oneSession();
    const client = await server.raw();
    const { transport } = server.subscription;
    transport.write(textFrame('before'));
    transport.close(1000, `failed to replay events${'!'.repeat(200)}`);
    expect(transport.write(textFrame('after'))).toBe(false);
    transport.close(1011, 'again');
    client.send(ping, 'late');
    client.send(text, update({ wantedDids: ['did:web:late'] }));
    await expect.poll(() => client.frames.length).toBeGreaterThan(1);
    client.send(close, Buffer.from([0x03, 0xe8]));
    await expect.poll(() => client.closed).toBe(true);
    expect(client.frames.map(({ firstByte }) => firstByte)).toEqual([text, close]);
    expect(client.closeFrame).toEqual({ code: 1000, reason: `failed to replay events${'!'.repeat(100)}` });
    expect(server.subscription.ends).toBe(1);
    expect(server.subscription.filters).toHaveLength(1);
    await expect.poll(() => server.counts.ended.get('delivery_failed')).toBe(1);
  });

  it('may come from the pull loop before it has let the session in', async () => {
    const server = await listening();
    const subscribe = server.source.subscribe.bind(server.source);
    server.source.subscribe = (transport, ...rest) => {
      transport.close(1013, 'no room');
      return subscribe(transport, ...rest);
    };
    const client = await server.raw();
    await expect.poll(() => client.closeFrame).toEqual({ code: 1013, reason: 'no room' });
    expect(server.source.subscriptions[0].ends).toBe(1);
    client.send(close, Buffer.from([0x03, 0xf5]));
    const { ended } = server.listener.sessions.counts;
    await expect.poll(() => ended.get('no_room')).toBe(1);
  });

  it('does not wait for ever for an answer to its close', async () => {
    const server = await oneSession({ timing: { closeTimeoutMs: 30 } });
    const client = await server.raw();
    server.subscription.transport.close(1000, 'over');
    await expect.poll(() => client.closed).toBe(true);
    expect(client.closeFrame).toEqual({ code: 1000, reason: 'over' });
    await expect.poll(() => server.listener.sessions.members.size).toBe(0);
  });

  it.each(['close', 'shut'] as const)('is bounded behind a full socket (%s)', async (how) => {
    const server = await oneSession({ timing: { closeTimeoutMs: 50 } });
    const client = await server.raw();
    client.socket.pause();
    const { subscription } = server;
    await fill(subscription);
    const { drains } = subscription;
    if (how === 'close') subscription.transport.close(1000, 'over');
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
