// Relays that leap, fall back, lag and lie, in front of a whole daemon. What is right is the same for all: each frame that
// came is delivered once, the daemon goes on, and says what happened.

import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Daemon } from '../support/daemon.ts';
import { frame, frames, futureCursor, type Script, ScriptedRelay, send } from './scripted-relay.ts';

const million = 1_000_000;
const first = 30_000_000_001;
const soon = { retryMinMs: 5, retryFirstMs: 20, retryMaxMs: 40 };

/** Everything that a daemon has stored and sends from now on, by the frames' names. */
class Names implements Disposable {
  readonly names: string[] = [];
  readonly #socket: WebSocket;

  constructor(daemon: Daemon) {
    this.#socket = new WebSocket(`${daemon.url}?cursor=0`);
    this.#socket.on('message', (data: Buffer) => {
      this.names.push(JSON.parse(`${data}`).identity.handle.replace('.test', ''));
    });
  }

  /** Waits for that many different ones, and returns all that came. */
  async some(count: number): Promise<string[]> {
    await expect.poll(() => new Set(this.names).size, { timeout: 10_000 }).toBe(count);
    return this.names;
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }
}

function named(start: number, count: number, prefix = 'n'): string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}${start + at}`);
}

function outcomes(daemon: Daemon, name: string): Promise<number> {
  return daemon.metric(`slipstream_relay_outcomes_total{outcome="${name}"}`);
}

/** Lines of the log that say so, as objects. */
function told(daemon: Daemon, name: string): Record<string, unknown>[] {
  return daemon.lines.map((line) => JSON.parse(line)).filter((line) => line.name === name);
}

test('one odd number far ahead: what comes after it is delivered, once', async () => {
  await using relay = await ScriptedRelay.listen((socket) => {
    send(socket, frames(first, 100));
    send(socket, [frame(first + million, 'odd')]);
    send(socket, frames(first + 100, 300));
  });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  using all = new Names(daemon);
  expect(await all.some(401)).toEqual([...named(first, 100), 'odd', ...named(first + 100, 300)]);
  expect(await outcomes(daemon, 'odd_sequence')).toBe(1);
  expect(await daemon.metric('slipstream_drops_total{reason="stale_sequence"}')).toBe(0);
  expect(told(daemon, 'odd_sequence')).toMatchObject([{ from: first + 99, to: first + million }]);
});

test('the same, and the end of the connection: it resumes behind what is confirmed', async () => {
  const live: Script = (socket, cursor) => {
    if (cursor !== undefined && cursor < first + 400) send(socket, frames(cursor + 1, first + 399 - cursor));
  };
  await using relay = await ScriptedRelay.listen((socket) => {
    send(socket, frames(first, 100));
    send(socket, [frame(first + million, 'odd')], true);
  }, live);
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(401)).toEqual([...named(first, 100), 'odd', ...named(first + 100, 300)]);
  expect(relay.cursors).toEqual([undefined, first + 99]);
});

test.each([1, 5_000_000])('lower numbers, from %d, on the same connection', async (low) => {
  await using relay = await ScriptedRelay.listen((socket) => {
    send(socket, frames(first, 100));
    send(socket, frames(low, 1000, 'low'));
  });
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  using all = new Names(daemon);
  expect(await all.some(1100)).toEqual([...named(first, 100), ...named(low, 1000, 'low')]);
  expect(await outcomes(daemon, 'new_numbering')).toBe(1);
  expect(told(daemon, 'new_numbering')).toMatchObject([{ from: first + 99, to: low }]);
  await expect
    .poll(() => daemon.metric(`slipstream_upstream_sequence{relay="${new URL(relay.url).host}"}`))
    .toBe(low + 999);
});

test('lower numbers after a reconnect, without a word, a few at a time', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    (socket) => send(socket, frames(7, 3, 'low'), true),
    (socket) => send(socket, frames(10, 3, 'low'), true),
    (socket, cursor) => {
      expect(cursor).toBe(first + 99);
      send(socket, frames(13, 200, 'low'));
    },
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(306)).toEqual([...named(first, 100), ...named(7, 206, 'low')]);
  expect(await outcomes(daemon, 'new_numbering')).toBe(1);
});

test('lower numbers while the daemon is away', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100)),
    (socket) => send(socket, frames(7, 200, 'low')),
    (socket, cursor) => send(socket, frames((cursor as number) + 1, 10, 'low')),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => daemon.metric('slipstream_log_stored_events')).toBe(100);
  await daemon.service.stop();
  await daemon.restart(['--ws-url', relay.url]);
  await expect.poll(() => daemon.metric('slipstream_log_stored_events')).toBe(300);
  await daemon.service.stop();
  await daemon.restart(['--ws-url', relay.url]);
  using all = new Names(daemon);
  expect(await all.some(310)).toEqual([...named(first, 100), ...named(7, 210, 'low')]);
  expect(relay.cursors).toEqual([undefined, first + 99, 206]);
});

test('FutureCursor once: the old place is tried again, nothing twice, nothing lost', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    futureCursor,
    // Gone live, the daemon would see the last ten again, and not what is after the cursor.
    (socket, cursor) => send(socket, frames((cursor ?? first + 89) + 1, 200)),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(300)).toEqual(named(first, 300));
  expect(relay.cursors).toEqual([undefined, first + 99, first + 99]);
  expect(await outcomes(daemon, 'started_over')).toBe(0);
});

test('FutureCursor for good: the place is given up', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    (socket, cursor) => {
      if (cursor !== undefined) futureCursor(socket, cursor);
      else send(socket, frames(5, 50, 'low'));
    },
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], { ...soon, startOverAfterMs: 100 });
  using all = new Names(daemon);
  expect(await all.some(150)).toEqual([...named(first, 100), ...named(5, 50, 'low')]);
  expect(await outcomes(daemon, 'started_over')).toBe(1);
  expect(told(daemon, 'started_over')).toMatchObject([{ from: first + 99 }]);
  expect(relay.cursors.filter((cursor) => cursor === first + 99).length).toBeGreaterThanOrEqual(5);
});

test('FutureCursor for good, and a stop while its new place is looked for: told after the restart', async () => {
  let isLive = false;
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    (socket, cursor) => {
      if (cursor !== undefined) futureCursor(socket, cursor);
      else if (isLive) send(socket, frames(5, 50, 'low'));
    },
  );
  const timing = { ...soon, startOverAfterMs: 100 };
  await using daemon = await Daemon.start(['--ws-url', relay.url], timing);
  // Live, where nothing comes: the place has been given up, and there is no other yet.
  await expect.poll(() => relay.cursors.slice(1).includes(undefined), { timeout: 10_000 }).toBe(true);
  await daemon.service.stop();
  isLive = true;
  await daemon.restart(['--ws-url', relay.url], timing);
  using all = new Names(daemon);
  expect(await all.some(150)).toEqual([...named(first, 100), ...named(5, 50, 'low')]);
  expect(told(daemon, 'started_over')).toMatchObject([{ from: first + 99, to: 5, isHole: true }]);
});

test('resuming far later than the cursor is told, with how far', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    (socket) => send(socket, frames(first + 50_100, 200)),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(300)).toEqual([...named(first, 100), ...named(first + 50_100, 200)]);
  expect(await outcomes(daemon, 'relay_gap')).toBe(1);
  expect(told(daemon, 'relay_gap')).toMatchObject([{ level: 'warn', from: first + 99, missing: 50_000 }]);
});

test('frames that come again with another time come once', async () => {
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, frames(first, 100), true),
    (socket) => send(socket, frames(first + 40, 100)),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(140)).toEqual(named(first, 140));
  expect(await daemon.metric('slipstream_drops_total{reason="stale_sequence"}')).toBe(60);
});

test('frames that cannot be read confirm nothing, and stop nothing', async () => {
  const bad = (seq: number): Uint8Array => {
    const whole = frame(seq);
    return whole.subarray(0, whole.length - 3);
  };
  await using relay = await ScriptedRelay.listen(
    (socket) => {
      send(socket, [...frames(first, 10), bad(first + 10), bad(first + million), ...frames(first + 11, 5)]);
      send(socket, [bad(first + 16), bad(first + million)], true);
    },
    (socket, cursor) => send(socket, frames((cursor as number) + 1, 10)),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  using all = new Names(daemon);
  expect(await all.some(25)).toEqual([...named(first, 10), ...named(first + 11, 15)]);
  expect(relay.cursors).toEqual([undefined, first + 15]);
});

test('a relay that only repeats itself is late and not ready, and gives way to another', async () => {
  const hour = 3_600_000;
  const old = (seq: number): Uint8Array => frame(seq, `n${seq}`, new Date(Date.now() - hour).toISOString());
  const history = Array.from({ length: 50 }, (_, at) => old(first + at));
  const repeat: Script = (socket) => {
    const timer = setInterval(() => send(socket, history), 5);
    socket.on('close', () => clearInterval(timer));
  };
  await using relay = await ScriptedRelay.listen(repeat);
  await using other = await ScriptedRelay.listen((socket) => send(socket, frames(3, 10, 'other')));
  const timing = { ...soon, nothingNewMs: 200 };
  await using daemon = await Daemon.start(['--ws-url', `${relay.url},${other.url}`], timing);
  using all = new Names(daemon);
  expect(await all.some(60)).toEqual([...named(first, 50), ...named(3, 10, 'other')]);
  expect(await daemon.metric('slipstream_drops_total{reason="stale_sequence"}')).toBeGreaterThanOrEqual(50);
  expect(
    await daemon.metric('slipstream_upstream_disconnects_total{reason="nothing_new"}'),
  ).toBeGreaterThanOrEqual(1);
  expect(await outcomes(daemon, 'relay_changed')).toBeGreaterThanOrEqual(1);
});

test('lag goes by what is taken', async () => {
  const hour = 3_600_000;
  const history = frames(first, 50).map((_, at) =>
    frame(first + at, `n${first + at}`, new Date(Date.now() - hour).toISOString()),
  );
  const unreadable = frame(first + 50);
  await using relay = await ScriptedRelay.listen(
    (socket) => send(socket, history, true),
    // Known frames, then one that says that it is of now, but cannot be read to its end.
    (socket) => send(socket, [...history, unreadable.subarray(0, unreadable.length - 3)]),
  );
  await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
  await expect.poll(() => daemon.metric('slipstream_drops_total{reason="bad_frame"}')).toBe(1);
  expect(await daemon.metric('slipstream_drops_total{reason="stale_sequence"}')).toBe(50);
  expect(await daemon.metric('slipstream_upstream_lag_seconds')).toBeGreaterThan(3599);
});

/** What a relay writes that no client can take: a message of 17 MiB, of which the header says so, and an opcode that is none. */
const endings: Record<string, Uint8Array> = {
  oversize: Uint8Array.of(0x82, 127, 0, 0, 0, 0, 1, 0x10, 0, 0),
  protocol: Uint8Array.of(0x83, 0),
};

test.each(Object.keys(endings))(
  'a message that ends every connection is stepped over: %s',
  async (ending) => {
    const bad = first + 100;
    const script: Script = (socket, cursor) => {
      const from = cursor === undefined ? first : cursor + 1;
      if (from < bad) send(socket, frames(from, bad - from));
      if (from <= bad) (socket as unknown as { _socket: Socket })._socket.write(endings[ending]);
      else send(socket, frames(from, first + 300 - from));
    };
    await using relay = await ScriptedRelay.listen(script);
    await using daemon = await Daemon.start(['--ws-url', relay.url], soon);
    using all = new Names(daemon);
    expect(await all.some(299)).toEqual([...named(first, 100), ...named(bad + 1, 199)]);
    expect(relay.cursors).toEqual([undefined, bad - 1, bad - 1, bad]);
    expect(await outcomes(daemon, 'frame_skipped')).toBe(1);
    expect(told(daemon, 'frame_skipped')).toMatchObject([{ from: bad - 1, to: bad + 1 }]);
    expect(await daemon.metric(`slipstream_upstream_disconnects_total{reason="${ending}"}`)).toBe(3);
  },
);
