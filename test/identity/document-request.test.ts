// Requests to strangers, over real sockets: what they may cost, and where they may lead.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type RequestLimits, requestDocument } from '../../lib/identity/document-request.ts';

const limits: RequestLimits = { timeoutMs: 5_000, bytesMax: 1000, isPublicOnly: false };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`);
}

const unreachable = { code: 'IDENTITY_UNREACHABLE', retryable: true };

test('an answer, whatever its status', async () => {
  const url = await serve((request, response) => {
    response.writeHead(429, { 'retry-after': '7', age: '60' });
    response.end(`${request.headers.host} ${request.headers.accept}`);
  });
  const answer = await requestDocument(url, limits, 'account.test');
  expect(answer).toMatchObject({ status: 429, retryAfterMs: 7000, ageMs: 60_000 });
  expect(answer.body.toString()).toBe('account.test application/json');
});

test('a redirect is an answer, and is not followed', async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests++;
    response.writeHead(302, { location: '/y', 'retry-after': 'Thu, 01 Jan 2026 00:00:00 GMT' });
    response.end();
  });
  expect(await requestDocument(url, limits)).toMatchObject({
    status: 302,
    retryAfterMs: undefined,
    ageMs: 0,
  });
  expect(requests).toBe(1);
});

test('an answer that is too long is not read to its end', async () => {
  const url = await serve((_, response) => {
    const more = (): void => {
      if (!response.destroyed) response.write(Buffer.alloc(1000), () => setImmediate(more));
    };
    more();
  });
  await expect(requestDocument(url, limits)).rejects.toMatchObject(unreachable);
  const one = await serve(({ url: path }, response) => {
    response.end(Buffer.alloc(path === '/x' ? 1001 : 1000));
  });
  await expect(requestDocument(one, limits)).rejects.toMatchObject(unreachable);
  expect((await requestDocument(new URL('/y', one), limits)).body).toHaveLength(1000);
});

test('one that does not come, or comes too slowly', async () => {
  const silent = await serve(() => {});
  await expect(requestDocument(silent, { ...limits, timeoutMs: 50 })).rejects.toMatchObject(unreachable);
  const slow = await serve((_, response) => {
    response.write('a');
  });
  await expect(requestDocument(slow, { ...limits, timeoutMs: 50 })).rejects.toMatchObject(unreachable);
  await expect(requestDocument(new URL('http://127.0.0.1:1/'), limits)).rejects.toMatchObject(unreachable);
});

test('a connection that ends in the middle', async () => {
  const url = await serve((request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    setImmediate(() => request.socket.destroy());
  });
  await expect(requestDocument(url, limits)).rejects.toMatchObject(unreachable);
});

test('a stranger leads to public addresses alone', async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests++;
    response.end('secret');
  });
  const careful = { ...limits, isPublicOnly: true };
  const names = ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0x7f.1', '2130706433', '127.1'];
  for (const name of names) {
    const other = new URL(`http://${name}:${url.port}/`);
    await expect(requestDocument(other, careful), name).rejects.toMatchObject(unreachable);
  }
  expect(requests).toBe(0);
  // The same without the guard: it is what keeps it away.
  expect((await requestDocument(new URL(`http://localhost:${url.port}/`), limits)).body.toString()).toBe(
    'secret',
  );
});
