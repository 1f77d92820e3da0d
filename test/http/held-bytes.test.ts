// What clients make a listener hold, over raw sockets: each kind is counted, and an address at its limit loses what is its own.

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { respondText } from '../../lib/http/respond.ts';
import { textFrame } from './fake-source.ts';
import { listening } from './listening.ts';
import { clientFrame, exchange, handshake, head, sent } from './raw-client.ts';

const kibibyte = 1024;
const heldLimits = {
  connectionBytesMax: 400 * kibibyte,
  addressBytesMax: 1_000 * kibibyte,
  bytesMax: 100_000 * kibibyte,
};
const options = { heldLimits, trustedProxies: ['127.0.0.1'] };
const of = (address: string) => [`X-Forwarded-For: ${address}`];
/** A request on a connection that stays. */
const kept = (requestLine: string, headers: readonly string[] = []) =>
  `${[`${requestLine} HTTP/1.1`, 'Host: test', ...headers].join('\r\n')}\r\n\r\n`;

/** A message that has begun: a frame of a megabyte, of which so many bytes are there. */
function unfinished(bytes: number): Buffer {
  return Buffer.concat([Buffer.from('81ff0000000000100000' + '00000000', 'hex'), Buffer.alloc(bytes, ' ')]);
}

it('messages that an address has begun are shed at its limit, and those of others stay', async () => {
  const { listener, raw } = await listening(options);
  const honest = await raw('/subscribe', { 'X-Forwarded-For': '192.0.2.1' });
  honest.socket.write(unfinished(300 * kibibyte));
  await vi.waitFor(() => expect(listener.held.bytes.message).toBe(300 * kibibyte));
  const hostile = await Promise.all(
    Array.from({ length: 10 }, () => raw('/subscribe', { 'X-Forwarded-For': '192.0.2.66' })),
  );
  for (const { socket } of hostile) socket.write(unfinished(210 * kibibyte));
  await vi.waitFor(() => expect(listener.held.shed).toEqual({ connection: 0, address: 6, all: 0 }));
  expect(listener.held.bytes.message).toBe((300 + 4 * 210) * kibibyte);
  expect(listener.held.mostOfAddress).toBe(4 * 210 * kibibyte);
  expect(honest.socket.destroyed).toBe(false);
  for (const { socket } of [honest, ...hostile]) socket.destroy();
  await vi.waitFor(() => expect(listener.sessions.members.size).toBe(0));
  expect(listener.held.bytes).toEqual({ request: 0, message: 0, answer: 0 });
});

it('one connection that has begun too much is shed for itself', async () => {
  const { listener, raw } = await listening(options);
  const { socket } = await raw('/subscribe');
  socket.write(unfinished(500 * kibibyte));
  await vi.waitFor(() => expect(listener.held.shed).toEqual({ connection: 1, address: 0, all: 0 }));
});

it('what is sent and not taken is counted, and shed', async () => {
  const { listener, source, raw } = await listening(options);
  const clients = await Promise.all(
    Array.from({ length: 3 }, () => raw('/subscribe', { 'X-Forwarded-For': '192.0.2.66' })),
  );
  for (const { socket } of clients) socket.pause();
  const bytes = Buffer.alloc(350 * kibibyte, ' ');
  // The kernel takes a few megabytes for each.
  for (const { transport } of source.subscriptions) while (transport.write(bytes));
  await vi.waitFor(() => expect(listener.sessions.counts.ended.get('no_room_for_answer')).toBe(1));
  expect(listener.held.shed.address).toBe(1);
  expect(listener.held.bytes.answer).toBeGreaterThan(0);
  expect(listener.sessions.members.size).toBe(2);
});

it('a head that has begun is counted, for the peer until it says whose it is', async () => {
  const { listener, port } = await listening({ heldLimits });
  const { socket } = sent(port, `GET /?${'x'.repeat(200_000)}`);
  await vi.waitFor(() => expect(listener.held.bytes.request).toBeGreaterThan(200_000));
  expect(listener.held.mostOfAddress).toBe(listener.held.bytes.request);
  socket.write(` HTTP/1.1\r\nHost: test\r\n\r\n`);
  await vi.waitFor(() => expect(listener.held.bytes.request).toBe(0));
});

