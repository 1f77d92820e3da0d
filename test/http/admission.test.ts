// Limits of subscribers over real sockets: who gets in, what the others are told, and that places come free again.

import { IncomingMessage } from 'node:http';
import { connect, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Admission } from '../../lib/http/admission.ts';
import { ClientAddresses } from '../../lib/http/client-address.ts';
import { SessionSet } from '../../lib/http/session-set.ts';
import { SubscribeRoute } from '../../lib/http/subscribe-route.ts';
import { WaitingRequests, waitingLimitsOf } from '../../lib/http/waiting-requests.ts';
import { defaultSessionTiming } from '../../lib/session/session-timer.ts';
import { Turns } from '../../lib/session/turns.ts';
import { storedOnly } from '../../lib/wire/subscribe-query.ts';
import { addressTable } from '../support/addresses.ts';
import { FakeSource } from './fake-source.ts';
import { connectionSet, listening, nowUs } from './listening.ts';
import { type Answer, exchange, handshake, handshakeHeaders, telling } from './raw-client.ts';

const json = 'content-type: application/json; charset=UTF-8';
const forwarded = (address: string) => ({ 'X-Forwarded-For': address });

function told({ status, headers, body }: Answer) {
  return { status, retryAfter: headers.find(([name]) => name === 'retry-after')?.[1], body };
}

describe('the limit of all subscribers', () => {
  it('is told to one too many, until a place comes free', async () => {
    const addresses = addressTable({ subscribersMax: 2 });
    const { port, listener, raw } = await listening({ addresses });
    const [first] = [await raw(), await raw()];
    const answer = await exchange(port, handshake('/subscribe'));
    expect(told(answer)).toEqual({
      status: 503,
      retryAfter: '5',
      body: '{"message":"Service Unavailable: all 2 places for subscribers are taken"}\n',
    });
    expect(telling(answer)).toEqual([json, 'retry-after: 5', 'vary: Origin']);
    expect(listener.sessions.refusals.get('too_many_subscribers')).toBe(1);
    first.socket.destroy();
    await expect.poll(() => addresses.connections).toBe(1);
    expect((await raw()).answer?.status).toBe(101);
  });

  it('holds for all listeners that share a table', async () => {
    const addresses = addressTable({ subscribersMax: 1 });
    const [one, other] = [await listening({ addresses }), await listening({ addresses })];
    const first = await one.raw();
    expect((await exchange(other.port, handshake('/subscribe'))).status).toBe(503);
    first.socket.destroy();
    await expect.poll(() => addresses.connections).toBe(0);
    await other.raw();
  });

  it('comes after the parameters and the handshake', async () => {
    const { port, raw } = await listening({ addresses: addressTable({ subscribersMax: 1 }) });
    await raw();
    expect((await exchange(port, handshake('/subscribe?cursor=x'))).body).toBe('invalid cursor: x');
    const old = handshake('/subscribe', { 'Sec-WebSocket-Version': '8' });
    expect((await exchange(port, old)).status).toBe(400);
  });
});

describe('the limit of one address', () => {
  it('is told to one too many, with the address that the server sees', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 2 });
    const reports: unknown[] = [];
    const onAddressFull = (...report: unknown[]) => reports.push(report);
    const { port, listener, raw } = await listening({ addresses, onAddressFull });
    const [first] = [await raw(), await raw()];
    const answer = await exchange(port, handshake('/subscribe', { Origin: 'http://a.test' }));
    expect(told(answer)).toMatchObject({ status: 429, retryAfter: '30' });
    expect(JSON.parse(answer.body).message).toMatch(
      /^Too Many Requests: 127\.0\.0\.1 has all 2 connections that .*--trusted-proxies/,
    );
    await exchange(port, handshake('/subscribe'));
    expect(listener.sessions.refusals.get('too_many_of_address')).toBe(2);
    expect(reports).toEqual([['127.0.0.1', 1]]);
    first.socket.destroy();
    await expect.poll(() => addresses.connections).toBe(1);
    await raw();
    expect(addresses.addresses).toBe(1);
  });

  it('is no matter of headers, unless the proxy is trusted', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 1 });
    const { port, raw } = await listening({ addresses });
    await raw('/subscribe', forwarded('198.51.100.1'));
    const answer = await exchange(port, handshake('/subscribe', forwarded('198.51.100.2')));
    expect(answer.status).toBe(429);
  });

  it('is the one behind a trusted proxy', async () => {
    const addresses = addressTable({ subscribersPerAddressMax: 1 });
    const { port, source, raw } = await listening({ addresses, trustedProxies: ['127.0.0.0/8'] });
    await raw('/subscribe', forwarded('198.51.100.1'));
    await raw('/subscribe', forwarded('198.51.100.2'));
    expect(source.subscriptions.map(({ transport }) => transport.remoteAddress)).toEqual([
      '198.51.100.1',
      '198.51.100.2',
    ]);
    const spoofed = handshake('/subscribe', forwarded('198.51.100.3, 198.51.100.2'));
    const answer = await exchange(port, spoofed);
    expect(answer.status).toBe(429);
    expect(answer.body).toContain('198.51.100.2 has all 1 connections');
    // Several headers are one list.
    const twice = spoofed.replace('\r\n\r\n', '\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n');
    expect((await exchange(port, twice)).body).toContain('198.51.100.1 has all 1 connections');
  });
});

it('counts nobody twice, however a connection ends', async () => {
  const addresses = addressTable({ subscribersPerAddressMax: 100 });
  const { port, listener, raw, client } = await listening({ addresses });
  for (let round = 0; round < 5; round++) {
    (await raw()).socket.destroy();
    (await raw()).socket.resetAndDestroy();
    (await raw()).send(0x88, '');
    (await raw()).send(0x83, 'not a frame');
    (await client()).close();
    await exchange(port, handshake('/subscribe?cursor=x'));
    // Gone before its answer.
    const gone = connect(port, '127.0.0.1', () =>
      gone.write(handshake('/subscribe'), () => gone.resetAndDestroy()),
    );
    await new Promise((resolve) => gone.once('close', resolve));
  }
  await client();
  await expect.poll(() => listener.sessions.members.size).toBe(1);
  expect([addresses.connections, addresses.addresses]).toEqual([1, 1]);
  await listener.stop(100);
  expect([addresses.connections, addresses.addresses]).toEqual([0, 0]);
});

it('lets a place go again when the client is gone before it is answered', () => {
  const addresses = addressTable();
  const source = new FakeSource();
  const admission = new Admission(addresses, new ClientAddresses([]), () => {});
  const clientAddresses = new ClientAddresses([]);
  const connections = connectionSet();
  const sessions = new SessionSet(admission, connections, defaultSessionTiming);
  const timing = defaultSessionTiming;
  const route = new SubscribeRoute({
    source,
    sessions,
    turns: new Turns(),
    waitingRequests: new WaitingRequests(clientAddresses, waitingLimitsOf(2 ** 30)),
    zstdEncodings: storedOnly,
    nowUs: () => nowUs,
    cursorAheadUsMax: 0,
    timing,
  });
  const socket = new Socket();
  socket.destroy();
  const request = Object.assign(new IncomingMessage(socket), { method: 'GET', url: '/subscribe' });
  for (const [name, value] of Object.entries(handshakeHeaders)) request.headers[name.toLowerCase()] = value;
  const refuse = (): never => expect.fail('refused');
  route.upgrade({ request, socket, head: Buffer.alloc(0), refuse });
  expect([source.subscriptions.length, sessions.members.size, addresses.connections]).toEqual([0, 0, 0]);
});
