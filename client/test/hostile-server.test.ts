// A server that wants to be a burden: what it says goes to no terminal as it is, what it keeps open and what it has the client keep has
// a bound, and its numbers are ones to go on with.

import { expect, test } from 'vitest';
import { settle, startStream } from './fake-platform.ts';
import { postEvent } from './v1-server.ts';

const startUs = 1_700_000_000_000_000;
/** What has a terminal do something, and what says so. */
const control = '\u001b]0;title\u0007\u009b31m';

test('its words are in warnings and errors without what a terminal would act on', async () => {
  const { platform, stream } = startStream({ onNotice: undefined, timing: { retryFirstMs: 30_000 } });
  void stream.next().catch(() => {});
  await settle();
  platform.chance = 1;
  platform.socket.open();
  platform.socket.lose(4000, `closed ${control}`);
  await settle();
  expect(platform.warned).toEqual([expect.stringContaining('"closed ?]0;title??31m"')]);

  const garbled = startStream({ compress: true });
  garbled.platform.response = { status: 200, body: `[${control}` };
  await expect(garbled.stream.next()).rejects.toMatchObject({
    code: 'CLIENT_NO_DICTIONARY',
    message: expect.not.stringMatching(/\p{C}/u),
  });

  const refused = startStream();
  refused.platform.response = { status: 400, body: `invalid cursor: ${control}` };
  const next = refused.stream.next();
  await settle();
  refused.platform.socket.fail();
  await expect(next).rejects.toMatchObject({
    message: expect.stringContaining('invalid cursor: ?]0;title??31m'),
  });
});

test('of connections that it does not let end there are only so many, and then few', async () => {
  const { platform, stream } = startStream();
  void stream.next();
  const progress = { cursor: startUs, lag_us: 0, live: false };
  /** A minute in which each connection opens, and then says nothing any more. */
  const minute = async (): Promise<void> => {
    await settle();
    const { socket } = platform;
    if (socket.readyState === 0) {
      socket.open();
      socket.message({ kind: 'progress', time_us: startUs, progress });
    }
    await platform.pass(60_000);
  };
  while (stream.status.connections < 16) await minute();
  for (let at = 0; at < 3; at++) await minute();
  const { sockets } = platform;
  expect(stream.status.connections).toBe(16);
  expect(stream.status.state).toBe('waiting');
  // One that has gone makes room for one.
  sockets[0].lose();
  for (let at = 0; at < 3; at++) await minute();
  expect(stream.status.connections).toBe(17);
  // The server may be well again: it is tried all the same.
  for (let at = 0; at < 60; at++) await minute();
  const { connections } = stream.status;
  expect(connections).toBeGreaterThanOrEqual(17 + 2);
  expect(connections).toBeLessThanOrEqual(17 + 12);
  await stream.close();
  sockets[1].lose();
  await minute();
  expect(stream.status).toMatchObject({ connections, state: 'ended' });
  expect(platform.timers).toBe(0);
});

test('a number that has none after it is no place to go on from', async () => {
  const { platform, stream } = startStream();
  void stream.next();
  await settle();
  platform.socket.open();
  const last = Number.MAX_SAFE_INTEGER;
  platform.socket.message(
    { kind: 'progress', time_us: last, progress: { cursor: last, lag_us: 0, live: true } },
    { kind: 'gap', time_us: last, gap: { from_us: 0, to_us: 0, reason: 'x' } },
    postEvent('a', last),
    postEvent('b', startUs),
  );
  expect(stream.status).toMatchObject({ newestUs: startUs, malformed: { not_an_event: 3 } });
  await stream.close();
});
