// A listener that others take over from: nobody who connects meanwhile is reset, kept waiting, or served by it once they listen.

import { once } from 'node:events';
import { connect, Server as NetServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test, vi } from 'vitest';
import { probe, type Sharing } from '../../lib/http/listen.ts';
import { PublicListener } from '../../lib/http/public-listener.ts';
import { addressTable } from '../support/addresses.ts';
import { FakeSource } from './fake-source.ts';
import { noLog } from './listening.ts';
import { head } from './raw-client.ts';

const isLinux = process.platform === 'linux';

async function listener(host: string | undefined, port: number, sharing: Sharing) {
  const one = new PublicListener({
    source: new FakeSource(),
    log: noLog,
    nowUs: () => 0,
    dictionaries: { list: () => [], get: () => undefined },
    addresses: addressTable(),
  });
  const bound = await one.listen({ host, port }, sharing);
  onTestFinished(() => one.stop(0));
  return { one, port: bound.port };
}

/** Asks for the page at `/`, and says what came of it: a status, or an error. */
function ask(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(port, host, () => socket.write(head('GET /')));
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(received.slice(9, 12)));
  });
}

const asks = async (count: number, port: number, host: string): Promise<string[]> =>
  [...new Set(await Promise.all(Array.from({ length: count }, () => ask(port, host))))].sort();

/** Connections that a listener has been handed since. */
function accepted(one: PublicListener): () => number {
  const open = vi.spyOn(one.connections, 'open');
  return () => open.mock.calls.length;
}

test.runIf(isLinux).for([
  { name: 'an address', host: '127.0.0.1' },
  { name: 'a name', host: 'localhost' },
  { name: 'all of IPv4', host: '0.0.0.0' },
  { name: 'everything', host: undefined },
])('who comes later gets all new clients of IPv4: $name', async ({ host }) => {
  const first = await listener(host, 0, 'first');
  expect(await asks(20, first.port, '127.0.0.1')).toEqual(['200']);
  const others = [await listener(host, first.port, 'later'), await listener(host, first.port, 'later')];
  const byFirst = accepted(first.one);
  const byOthers = others.map(({ one }) => accepted(one));
  expect(await asks(60, first.port, '127.0.0.1')).toEqual(['200']);
  expect([byFirst(), byOthers[0]() + byOthers[1]()]).toEqual([0, 60]);
  for (const by of byOthers) expect(by()).toBeGreaterThan(0);
});

/** Connects over and over until it is told to stop; what came of it. */
const comeBack = `
const { parentPort, workerData: { port } } = require('node:worker_threads');
const { connect } = require('node:net');
let isOver = false;
const came = new Set();
const next = () => {
  if (isOver) return parentPort.postMessage([...came]);
  const socket = connect(port, '127.0.0.1', () => came.add('connected'));
  socket.on('error', (error) => came.add(error.code));
  socket.on('close', next);
};
parentPort.once('message', () => { isOver = true; });
next();
`;

test.each(['127.0.0.1', undefined])(
  'whether an address is free is found out without a client: %s',
  async (host) => {
    const { one, port } = await listener(host, 0, 'alone');
    await expect(probe({ host, port })).rejects.toThrow('EADDRINUSE');
    await one.stop(0);
    const client = new Worker(comeBack, { eval: true, workerData: { port } });
    onTestFinished(async () => void (await client.terminate()));
    await once(client, 'online');
    for (let times = 0; times < 300; times++) await probe({ host, port });
    client.postMessage('');
    const [came] = await once(client, 'message');
    expect(came).toEqual(['ECONNREFUSED']);
  },
);

test.runIf(isLinux)('another that shares its address makes it one that is not free', async () => {
  const { port } = await listener('127.0.0.1', 0, 'shared');
  await expect(probe({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE');
  await expect(probe({ host: undefined, port })).rejects.toThrow('EADDRINUSE');
  await expect(probe({ host: '192.0.2.1', port })).rejects.toThrow('EADDRNOTAVAIL');
});

/** Connects so many times when it is told to, says at `flag` that it has, or that it had no answer for a while, and what came of each. */
const crowd = `
const { parentPort, workerData: { port, flag, head } } = require('node:worker_threads');
const { connect } = require('node:net');
parentPort.once('message', async (count) => {
  const connected = [];
  const results = Array.from({ length: count }, () => new Promise((resolve) => {
    let received = '';
    const socket = connect(port, '127.0.0.1');
    connected.push(new Promise((there) => socket.once('connect', there)));
    socket.on('connect', () => socket.write(head));
    socket.on('data', (data) => { received += data.toString('latin1'); });
    socket.on('error', (error) => resolve(error.code));
    socket.on('close', () => resolve(received.slice(9, 12)));
  }));
  await Promise.race([Promise.all(connected), new Promise((resolve) => setTimeout(resolve, 300))]);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  parentPort.postMessage([...new Set(await Promise.all(results))]);
});
`;

test.runIf(isLinux)('nobody is reset who comes while the first is about to leave', async () => {
  const first = await listener('127.0.0.1', 0, 'first');
  const { port } = first;
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const clients = new Worker(crowd, { eval: true, workerData: { port, flag, head: head('GET /') } });
  onTestFinished(async () => void (await clients.terminate()));
  await listener('127.0.0.1', port, 'later');
  const close = NetServer.prototype.close;
  const closing = vi.spyOn(NetServer.prototype, 'close').mockImplementationOnce(function (
    this: NetServer,
    ...done
  ) {
    // A thread that is busy between its last look at its socket and the end of it.
    clients.postMessage(60);
    Atomics.wait(flag, 0, 0, 10_000);
    return close.apply(this, done);
  });
  onTestFinished(() => closing.mockRestore());
  await first.one.leave();
  const [results] = await once(clients, 'message');
  expect(results).toEqual(['200']);
  expect(closing).toHaveBeenCalledOnce();
});
