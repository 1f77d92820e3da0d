// The upstream against real servers: resuming, taking turns, and connecting anew when asked.

import { afterEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { Upstream } from '../../lib/upstream/upstream.ts';
import { closeAll, deadRelay, makeUpstream, Recorder, rawRelay, wsRelay } from './relay-servers.ts';

const path = '/xrpc/com.atproto.sync.subscribeRepos';

afterEach(closeAll);

describe('connecting', () => {
  test('asks with our name, without compression, and reports the cursor', async () => {
    const recorder = new Recorder();
    let headers: Record<string, unknown> = {};
    const server = await wsRelay((_ws, request) => {
      headers = request.headers;
    });
    recorder.cursors.set(server.relay.id, 42);
    const upstream = makeUpstream([server.relay], recorder);
    expect(upstream.state).toBe('idle');
    upstream.start();
    expect(upstream.state).toBe('connecting');
    await recorder.until('connected', () => recorder.connects.length === 1);
    expect(upstream.state).toBe('open');
    expect(upstream.relay).toBe(server.relay);
    expect(recorder.connects).toEqual([{ id: server.relay.id, cursor: 42 }]);
    expect(server.targets).toEqual([`${path}?cursor=42`]);
    expect(headers['user-agent']).toBe('upstream-test/1');
    expect(headers['sec-websocket-extensions']).toBeUndefined();
  });

  test('the cursor is asked again at every reconnect, and the query of the URL is kept', async () => {
    const recorder = new Recorder();
    let seq = 0;
    const server = await wsRelay((ws) => {
      ws.send(Buffer.of(++seq), () => ws.close(1001));
    }, '?token=a%20b');
    recorder.onFrame = (bytes, relay) => recorder.cursors.set(relay.id, bytes[0] as number);
    makeUpstream([server.relay], recorder).start();
    await recorder.until('four connections', () => recorder.connects.length === 4);
    expect(server.targets.slice(0, 4)).toEqual([
      `${path}?token=a%20b`,
      `${path}?token=a%20b&cursor=1`,
      `${path}?token=a%20b&cursor=2`,
      `${path}?token=a%20b&cursor=3`,
    ]);
  });

  test('an empty list of relays is an error', () => {
    expect(() => new Upstream({ relays: [], handler: new Recorder(), userAgent: 'x' })).toThrow(
      expect.objectContaining({ code: 'UPSTREAM_NO_RELAY' }),
    );
  });
});

describe('several relays', () => {
  test('take turns past dead ones; one that delivered is tried once more first', async () => {
    const recorder = new Recorder();
    const dead = await deadRelay();
    const short = await wsRelay((ws) => {
      ws.send(Buffer.of(1), () => ws.terminate());
      void short.close();
    });
    const steady = await wsRelay((ws) => ws.send(Buffer.of(2)));
    const upstream = makeUpstream([dead.relay, short.relay, steady.relay], recorder, {
      timing: { deliveringAfterMs: 0 },
    });
    upstream.start();
    await recorder.until('the third', () => recorder.frames.some((bytes) => bytes[0] === 2));
    expect(recorder.connects.map((event) => event.id)).toEqual([short.relay.id, steady.relay.id]);
    expect(recorder.disconnects.map(({ id, why }) => [id, why])).toEqual([
      [dead.relay.id, 'unreachable'],
      [short.relay.id, 'dropped'],
      [short.relay.id, 'unreachable'],
    ]);
    expect(upstream.relay).toBe(steady.relay);
  });

  test('each resumes from its own sequence', async () => {
    const recorder = new Recorder();
    const refuse = (ws: WebSocket) => ws.close(1013);
    const [a, b] = [await wsRelay(refuse), await wsRelay(refuse)];
    recorder.cursors.set(a.relay.id, 11).set(b.relay.id, 22);
    makeUpstream([a.relay, b.relay], recorder).start();
    await recorder.until('both twice', () => recorder.disconnects.length >= 4);
    expect([...new Set(a.targets)]).toEqual([`${path}?cursor=11`]);
    expect([...new Set(b.targets)]).toEqual([`${path}?cursor=22`]);
  });

  test('waits grow while nothing is delivered and start over once something is', async () => {
    const recorder = new Recorder();
    let connections = 0;
    const server = await wsRelay((ws) => {
      if (++connections === 4) ws.send(Buffer.of(1), () => ws.terminate());
      else ws.terminate();
    });
    const timing = { retryFirstMs: 2, retryMaxMs: 1000, deliveringAfterMs: 0 };
    makeUpstream([server.relay], recorder, { timing, random: () => 0.999 }).start();
    await recorder.until('five ends', () => recorder.disconnects.length >= 5);
    expect(recorder.disconnects.slice(0, 5).map((event) => event.retryInMs)).toEqual([4, 8, 16, 2, 4]);
  });

  test('one frame on every short connection does not keep the back-off down', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((ws) => ws.send(Buffer.of(1), () => ws.close(1008, 'FutureCursor')));
    makeUpstream([server.relay], recorder, {
      timing: { retryFirstMs: 1, retryMaxMs: 8 },
      random: () => 0.999,
    }).start();
    await recorder.until('five ends', () => recorder.disconnects.length >= 5);
    expect(recorder.disconnects.slice(0, 5).map((event) => event.retryInMs)).toEqual([2, 4, 8, 8, 8]);
  });
});