it('a body that has no room ends its connection, which is counted no longer', async () => {
  const { listener, port } = await listening(options);
  const request = head('POST /events', [...of('192.0.2.66'), 'Content-Length: 1000000']);
  const { received, closed } = sent(port, `${request}${' '.repeat(500_000)}`);
  await closed;
  expect(received()).toMatch(/^HTTP\/1\.1 503 [\s\S]*connection: close/i);
  expect(listener.held.bytes.message).toBe(0);
});

it('after a body that was refused a connection is what it was', async () => {
  const { listener, port } = await listening({ heldLimits });
  const { socket, received } = sent(port, `${kept('POST /events', ['Content-Length: 1'])}x`);
  await vi.waitFor(() => expect(received()).toContain('HTTP/1.1 400'));
  socket.write(`GET /?${'x'.repeat(500_000)}`);
  await vi.waitFor(() => expect(listener.connections.refused).toBe(1));
});

it('requests behind a pull are not read until it ends, and answered then', async () => {
  const { listener, port, source } = await listening();
  const { socket, received } = sent(port, kept('GET /events.ndjson'));
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
  const requests = 900;
  const request = kept('GET /', [`X-A: ${'a'.repeat(5_000)}`]);
  for (let count = 0; count < requests; count++) socket.write(request);
  await vi.waitFor(() => expect(listener.held.bytes.request).toBeGreaterThan(10_000));
  await sleep(100);
  expect(listener.held.bytes.request).toBeLessThan(200_000);
  source.subscriptions[0].transport.progress({ positionUs: 1, newestUs: 1, live: true });
  await vi.waitFor(() => expect(received().split('Welcome')).toHaveLength(requests + 1), 10_000);
  await vi.waitFor(() => expect(listener.held.bytes.request).toBe(0));
});

it('of a request that came with a thousand others none is parsed until it is answered', async () => {
  const { listener, port, source } = await listening();
  let made = 0;
  const { connections } = listener;
  const answer = connections.answer.bind(connections);
  connections.answer = (socket, response) => {
    made++;
    answer(socket, response);
  };
  sent(port, kept('GET /events') + kept('GET /subscribe').repeat(1_500));
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
  await sleep(100);
  // A piece has some hundred bytes.
  expect(made).toBeLessThan(20);
});

it('a thousand short requests at once are answered, each in its turn', async () => {
  const { port, listener } = await listening({
    heldLimits: { ...heldLimits, connectionBytesMax: 5_000 * kibibyte, addressBytesMax: 5_000 * kibibyte },
  });
  const { received } = sent(port, kept('GET /').repeat(1_000));
  await vi.waitFor(() => expect(received().split('Welcome')).toHaveLength(1_001), 5_000);
  expect(listener.connections.refused).toBe(0);
});

it('a handshake behind an answer that does not end is no way in', async () => {
  const { listener, port, source } = await listening({ heldLimits });
  const { socket, received } = sent(port, kept('GET /events'));
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
  socket.write(handshake('/subscribe'));
  expect((await exchange(port, head('GET /'))).status).toBe(200);
  expect(listener.sessions.members.size).toBe(1);
  socket.write('x'.repeat(10_000_000));
  expect((await exchange(port, head('GET /'))).status).toBe(200);
  expect(listener.held.bytes.request).toBeLessThan(200_000);
  source.subscriptions[0].transport.write(textFrame('{"time_us":1}'));
  await vi.waitFor(() => expect(received()).toContain('"time_us":1'));
});

