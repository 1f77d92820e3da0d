// The ends of connections whose clients are still sending when they have their answer: they get it, and are not waited for for ever.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { LingeringClose } from '../../lib/http/lingering-close.ts';
import { respond } from '../../lib/http/respond.ts';
import { allowGet, type Route } from '../../lib/http/routes.ts';
import { addressTable } from '../support/addresses.ts';
import { listening } from './listening.ts';
import { clientFrame, handshake, parseAnswer } from './raw-client.ts';
import { sendingOn } from './sending-on.ts';

const pieces = (count: number, bytes: number) => Array.from({ length: count }, () => Buffer.alloc(bytes, 32));
const post = (target: string, lines: string[]) =>
  `POST ${target} HTTP/1.1\r\n${['Host: test', ...lines].join('\r\n')}\r\n\r\n`;

test.each([
  [
    'a body that is not looked at',
    post('/events?cursor=x', ['Connection: close', 'Content-Length: 100000']),
    pieces(10, 10_000),
  ],
  [
    'a body in chunks, beside an offer of another protocol',
    post('/events?cursor=x', ['Connection: Upgrade', 'Upgrade: h2c', 'Transfer-Encoding: chunked']),
    pieces(10, 100).map((piece) => Buffer.concat([Buffer.from('64\r\n'), piece, Buffer.from('\r\n')])),
  ],
  [
    'frames behind a handshake that is refused',
    handshake('/subscribe?cursor=x'),
    Array.from({ length: 10 }, () => clientFrame(0x81, '{}')),
  ],
  [
    'requests behind the last one',
    'GET /subscribe?cursor=x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n',
    Array.from({ length: 10 }, () => Buffer.from('GET / HTTP/1.1\r\nHost: test\r\n\r\n')),
  ],
])('who sends %s has the answer', async (_name, request, more) => {
  const { port, listener } = await listening();
  const refusals = () => [...listener.sessions.refusals.values()].reduce((sum, count) => sum + count, 0);
  const hasAnswered = () => refusals() > 0;
  const { answer, error } = await sendingOn(port, request, hasAnswered, more);
  expect([answer.status, error]).toEqual([400, undefined]);
  await vi.waitFor(() => expect(listener.connections.sizes.all).toBe(0));
  expect(refusals()).toBe(1);
});

test('who sends too long a head has an answer', async () => {
  const { port } = await listening({ limits: { ...publicHttpLimits, headBytesMax: 1000 } });
  const head = `GET /?${'x'.repeat(20_000)}`;
  const { answer, error } = await sendingOn(port, head, () => true, pieces(10, 10_000));
  expect([answer.status, error]).toEqual([431, undefined]);
});

test('who sends too long a URL has an answer', async () => {
  const { port } = await listening({ limits: { ...publicHttpLimits, urlBytesMax: 100_000 } });
  const { answer, error } = await sendingOn(
    port,
    `GET /?${'x'.repeat(100_000)}`,
    () => true,
    pieces(10, 10_000),
  );
  expect([answer.status, error]).toEqual([431, undefined]);
});

/** The server's end of a connection, lingering. */
async function lingering() {
  const ends = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, ends.resolve);
  onTestFinished(() => void server.close());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  client.on('error', () => {});
  const socket = await ends.promise;
  socket.on('error', () => {});
  return { client, socket, close: new LingeringClose(socket) };
}

test('who shuts its half in turn is waited for no longer', async () => {
  const { client, socket } = await lingering();
  client.on('end', () => client.end()).resume();
  await new Promise((done) => socket.once('close', done));
});

test('who says nothing and stays is waited for two seconds', async () => {
  const { client, socket, close } = await lingering();
  await new Promise((done) => client.once('end', done).resume());
  for (let look = 0; look < 4; look++) {
    expect(socket.destroyed).toBe(false);
    close.look();
  }
  expect(socket.destroyed).toBe(true);
});

test('who sends on is waited for half a minute', async () => {
  const { client, socket, close } = await lingering();
  let looks = 0;
  for (; !socket.destroyed && looks < 1000; looks++) {
    client.write('x');
    await once(socket, 'data');
    close.look();
  }
  expect(looks).toBe(60);
});

test('an answer to an offer of another protocol that nobody reads is not waited for for ever', async () => {
  const large: Route = {
    path: '/large',
    allow: allowGet,
    handle: (_request, response) => respond(response, 200, 'text/plain', Buffer.alloc(20_000_000)),
  };
  const limits = { ...publicHttpLimits, idleTimeoutMs: 50 };
  const { port, listener } = await listening({ limits, routes: [large] });
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.pause().write('GET /large HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  await vi.waitFor(() => expect(listener.connections.sizes).toEqual({ all: 1, waiting: 0 }));
  await vi.waitFor(() => expect(listener.connections.sizes.all).toBe(0));
});

test('a crowd that is refused and sends on has its answers', async () => {
  const { port, listener } = await listening();
  expect(publicHttpLimits.lingeringMax).toBeGreaterThanOrEqual(10_000);
  const size = 60;
  const errors = new Set<string | undefined>();
  const crowd = Array.from({ length: size }, () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).pause();
    socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.add(code));
    const closed = new Promise((done) => socket.once('close', done));
    socket.write(handshake('/subscribe?cursor=x'));
    return { socket, closed };
  });
  onTestFinished(() => {
    for (const { socket } of crowd) socket.destroy();
  });
  const frame = clientFrame(0x81, '{}');
  const sendOn = async () => {
    for (const { socket } of crowd) socket.write(frame);
    // So that some of it is read in between, in this same thread.
    await sleep(50);
  };
  const refusals = () => [...listener.sessions.refusals.values()].reduce((sum, count) => sum + count, 0);
  while (refusals() < size) await sendOn();
  // To whom has closed, the first of these is answered with a reset, and the next fails.
  for (let round = 0; round < 3; round++) await sendOn();
  const answers = crowd.map(async ({ socket, closed }) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.resume().end();
    await closed;
    return parseAnswer(text).status;
  });
  expect([new Set(await Promise.all(answers)), errors]).toEqual([new Set([400]), new Set()]);
});

/** Clients that are refused and never shut their half: only silence, which is two seconds, or a bound ends them. */
async function staying(port: number, count: number, each: () => void): Promise<void> {
  const clients: Socket[] = [];
  onTestFinished(() => {
    for (const client of clients) client.destroy();
  });
  for (let at = 0; at < count; at++) {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    clients.push(client);
    client.on('error', () => {});
    client.write('GET /subscribe?cursor=x HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
    await once(client.resume(), 'end');
    each();
  }
}

test('of more than there is room for, those that have lingered longest go', async () => {
  const { port, listener } = await listening({ limits: { ...publicHttpLimits, lingeringMax: 20 } });
  let mostAll = 0;
  await staying(port, 60, () => {
    mostAll = Math.max(mostAll, listener.connections.sizes.all);
  });
  expect(mostAll).toBeLessThanOrEqual(21);
});

test('who lingers makes room for who comes', async () => {
  // No places that nobody has, either.
  const addresses = addressTable({ subscribersMax: 0 });
  const { port, listener } = await listening({ addresses, limits: { ...publicHttpLimits, socketsMax: 10 } });
  await staying(port, 40, () => expect(listener.connections.sizes.all).toBeLessThanOrEqual(11));
  expect(listener.connections.refused).toBe(0);
});
