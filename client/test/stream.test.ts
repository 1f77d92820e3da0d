// What depends on intervals, order and chance: sockets and time in the hands of the test.

import { describe, expect, test } from 'vitest';
import type { StreamNotice } from '../lib/notice.ts';
import { subscribe } from '../lib/subscribe.ts';
import { FakePlatform, type FakeSocket, settle, startStream } from './fake-platform.ts';
import { postEvent } from './v1-server.ts';

const second = 1_000_000;
/** The platform's clock starts there. */
const startUs = 1_700_000_000 * second;

const progress = (timeUs: number, live = true) => ({
  kind: 'progress',
  time_us: timeUs,
  progress: { cursor: timeUs + 1, lag_us: 0, live },
});

/** The names of the next events, as they come. */
async function names(stream: AsyncIterator<unknown>, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) taken.push(nameOf(await stream.next()));
  return taken;
}

function nameOf(result: IteratorResult<unknown>): string {
  return result.done ? 'done' : (result.value as { commit: { rkey: string } }).commit.rkey;
}

describe('attempts', () => {
  /** Fails the attempt under way, and waits for the next. */
  async function failOnce(platform: FakePlatform, notices: readonly StreamNotice[]): Promise<void> {
    await settle();
    platform.socket.fail();
    await settle();
    const last = notices.at(-1);
    if (last?.kind === 'disconnected') await platform.pass(last.retryMs);
  }

  test('nothing happens before the first event is asked for', async () => {
    const { platform, stream } = startStream();
    await settle();
    expect(platform.sockets).toEqual([]);
    expect(stream.status).toMatchObject({ state: 'idle', live: false, connections: 0, queuedEvents: 0 });
    void stream.next();
    await settle();
    expect(platform.socket.url).toBe('ws://server.example/subscribe?progress=true');
    expect(platform.socket.binaryType).toBe('arraybuffer');
    expect(stream.status.state).toBe('connecting');
  });

  test('waits double with jitter up to a bound, and start over after a healthy connection', async () => {
    const { platform, stream, notices } = startStream();
    void stream.next();
    await settle();
    const waits = async (chance: number): Promise<number> => {
      platform.chance = chance;
      platform.socket.fail();
      await settle();
      const { retryMs } = notices.at(-1) as { retryMs: number };
      const sockets = platform.sockets.length;
      await platform.pass(retryMs - 1);
      expect(platform.sockets.length).toBe(sockets);
      await platform.pass(1);
      expect(platform.sockets.length).toBe(sockets + 1);
      return retryMs;
    };
    const most: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) most.push(await waits(1));
    expect(most).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(await waits(0)).toBe(200);
    platform.socket.open();
    await platform.pass(9_999);
    expect(await waits(1)).toBe(30_000);
    platform.socket.open();
    await platform.pass(10_000);
    expect(await waits(1)).toBe(1_000);
    platform.socket.open();
    for (let at = 0; at < 64; at++) platform.socket.message(postEvent(`h${at}`, startUs + at));
    expect(await waits(1)).toBe(1_000);
    expect(stream.status.connections).toBe(3);
  });

  test('an attempt that hangs is given up', async () => {
    const { platform, stream, notices } = startStream();
    void stream.next();
    await platform.pass(14_999);
    expect(notices).toEqual([]);
    const { socket } = platform;
    await platform.pass(1);
    expect(socket.closed).toBe(true);
    expect(notices).toMatchObject([{ kind: 'disconnected', why: 'connect_timeout', status: undefined }]);
  });

  test('silence is an end once the server has shown that it reports progress', async () => {
    const { platform, stream, notices } = startStream();
    void stream.next();
    await settle();
    platform.socket.open();
    await platform.pass(100_000);
    expect(notices.map(({ kind }) => kind)).toEqual(['connected']);
    const { socket } = platform;
    socket.message(progress(startUs, false));
    await platform.pass(14_000);
    socket.message(progress(startUs, false));
    await platform.pass(15_900);
    expect(socket.closed).toBe(false);
    await platform.pass(100);
    expect(socket.closed).toBe(true);
    expect(notices.at(-1)).toMatchObject({ kind: 'disconnected', why: 'silent' });
  });

  test('a server that asks for time gets it, and the back-off on top', async () => {
    const { platform, stream, notices } = startStream();
    platform.response = { status: 503, headers: { 'retry-after': '20' } };
    void stream.next();
    await settle();
    platform.socket.fail();
    await settle();
    expect(platform.fetched).toEqual(['http://server.example/subscribe?progress=true']);
    expect(notices).toMatchObject([{ kind: 'disconnected', status: 503, retryMs: 20_000 + 1_100 }]);
    const date = new Date(platform.timeMs + 1_000_000_000).toUTCString();
    platform.response = { status: 429, headers: { 'retry-after': date } };
    await platform.pass(21_100);
    platform.socket.fail();
    await settle();
    expect(notices.at(-1)).toMatchObject({ status: 429, retryMs: 300_000 + 2_100 });
  });

  test.each([
    ['invalid cursor: x'],
    ['invalid subscriber options: invalid collection: x'],
    ['subscribe: invalid options: x'],
    ['unknown zstd dictionary: 5: give one of 7'],
  ])('a server that says "%s" is not asked again', async (body) => {
    const { platform, stream } = startStream();
    platform.response = { status: 400, body };
    const next = stream.next();
    await settle();
    platform.socket.fail();
    await expect(next).rejects.toMatchObject({
      code: 'CLIENT_REFUSED',
      message: `the server refuses the subscription: ${body}`,
    });
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    expect(stream.status.state).toBe('ended');
    expect(platform.timers).toBe(0);
  });

  test.each([
    [400, 'Bad Request\nFor people.\n', /answers 400 \(Bad Request\) .* permessage-deflate/],
    [403, '', /answers 403 .* lets nobody in/],
  ])(
    'a server that answers %d and never was connected is given up, with the cause',
    async (status, body, why) => {
      const { platform, stream, notices } = startStream();
      platform.response = { status, body };
      const next = stream.next();
      next.catch(() => {});
      for (let attempt = 1; attempt <= 8; attempt++) {
        await settle();
        expect(platform.sockets).toHaveLength(attempt);
        await failOnce(platform, notices);
      }
      await expect(next).rejects.toMatchObject({
        code: 'CLIENT_NOT_UPGRADED',
        retryable: true,
        message: expect.stringMatching(why),
      });
      expect(notices).toHaveLength(7);
      expect(notices.at(-1)).toMatchObject({ status, words: body.split('\n', 1)[0].trim() });
      expect(platform.timers).toBe(0);
    },
  );

  test.each([404, 405, 410])(
    'a path that answers %d has no subscription, which is said at once',
    async (status) => {
      const { platform, stream, notices } = startStream({ url: 'ws://server.example/firehose' });
      platform.response = { status, body: 'Not Found' };
      const next = stream.next();
      await settle();
      platform.socket.fail();
      await expect(next).rejects.toMatchObject({
        code: 'CLIENT_REFUSED',
        exitCode: 2,
        message: `there is no subscription at ws://server.example/firehose: the server answers ${status} (Not Found). Check the path of the address`,
      });
      expect(notices).toEqual([]);
      expect(platform.timers).toBe(0);
    },
  );

  test('but it is waited for once it was there', async () => {
    const { platform, stream, notices } = startStream();
    platform.response = { status: 404 };
    void stream.next();
    await settle();
    platform.socket.open();
    for (let attempt = 1; attempt <= 10; attempt++) await failOnce(platform, notices);
    expect(stream.status.state).not.toBe('ended');
  });

  test.each([
    ['as Node wraps it', new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } })],
    ['as Bun has it', Object.assign(new Error('Unable to connect'), { code: 'ECONNREFUSED' })],
    ['as browsers hide it', new TypeError('Failed to fetch')],
  ])('why there is no answer is told, %s', async (name, error) => {
    const { platform, stream, notices } = startStream();
    platform.fetchError = error;
    void stream.next();
    await settle();
    platform.socket.fail();
    await settle();
    const cause = name.includes('hide') ? undefined : 'ECONNREFUSED';
    expect(notices).toMatchObject([{ kind: 'disconnected', status: undefined, cause }]);
  });

  test('without onNotice an outage of ten seconds is a warning, once', async () => {
    const platform = new FakePlatform();
    platform.fetchError = new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
    const stream = subscribe({ url: 'ws://server.example:9999', platform });
    void stream.next();
    const failFor = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        await platform.pass(1_000);
        if (platform.socket.readyState === 0) platform.socket.fail();
      }
    };
    await failFor(5);
    expect(platform.warned).toEqual([]);
    await failFor(300);
    const warning =
      'slipstream-client: still trying to connect: nothing listens at server.example:9999: is the server running?';
    expect(platform.warned).toEqual([warning]);
    while (platform.socket.readyState !== 0) await platform.pass(1_000);
    platform.socket.open();
    platform.socket.lose();
    expect(platform.warned).toHaveLength(1);
    await failFor(60);
    // Its wait is longer than that after so many failures.
    expect(platform.warned).toEqual([warning, 'slipstream-client: still trying to connect: closed (1006)']);
    await stream.close();
  });

  test('without onNotice a cursor that is not saved is a warning, once', async () => {
    const platform = new FakePlatform();
    const cursorStore = {
      load: () => undefined,
      save: () => Promise.reject(new Error('disk full')),
    };
    const stream = subscribe({ url: 'ws://server.example', platform, cursorStore });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(10));
    await platform.pass(5_000);
    expect(platform.warned).toEqual([
      'slipstream-client: the cursor is not saved: Error: disk full; trying again every second',
    ]);
    await stream.close();
  });

  test.each([408, 429, 500, 503])('a server that answers %d is asked for ever', async (status) => {
    const { platform, stream, notices } = startStream();
    platform.response = { status };
    void stream.next();
    for (let attempt = 1; attempt <= 20; attempt++) {
      await failOnce(platform, notices);
    }
    expect(notices).toHaveLength(20);
  });

  test('so is one that was connected once', async () => {
    const { platform, stream, notices } = startStream();
    platform.response = { status: 400 };
    void stream.next();
    await settle();
    platform.socket.open();
    for (let attempt = 1; attempt <= 20; attempt++) {
      await failOnce(platform, notices);
    }
    expect(notices.filter(({ kind }) => kind === 'disconnected')).toHaveLength(20);
  });

  test('so is one that refuses an update by its close frame', async () => {
    const { platform, stream } = startStream();
    const next = stream.next();
    await settle();
    platform.socket.open();
    stream.update({ wantedCollections: ['nonsense'] });
    platform.socket.lose(1000, 'failed to parse subscriber options: invalid subscriber options');
    await expect(next).rejects.toMatchObject({ code: 'CLIENT_REFUSED' });
  });

  test('a connection that was given up is not heard any more', async () => {
    const { platform, stream } = startStream({ queue: { eventsMax: 1 } });
    const next = stream.next();
    await settle();
    const { socket } = platform;
    const { onmessage } = socket;
    socket.open();
    socket.message(postEvent('a', 1));
    expect(nameOf(await next)).toBe('a');
    socket.message(postEvent('b', 2), postEvent('c', 3));
    onmessage?.call(socket, { data: '{}' });
    expect(stream.status.queuedEvents).toBe(1);
  });
});

