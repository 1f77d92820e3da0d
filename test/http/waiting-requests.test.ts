// Requests that wait for their turn, with a clock that is the test's.

import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import { ClientAddresses } from '../../lib/http/client-address.ts';
import { WaitingRequests, waitingLimitsOf } from '../../lib/http/waiting-requests.ts';
import { collectGarbage } from '../../lib/memory.ts';
import { useWorkClock, work } from '../session/work-clock.ts';

useWorkClock();

/** Room for a few requests without a head, and for half as many of one address. */
const limits = { connectionBytesMax: 8_192, addressBytesMax: 8_192, bytesMax: 16_384 };
const headBytes = 3_000;

function waitingRequests(): WaitingRequests {
  const waiting = new WaitingRequests(new ClientAddresses(['192.0.2.1']), limits);
  // A long one, from which is rested: what comes now has to wait.
  waiting.take(requestOf('198.51.100.1').request, work([], 'long', 40));
  return waiting;
}

function requestOf(address: string, url = '') {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: '192.0.2.1' });
  const request = new IncomingMessage(socket);
  Object.assign(request, { url, rawHeaders: ['X-Forwarded-For', address] });
  request.headers['x-forwarded-for'] = address;
  return { request, socket };
}

test('what waits is counted with its head, and no longer once it has had its turn', () => {
  const waiting = waitingRequests();
  expect([waiting.isCrowded, waiting.held.bytes.request]).toEqual([false, 0]);
  const done: string[] = [];
  const { request } = requestOf('198.51.100.2', 'x'.repeat(headBytes));
  waiting.take(request, work(done, 'short', 0));
  expect(waiting.isCrowded).toBe(true);
  expect(waiting.held.bytes.request).toBeGreaterThan(headBytes);
  expect(waiting.held.bytes.request).toBeLessThan(headBytes + 4_096);
  vi.runAllTimers();
  expect([done, waiting.isCrowded, waiting.held.bytes.request]).toEqual([['short'], false, 0]);
});

test('of an address that has too much waiting the largest goes, and is not answered; others are', async () => {
  const waiting = waitingRequests();
  const done: string[] = [];
  const greedy = Array.from({ length: 4 }, (_, at) => requestOf('198.51.100.2', 'x'.repeat(headBytes + at)));
  const honest = requestOf('198.51.100.3');
  waiting.take(honest.request, work(done, 'honest', 0));
  for (const { request } of greedy)
    waiting.take(request, work(done, request.url?.length.toString() ?? '', 0));
  const gone = greedy.filter(({ socket }) => socket.destroyed);
  expect(gone.length).toBe(3);
  expect(greedy[0].socket.destroyed).toBe(false);
  expect(waiting.held.shed).toEqual({ connection: 0, address: 3, all: 0 });
  // A socket says that it is closed a moment later.
  await new Promise(process.nextTick);
  vi.runAllTimers();
  expect(done.toSorted()).toEqual([String(headBytes), 'honest']);
  expect([honest.socket.destroyed, waiting.held.bytes.request]).toEqual([false, 0]);
});

test('whose client goes while it waits is nobody any more', async () => {
  const waiting = waitingRequests();
  const done: string[] = [];
  const [going, staying] = [requestOf('198.51.100.2'), requestOf('198.51.100.2')];
  waiting.take(going.request, work(done, 'going', 0));
  waiting.take(staying.request, work(done, 'staying', 0));
  const bytes = waiting.held.bytes.request;
  going.socket.destroy();
  await new Promise(process.nextTick);
  expect(waiting.held.bytes.request).toBe(bytes / 2);
  vi.runAllTimers();
  expect(done).toEqual(['staying']);
});

test('an address has a quarter of what a heap has room for, which is an eighth of it', () => {
  const MiB = 2 ** 20;
  expect(waitingLimitsOf(64 * MiB)).toMatchObject({ addressBytesMax: 2 * MiB, bytesMax: 8 * MiB });
});

test('who had to go is held by nobody while its turn is far away', async () => {
  const waiting = waitingRequests();
  const large = (): WeakRef<IncomingMessage> => {
    const { request } = requestOf('198.51.100.2', 'x'.repeat(limits.addressBytesMax));
    waiting.take(request, () => request.resume());
    return new WeakRef(request);
  };
  const gone = large();
  expect([waiting.isCrowded, waiting.held.shed.connection]).toEqual([true, 1]);
  // What was seen in this turn of the loop is held until its end.
  for (let turn = 0; turn < 3; turn++) await new Promise(process.nextTick);
  collectGarbage(false);
  expect(gone.deref()).toBeUndefined();
});

test('what came behind a request counts, and each field of its head', () => {
  const waiting = waitingRequests();
  const { request } = requestOf('198.51.100.2');
  request.rawHeaders = Array.from({ length: 20 }, () => '');
  waiting.take(request, () => {}, 1_000);
  expect(waiting.held.bytes.request).toBeGreaterThan(1_000 + 20 * 75);
});