describe('reconnect()', () => {
  test('from inside frame(): nothing more of that connection, the cursor asked afterwards', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((_ws, request) => {
      if (!request.url?.includes('cursor')) return;
      for (let i = 0; i < 100; i++) _ws.send(Buffer.of(i));
    });
    recorder.cursors.set(server.relay.id, 999);
    const upstream = makeUpstream([server.relay], recorder);
    recorder.onFrame = (_bytes, relay) => {
      upstream.reconnect('FutureCursor');
      recorder.cursors.delete(relay.id);
    };
    upstream.start();
    await recorder.until('live', () => recorder.connects.length === 2);
    expect(recorder.frameCount).toBe(1);
    expect(recorder.connects.map((event) => event.cursor)).toEqual([999, undefined]);
    expect(recorder.disconnects).toEqual([
      { id: server.relay.id, why: 'requested', detail: 'FutureCursor', retryInMs: 0 },
    ]);
    expect(upstream.state).toBe('open');
  });

  test('cuts a wait short, once', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((ws) => ws.terminate());
    const timing = { retryMinMs: 3_600_000, retryFirstMs: 3_600_000, retryMaxMs: 3_600_000 };
    const upstream = makeUpstream([server.relay], recorder, { timing });
    upstream.start();
    await recorder.until('the first end', () => recorder.disconnects.length === 1);
    expect(upstream.state).toBe('waiting');
    upstream.reconnect('now');
    await recorder.until('the second end', () => recorder.disconnects.length === 2);
    upstream.reconnect('now');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(upstream.state).toBe('waiting');
    expect(server.targets).toHaveLength(2);
  });

  test('restarts an attempt under way', async () => {
    const recorder = new Recorder();
    let sockets = 0;
    const server = await rawRelay((socket) => {
      socket.resume();
      sockets++;
      recorder.poke();
    });
    const upstream = makeUpstream([server.relay], recorder);
    upstream.start();
    await recorder.until('dialled', () => sockets === 1);
    upstream.reconnect('again');
    await recorder.until('dialled again', () => sockets === 2);
    expect(recorder.whys()).toEqual(['requested']);
  });

  test('a handler that always asks for it does not make it spin', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((ws) => ws.send(Buffer.of(1)));
    const timing = { retryMinMs: 3_600_000, retryFirstMs: 3_600_000, retryMaxMs: 3_600_000 };
    const upstream = makeUpstream([server.relay], recorder, { timing });
    recorder.onFrame = () => upstream.reconnect('FutureCursor');
    recorder.onDisconnected = () => upstream.reconnect('FutureCursor');
    upstream.start();
    await recorder.until('two ends', () => recorder.disconnects.length === 2);
    expect(upstream.state).toBe('waiting');
    expect(recorder.disconnects.map((event) => event.retryInMs)).toEqual([0, 3_600_000]);
  });

  test('does nothing before start and after stop', async () => {
    const recorder = new Recorder();
    const server = await wsRelay(() => {});
    const upstream = makeUpstream([server.relay], recorder);
    upstream.reconnect('early');
    expect(upstream.state).toBe('idle');
    await upstream.stop();
    upstream.reconnect('late');
    expect(upstream.state).toBe('stopped');
    expect(recorder.disconnects).toEqual([]);
  });
});