describe('position', () => {
  /** Loses the connection and waits for the next one. */
  async function reconnect(platform: FakePlatform): Promise<FakeSocket> {
    platform.socket.lose();
    await platform.pass(30_000);
    platform.socket.open();
    return platform.socket;
  }

  test('a server without progress is asked for the last seconds again, and nothing comes twice', async () => {
    const { platform, stream } = startStream();
    const first = names(stream, 2);
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', startUs), postEvent('b', startUs + second));
    expect(await first).toEqual(['a', 'b']);
    const socket = await reconnect(platform);
    expect(socket.query.get('cursor')).toBe(String(startUs - second));
    // One that shares its time with the last, and one that came late.
    socket.message(postEvent('a', startUs), postEvent('late', startUs + 5), postEvent('b', startUs + second));
    socket.message(postEvent('c', startUs + second));
    expect(await names(stream, 2)).toEqual(['late', 'c']);
    expect(stream.status).toMatchObject({ repeated: 2, delivered: 4, connections: 2 });
  });

  test('a server with progress is asked for exactly what is missing', async () => {
    const { platform, stream } = startStream();
    const first = names(stream, 1);
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', startUs), progress(startUs + 7));
    expect(await first).toEqual(['a']);
    const socket = await reconnect(platform);
    expect(socket.query.get('cursor')).toBe(String(startUs + 8));
  });

  test('a gap is told once, in the cursor too, and only behind what the consumer has finished', async () => {
    const gap = (timeUs: number) => ({
      kind: 'gap',
      time_us: timeUs,
      gap: { reason: 'relay_gap', from_us: startUs, to_us: timeUs, missing: true, repeated: false },
    });
    const { platform, stream, notices } = startStream();
    const first = names(stream, 1);
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', startUs), postEvent('b', startUs + 1), gap(startUs + 5));
    expect(await first).toEqual(['a']);
    expect(stream.status.cursor).toBeUndefined();
    const socket = await reconnect(platform);
    expect(socket.query.get('cursor')).toBe(String(startUs + 6));
    socket.message(gap(startUs + 5), postEvent('c', startUs + 7), gap(startUs + 9));
    expect(await names(stream, 2)).toEqual(['b', 'c']);
    void stream.next();
    expect(stream.status.cursor).toBe(startUs + 10);
    const told = notices.filter((notice) => notice.kind === 'gap').map(({ timeUs }) => timeUs);
    expect(told).toEqual([startUs + 5, startUs + 9]);
  });

  test('a gap that reaches beyond the end is told before the stream ends, and one behind it is not', async () => {
    for (const [fromUs, isTold] of [
      [startUs, true],
      [startUs + 9, false],
    ] as const) {
      const { platform, stream, notices } = startStream({ untilUs: startUs + 10 });
      const all = names(stream, 1);
      await settle();
      platform.socket.open();
      const meaning = { reason: 'expired', missing: true, repeated: false };
      const toUs = startUs + 500;
      platform.socket.message({
        kind: 'gap',
        time_us: toUs,
        gap: { ...meaning, from_us: fromUs, to_us: toUs },
      });
      expect(await all).toEqual(['done']);
      expect(notices.some((notice) => notice.kind === 'gap')).toBe(isTold);
    }
  });

  test('what waits is delivered although the connection is gone', async () => {
    const { platform, stream } = startStream();
    const first = names(stream, 1);
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', 1), postEvent('b', 2), postEvent('c', 3));
    expect(await first).toEqual(['a']);
    platform.socket.lose();
    expect(await names(stream, 2)).toEqual(['b', 'c']);
  });

  test('the cursor follows what the consumer has finished, and progress only behind it', async () => {
    const { platform, stream } = startStream({ cursor: 1 });
    const first = stream.next();
    await settle();
    expect(stream.status.cursor).toBe(1);
    platform.socket.open();
    // In one turn, as a socket hands over what one read brought: the consumer has not run yet.
    platform.socket.message(postEvent('a', 10), progress(15, false));
    await settle();
    expect(stream.status.cursor).toBe(1);
    await first;
    platform.socket.message(postEvent('b', 20), progress(30, false));
    expect(stream.status.cursor).toBe(1);
    await stream.next();
    expect(stream.status.cursor).toBe(16);
    const third = stream.next();
    expect(stream.status.cursor).toBe(31);
    platform.socket.message(progress(40));
    expect(stream.status.cursor).toBe(41);
    await stream.close();
    expect(nameOf(await third)).toBe('done');
    expect(stream.status.cursor).toBe(41);
  });

  test('kinds that are not wanted move the cursor', async () => {
    const { platform, stream } = startStream({ wantedOperations: ['delete'] });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', 10));
    expect(stream.status).toMatchObject({ cursor: 10, queuedEvents: 0, newestUs: 10 });
  });
});

