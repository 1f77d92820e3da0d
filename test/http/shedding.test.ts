// What clients are told when memory is short: those that are not let in, and those that have to go.

import { expect, test } from 'vitest';
import { newestOfMost } from '../../lib/http/session-set.ts';
import { closeOf, listening } from './listening.ts';
import { exchange, handshake, head, sent } from './raw-client.ts';

test('while no replays are let in, live subscribers are', async () => {
  const { listener, port, client } = await listening();
  listener.sessions.memory = { takes: (replays) => !replays, look: () => {} };
  const { status, headers, body } = await exchange(port, handshake('/subscribe?cursor=1'));
  expect([status, body]).toEqual([
    503,
    '{"message":"Service Unavailable: this server is short of memory"}\n',
  ]);
  expect(headers).toContainEqual(['retry-after', '5']);
  for (const target of ['/events?cursor=1', '/events.ndjson?cursor=1']) {
    expect((await exchange(port, head(`GET ${target}`))).status, target).toBe(503);
  }
  expect(listener.sessions.refusals.get('memory_short')).toBe(3);
  await client();
  const events = sent(port, head('GET /events'));
  await expect.poll(() => events.received()).toContain('200 OK');
});

test('who has to go is told why, over each protocol', async () => {
  const { listener, port, client } = await listening();
  const events = sent(port, head('GET /events'));
  await expect.poll(() => events.received()).toContain('200 OK');
  const socket = await client();
  const closed = closeOf(socket);
  expect(listener.sessions.shedNewest(5)).toBe(2);
  const text = 'this server is short of memory: try again later, from your cursor';
  expect(await closed).toEqual({ code: 1013, reason: text });
  await events.closed;
  expect(events.received()).toContain(text);
  await expect.poll(() => listener.sessions.counts.ended.get('memory_short')).toBe(2);
});

test('who does not read is gone soon', async () => {
  const { listener, raw } = await listening();
  const client = await raw();
  client.socket.pause();
  expect(listener.sessions.staying.length).toBe(1);
  listener.sessions.shedNewest(1);
  // On its way out it is none of those that are left.
  expect([listener.sessions.members.size, listener.sessions.staying.length]).toEqual([1, 0]);
  // The usual time for a goodbye is five seconds.
  await expect.poll(() => listener.sessions.members.size, { timeout: 3_000 }).toBe(0);
});

test('memory is looked at while there are sessions', async () => {
  const { listener, client } = await listening();
  let looks = 0;
  listener.sessions.memory = { takes: () => true, look: () => void looks++ };
  await client();
  await expect.poll(() => looks).toBeGreaterThan(3);
});

test('the newest of those addresses go that have most, and of those that have a few the newest', () => {
  const session = (remoteAddress: string, age: number) => ({ remoteAddress, age });
  const sessions = [
    session('a', 1),
    session('a', 2),
    ...[3, 4, 5, 6, 7].map((age) => session('b', age)),
    session('c', 8),
    session('b', 9),
    session('d', 10),
  ];
  const ages = (count: number): number[] => newestOfMost(sessions, count).map(({ age }) => age);
  expect(ages(0)).toEqual([]);
  expect(ages(1)).toEqual([9]);
  expect(ages(2)).toEqual([9, 7]);
  expect(ages(5)).toEqual([9, 7, 10, 8, 6]);
  // Who was there first, with two, goes last.
  expect(ages(100)).toEqual([9, 7, 10, 8, 6, 5, 4, 3, 2, 1]);
});
