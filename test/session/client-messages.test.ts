// What clients send to a session, over real sockets: pings and pongs, messages, and the hello.

import { describe, expect, it } from 'vitest';
import { defaultSessionTiming } from '../../lib/session/session-timer.ts';
import { textFrame } from '../http/fake-source.ts';
import { closeOf } from '../http/listening.ts';
import { clientFrame } from '../http/raw-client.ts';
import { passAll } from '../support/pass-all.ts';
import { fill, frames, oneSession, ping, pong, text, update } from './one-session.ts';

describe('control frames', () => {
  it('answers a ping with its payload', async () => {
    const server = await oneSession();
    const client = await server.raw();
    const payloads = ['hello', '', 'x'.repeat(125)];
    for (const [index, payload] of payloads.entries()) {
      client.send(ping, payload);
      await expect.poll(() => frames(client, pong)).toEqual(payloads.slice(0, index + 1));
    }
  });

  it('answers the newest of pings that come together', async () => {
    const server = await oneSession();
    const client = await server.raw();
    client.socket.write(Buffer.concat(['a', 'b', 'c'].map((payload) => clientFrame(ping, payload))));
    await expect.poll(() => frames(client, pong)).toContain('c');
    client.send(ping, 'd');
    await expect.poll(() => frames(client, pong)).toContain('d');
    expect(frames(client, pong)).toEqual(['c', 'd']);
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

describe('long messages', () => {
  const long = (name: string): string => {
    const wantedDids = Array.from({ length: 3_000 }, (_, at) => `did:web:${name}${at}.test`);
    return update({ wantedDids });
  };

  it('are read in their turn, and what comes behind them after them', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe');
    let isBusy = true;
    // Somebody else's work, which is under way.
    server.listener.turns.take('other', () => {
      const endMs = performance.now() + 20;
      while (performance.now() < endMs);
    });
    client.send(long('first'));
    client.send(update({ wantedDids: ['did:web:second.test'] }));
    server.listener.turns.take('other', () => {
      isBusy = false;
    });
    await expect.poll(() => server.subscription.filters.length).toBe(3);
    expect(isBusy).toBe(false);
    expect(server.subscription.filters.map(({ dids }) => dids.size)).toEqual([0, 3_000, 1]);
    client.send(update({ wantedDids: ['did:web:third.test'] }));
    await expect.poll(() => server.subscription.filters.length).toBe(4);
    expect(server.listener.held.bytes.message).toBe(0);
  });

  it('of a client that has gone hold nothing', async () => {
    const server = await oneSession();
    const client = await server.client('/subscribe');
    const { held, turns } = server.listener;
    // A rest of several seconds, by a clock that stands still meanwhile.
    const { now } = performance;
    let skippedMs = 0;
    performance.now = () => now.call(performance) + skippedMs;
    turns.take('other', () => {
      skippedMs = 5_000;
    });
    performance.now = now;
    client.send(long('gone'));
    await expect.poll(() => held.bytes.message).toBeGreaterThan(64 * 1024);
    client.terminate();
    await expect.poll(() => server.listener.sessions.members.size).toBe(0);
    expect(held.bytes.message).toBe(0);
  });
});