describe('cursor store', () => {
  test('it is asked once, saved to at most once a second, and at the end', async () => {
    const saves: number[] = [];
    const store = {
      loads: 0,
      load: () => void store.loads++,
      save: (cursor: number) => void saves.push(cursor),
    };
    const { platform, stream } = startStream({ cursorStore: store });
    const first = stream.next();
    await settle();
    platform.socket.open();
    for (let at = 1; at <= 5; at++) platform.socket.message(postEvent(String(at), at));
    await first;
    await stream.next();
    await stream.next();
    expect(saves).toEqual([]);
    await platform.pass(1_000);
    expect(saves).toEqual([2]);
    await platform.pass(10_000);
    expect(saves).toEqual([2]);
    await stream.next();
    // The fourth is at hand: it may have been what the loop was left for.
    await stream.return();
    expect(saves).toEqual([2, 3]);
    expect(store.loads).toBe(1);
    expect(platform.timers).toBe(0);
  });

  test('what it holds is used in place of the cursor given', async () => {
    const { platform, stream } = startStream({
      cursor: 5,
      cursorStore: { load: async () => 77, save: () => {} },
    });
    void stream.next();
    await settle();
    expect(platform.socket.query.get('cursor')).toBe('77');
  });

  test('one that cannot load ends the stream; one that cannot save is noticed and tried again', async () => {
    const failing = startStream({
      cursorStore: { load: () => Promise.reject(new Error('no disk')), save: () => {} },
    });
    await expect(failing.stream.next()).rejects.toThrow('no disk');
    let failures = 1;
    const saves: number[] = [];
    const save = (cursor: number): void => {
      if (failures-- > 0) throw new Error('full');
      saves.push(cursor);
    };
    const { platform, stream, notices } = startStream({ cursorStore: { load: () => undefined, save } });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(1));
    await platform.pass(1_000);
    expect(notices.at(-1)).toMatchObject({ kind: 'save_failed', error: { message: 'full' } });
    // Without anything new, too.
    await platform.pass(1_000);
    expect(saves).toEqual([2]);
    await platform.pass(10_000);
    expect(saves).toEqual([2]);
  });

  test('one that hangs does not keep a stream from its end', async () => {
    const store = { load: () => undefined, save: () => new Promise<void>(() => {}) };
    const { platform, stream, notices } = startStream({ cursorStore: store });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(1));
    await platform.pass(1_000);
    let isClosed = false;
    const closed = stream.close().then(() => {
      isClosed = true;
    });
    await platform.pass(4_900);
    expect(isClosed).toBe(false);
    await platform.pass(200);
    await closed;
    expect(notices.at(-1)).toMatchObject({ kind: 'save_failed', error: { code: 'CLIENT_SAVE_TIMED_OUT' } });
    expect(platform.timers).toBe(0);
  });

  test('saves do not overlap', async () => {
    const running: (() => void)[] = [];
    let overlap = 0;
    const save = (): Promise<void> => {
      overlap = Math.max(overlap, running.length + 1);
      return new Promise((resolve) =>
        running.push(() => {
          running.pop();
          resolve();
        }),
      );
    };
    const { platform, stream } = startStream({ cursorStore: { load: () => undefined, save } });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(1));
    await platform.pass(1_000);
    platform.socket.message(progress(2));
    await platform.pass(1_000);
    const closed = stream.close();
    await settle();
    expect(running.length).toBe(1);
    running[0]();
    await settle();
    running[0]();
    await closed;
    expect(overlap).toBe(1);
  });
});