it('a long filter posted behind a pull waits for its end, and is read then', async () => {
  const { port, source } = await listening();
  const { socket, received } = sent(port, kept('GET /events.ndjson'));
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
  const body = JSON.stringify({ wantedDids: ['did:web:a'] }).padEnd(3_000_000);
  socket.write(`${kept('POST /events.ndjson', [`Content-Length: ${body.length}`])}${body}`);
  await sleep(200);
  source.subscriptions[0].transport.progress({ positionUs: 1, newestUs: 1, live: true });
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(2), 5_000);
  source.subscriptions[1].transport.progress({ positionUs: 1, newestUs: 1, live: true });
  await vi.waitFor(() => expect(received().match(/HTTP\/1\.1 200/g)).toHaveLength(2));
});

it('a client that sends something behind an endless answer and goes is gone', async () => {
  const { listener, port, source } = await listening();
  const { socket } = sent(port, kept('GET /events') + kept('GET /').repeat(10));
  await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
  socket.write(kept('GET /').repeat(5_000));
  socket.end();
  await vi.waitFor(() => expect(listener.sessions.members.size).toBe(0));
  expect(listener.sessions.counts.ended.get('client_gone')).toBe(1);
});

it('what a proxy sends after the request of a client is not that client’s', async () => {
  const { listener, port } = await listening(options);
  const { socket, received } = sent(
    port,
    `${kept('POST /events', [...of('192.0.2.66'), 'Content-Length: 1'])}x`,
  );
  await vi.waitFor(() => expect(received()).toContain('HTTP/1.1 400'));
  const many = Array.from({ length: 4 }, () => sent(port, `GET /?${'x'.repeat(300_000)}`));
  socket.write(`GET /?${'x'.repeat(300_000)}`);
  await vi.waitFor(() => expect(listener.held.bytes.request).toBeGreaterThan(1_500_000));
  expect(listener.held.shed.address).toBe(0);
  for (const one of many) one.socket.destroy();
});

it('nothing is left of connections that are gone, however they end', async () => {
  const { listener, port, source } = await listening({ heldLimits });
  const requests = [
    head('GET /'),
    kept('GET /'),
    kept('GET /events'),
    kept('GET /events.ndjson'),
    handshake('/subscribe'),
  ];
  for (const request of requests) {
    const { socket, closed } = sent(port, request + kept('GET /').repeat(5));
    await vi.waitFor(() => expect(socket.bytesRead).toBeGreaterThan(0));
    socket.destroy();
    await closed;
  }
  expect(source.subscriptions.length).toBeGreaterThan(0);
  await vi.waitFor(() => expect(listener.connections.sizes).toEqual({ all: 0, waiting: 0 }));
  expect(listener.held.bytes).toEqual({ request: 0, message: 0, answer: 0 });
});

it('a client that sends hundreds of requests and reads later gets all answers', async () => {
  const big = 'x'.repeat(100_000);
  const route = {
    path: '/big',
    allow: 'GET',
    handle: (_request: unknown, response: ServerResponse) => respondText(response, 200, big),
  };
  const { port, listener } = await listening({ routes: [route] });
  const { socket } = sent(port, kept('GET /big').repeat(300));
  let bytes = 0;
  socket.pause();
  await sleep(200);
  expect(listener.held.bytes.answer + listener.held.bytes.request).toBeLessThan(4_000_000);
  socket.on('data', (chunk: Buffer | string) => {
    bytes += chunk.length;
  });
  socket.resume();
  await vi.waitFor(() => expect(bytes).toBeGreaterThan(300 * 100_000), 10_000);
});

it('messages that come with a handshake come in their order, whatever is in them', async () => {
  const { listener, port } = await listening();
  const updates = Array.from({ length: 20 }, (_, at) =>
    clientFrame(
      0x81,
      JSON.stringify(
        { type: 'options_update', payload: { wantedDids: [`did:web:a${at}`] } },
        undefined,
      ).replace(':', ':\r\n\r\n'),
    ),
  );
  sent(port, handshake('/subscribe') + Buffer.concat(updates).toString('latin1'));
  await vi.waitFor(() => expect(listener.sessions.counts.messages.get('update')).toBe(20));
});