describe('a slow consumer', () => {
  test.each([
    ['events', { eventsMax: 4 }],
    ['bytes', { bytesMax: 700 }],
  ])('fills the queue by %s; the stream disconnects, and comes back when half is gone', async (_, queue) => {
    const { platform, stream, notices } = startStream({ queue });
    const first = stream.next();
    await settle();
    platform.socket.open();
    const { socket } = platform;
    const all = Array.from({ length: 20 }, (_, at) => postEvent(`e${at}`, startUs + at));
    socket.message(...all);
    await first;
    const { queuedEvents, queuedBytes } = stream.status;
    expect(socket.closed).toBe(true);
    expect(queuedEvents).toBeLessThanOrEqual(4);
    expect(queuedBytes).toBeLessThan(1_000);
    await platform.pass(60_000);
    expect(platform.sockets.length).toBe(1);
    expect(stream.status).toMatchObject({ state: 'paused', pauses: 1 });
    expect(notices.at(-1)).toEqual({ kind: 'paused' });
    const seen = ['e0'];
    while (seen.length < 20) {
      const connection = platform.socket;
      // The server sends all of it anew, as fast as it can.
      if (connection.readyState === 0) {
        expect(stream.status.queuedEvents).toBeGreaterThan(0);
        connection.open();
        connection.message(...all);
        expect(connection.closed || seen.length + stream.status.queuedEvents === 20).toBe(true);
        expect(stream.status.queuedEvents).toBeLessThanOrEqual(4);
      }
      seen.push(...(await names(stream, 1)));
      await settle();
    }
    expect(seen).toEqual(all.map((_, at) => `e${at}`));
    expect(stream.status.pauses).toBeGreaterThan(3);
    expect(notices.filter(({ kind }) => kind === 'disconnected')).toEqual([]);
  });
});

describe('filters', () => {
  test('an update is sent at once, or with the connection in the making, and holds for the next', async () => {
    const { platform, stream } = startStream({ wantedCollections: ['a.b.c'] });
    void stream.next();
    await settle();
    stream.update({ wantedCollections: ['a.b.d'] });
    expect(platform.socket.sent).toEqual([]);
    platform.socket.open();
    stream.update({ wantedDids: ['did:x:y'] });
    const payloads = platform.socket.sent.map((text) => JSON.parse(text).payload);
    expect(payloads).toMatchObject([
      { wantedCollections: ['a.b.d'], wantedDids: [] },
      { wantedCollections: [], wantedDids: ['did:x:y'] },
    ]);
    platform.socket.lose();
    await platform.pass(30_000);
    platform.socket.open();
    expect(platform.socket.query.getAll('wantedDids')).toEqual(['did:x:y']);
    expect(platform.socket.query.has('wantedCollections')).toBe(false);
    expect(platform.socket.sent).toEqual([]);
  });

  test('an update holds for what the client looks at itself', async () => {
    const { platform, stream } = startStream({ wantedSubjects: ['did:x:y'] });
    const first = stream.next();
    await settle();
    platform.socket.open();
    const pointing = (name: string, timeUs: number, subject: string) => {
      const event = postEvent(name, timeUs) as { commit: Record<string, unknown> };
      event.commit.record = { subject };
      return event;
    };
    platform.socket.message(pointing('a', startUs, 'did:x:z'), pointing('b', startUs + 1, 'did:x:y'));
    expect(nameOf(await first)).toBe('b');
    stream.update({ wantedSubjects: ['did:x:z'] });
    expect(JSON.parse(platform.socket.sent[0]).payload.wantedSubjects).toEqual(['did:x:z']);
    platform.socket.message(pointing('c', startUs + 2, 'did:x:y'), pointing('d', startUs + 3, 'did:x:z'));
    stream.update({});
    platform.socket.message(postEvent('e', startUs + 4));
    expect(await names(stream, 2)).toEqual(['d', 'e']);
  });

  test('what the new filter lets through from before the update is not asked for', async () => {
    const { platform, stream } = startStream();
    const first = stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', startUs));
    await first;
    stream.update({ wantedDids: ['did:x:y'] });
    platform.socket.lose();
    await platform.pass(30_000);
    expect(platform.socket.query.get('cursor')).toBe(String(startUs));
  });

  test('a long one is sent as soon as the connection is open', async () => {
    const wantedDids = Array.from({ length: 1_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
    const { platform, stream } = startStream({ wantedDids });
    void stream.next();
    await settle();
    platform.socket.open();
    expect(platform.socket.sent.map((text) => JSON.parse(text).payload.wantedDids)).toEqual([wantedDids]);
  });
});

describe('the end', () => {
  test.each([['before'], ['connecting'], ['open'], ['waiting'], ['paused']])(
    'a signal ends the stream, %s',
    async (moment) => {
      const abort = new AbortController();
      const { platform, stream } = startStream({ signal: abort.signal, queue: { eventsMax: 1 } });
      if (moment === 'before') abort.abort();
      const next = stream.next();
      await settle();
      if (moment === 'open' || moment === 'paused') platform.socket.open();
      if (moment === 'waiting') platform.socket.fail();
      await settle();
      if (moment === 'paused') platform.socket.message(postEvent('a', 1), postEvent('b', 2));
      await settle();
      if (moment !== 'before') expect(stream.status.state).toBe(moment);
      abort.abort();
      expect(nameOf(await next)).toBe(moment === 'paused' ? 'a' : 'done');
      expect(await stream.next()).toEqual({ value: undefined, done: true });
      await settle();
      expect(platform.timers).toBe(0);
      expect(stream.status).toMatchObject({ state: 'ended', queuedEvents: 0 });
    },
  );

  test('untilUs: at the first event that is not older, after all that is', async () => {
    const { platform, stream } = startStream({ untilUs: 12 });
    const first = names(stream, 3);
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', 10), postEvent('b', 11), postEvent('c', 12), postEvent('d', 11));
    expect(await first).toEqual(['a', 'b', 'done']);
  });

  test('untilUs: when progress has come so far', async () => {
    const { platform, stream } = startStream({ untilUs: 12 });
    const next = stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(10, false));
    expect(stream.status.state).toBe('open');
    platform.socket.message(progress(11, false));
    expect(nameOf(await next)).toBe('done');
  });

  test('untilUs: when the server is live and the moment is over, although nothing happens', async () => {
    const { platform, stream } = startStream({ untilUs: startUs + 80 * second });
    const next = stream.next();
    await settle();
    platform.socket.open();
    for (let seconds = 0; seconds < 75; seconds += 5) {
      platform.socket.message(progress(10, seconds > 10));
      await platform.pass(5_000);
    }
    platform.socket.message(progress(10));
    await platform.pass(5_999);
    expect(stream.status.state).toBe('open');
    await platform.pass(1);
    expect(nameOf(await next)).toBe('done');
    expect(platform.timers).toBe(0);
  });

  test('untilUs: not while older events are still being replayed', async () => {
    const { platform, stream } = startStream({ untilUs: startUs });
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(progress(10), progress(10, false));
    await platform.pass(5_000);
    platform.socket.message(progress(10, false));
    await platform.pass(5_000);
    expect(stream.status.state).toBe('open');
  });

  test('a loop that is left closes the connection', async () => {
    const { platform, stream } = startStream();
    setTimeout(() => {
      platform.socket.open();
      platform.socket.message(postEvent('a', 1), postEvent('b', 2));
    }, 0);
    for await (const event of stream) {
      expect(event.time_us).toBe(1);
      break;
    }
    expect(platform.socket.closed).toBe(true);
    expect(stream.status).toMatchObject({ state: 'ended', queuedEvents: 0, cursor: undefined });
  });

  test('what transform and onNotice throw ends the loop with it', async () => {
    const transform = (): never => {
      throw new Error('mine');
    };
    const platform = new FakePlatform();
    const one = subscribe({ url: 'ws://server.example', platform, transform });
    const next = one.next();
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', 1));
    await expect(next).rejects.toThrow('mine');
    const other = startStream({ onNotice: transform });
    const waiting = other.stream.next();
    await settle();
    other.platform.socket.open();
    await expect(waiting).rejects.toThrow('mine');
    expect(other.platform.socket.closed).toBe(true);
  });

  test('two calls of next at a time are refused', async () => {
    const { stream } = startStream();
    const next = stream.next();
    await expect(stream.next()).rejects.toMatchObject({ code: 'CLIENT_CONCURRENT_NEXT' });
    expect(nameOf(await next)).toBe('done');
  });
});

describe('messages', () => {
  test('what is malformed is counted and noticed, and the rest goes on', async () => {
    const { platform, stream, notices } = startStream();
    const next = stream.next();
    await settle();
    platform.socket.open();
    const { socket } = platform;
    socket.message('{"did"', '[]', { ...postEvent('a', 1), kind: 'new' }, `"${'x'.repeat(9_000_000)}"`);
    socket.onmessage?.({ data: new ArrayBuffer(4) });
    socket.onmessage?.({ data: 5 });
    socket.message(postEvent('a', 1));
    expect(nameOf(await next)).toBe('a');
    const malformed = { not_json: 1, not_an_event: 1, unknown_kind: 1, too_large: 1, bad_frame: 2 };
    expect(stream.status.malformed).toEqual(malformed);
    const told = notices.filter((notice) => notice.kind === 'malformed');
    expect(told.slice(0, 2)).toEqual([
      { kind: 'malformed', reason: 'not_json', text: '{"did"' },
      { kind: 'malformed', reason: 'not_an_event', text: '[]' },
    ]);
    expect(Math.max(...told.map(({ text }) => text.length))).toBe(200);
  });

  test('catching up is told once, by progress or else by the clock', async () => {
    const { platform, stream, notices } = startStream();
    const kinds = () => notices.map(({ kind }) => kind).filter((kind) => kind !== 'progress');
    void stream.next();
    await settle();
    platform.socket.open();
    platform.socket.message(postEvent('a', startUs - 3 * second));
    expect(stream.status).toMatchObject({ live: false, lagUs: 3 * second });
    platform.socket.message(postEvent('b', startUs - second), postEvent('c', startUs));
    expect(stream.status).toMatchObject({ live: true, lagUs: 0 });
    platform.socket.message(progress(startUs, false), progress(startUs), progress(startUs));
    expect(kinds()).toEqual(['connected', 'caught_up', 'caught_up']);
    platform.socket.lose();
    await settle();
    expect(stream.status.live).toBe(false);
  });

  test('transform makes values of an event and its text', async () => {
    const platform = new FakePlatform();
    const stream = subscribe({
      url: 'ws://server.example',
      platform,
      transform: (event, text) => `${event.time_us} ${text}`,
    });
    const next = stream.next();
    await settle();
    platform.socket.open();
    const text = ` ${JSON.stringify(postEvent('a', 1, { later: 1 }))}`;
    platform.socket.message(text);
    expect(await next).toEqual({ value: `1 ${text}`, done: false });
  });
});
