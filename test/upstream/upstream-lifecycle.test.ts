// What an upstream must not leave behind: listeners, sockets and timers over many reconnects, and a process that
// cannot exit. And what it must not hide: a handler that throws.

import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  closeAll,
  deadRelay,
  makeUpstream,
  Recorder,
  rawRelay,
  shakenRelay,
  wsRelay,
} from './relay-servers.ts';

afterEach(closeAll);

describe('stop()', () => {
  test('before start, twice, and it does not start again', async () => {
    const server = await wsRelay(() => {});
    const upstream = makeUpstream([server.relay], new Recorder());
    expect(upstream.stop()).toBe(upstream.stop());
    await upstream.stop();
    expect(upstream.state).toBe('stopped');
    expect(() => upstream.start()).toThrow(expect.objectContaining({ code: 'UPSTREAM_STOPPED' }));
  });

  test('while connecting', async () => {
    const recorder = new Recorder();
    let closed = false;
    const server = await rawRelay((socket) => {
      socket.resume();
      socket.on('close', () => {
        closed = true;
        recorder.poke();
      });
      recorder.connects.push({ id: 'socket', cursor: undefined });
      recorder.poke();
    });
    const upstream = makeUpstream([server.relay], recorder);
    upstream.start();
    await recorder.until('dialled', () => recorder.connects.length === 1);
    await upstream.stop();
    await recorder.until('socket gone', () => closed);
    expect(recorder.disconnects).toEqual([]);
  });

  test('right after start', async () => {
    const recorder = new Recorder();
    const server = await wsRelay(() => {});
    const upstream = makeUpstream([server.relay], recorder);
    upstream.start();
    await upstream.stop();
    expect(recorder.connects).toEqual([]);
  });

  test.each([false, true])(
    'while open, paused %s: a close frame with 1000, no calls any more',
    async (paused) => {
      const recorder = new Recorder();
      const codes: number[] = [];
      const server = await wsRelay((ws) => {
        for (let i = 0; i < 2000; i++) ws.send(Buffer.alloc(1000));
        ws.on('close', (code) => {
          codes.push(code);
          recorder.poke();
        });
      });
      const upstream = makeUpstream([server.relay], recorder, { timing: { closeTimeoutMs: 3_600_000 } });
      if (paused) upstream.pause();
      upstream.start();
      await recorder.until('open', () => recorder.connects.length === 1);
      const before = recorder.frameCount;
      await upstream.stop();
      expect(recorder.frameCount).toBe(before);
      await recorder.until('the code', () => codes.length === 1);
      expect(codes).toEqual([1000]);
      expect(recorder.disconnects).toEqual([]);
    },
  );

  test('from inside frame(): it is the last', async () => {
    const recorder = new Recorder();
    const server = await wsRelay((ws) => {
      for (let i = 0; i < 100; i++) ws.send(Buffer.of(i));
    });
    const upstream = makeUpstream([server.relay], recorder);
    const stopped = Promise.withResolvers<void>();
    recorder.onFrame = () => void upstream.stop().then(stopped.resolve);
    upstream.start();
    await stopped.promise;
    expect(recorder.frameCount).toBe(1);
  });

  test.each(['nothing', 'half a close', 'a flood'])(
    'a relay that answers %s is left after the timeout',
    async (answer) => {
      const recorder = new Recorder();
      const server = await shakenRelay((socket) => {
        if (answer === 'half a close') socket.end();
        if (answer === 'a flood') flood(socket);
      });
      const upstream = makeUpstream([server.relay], recorder, { timing: { closeTimeoutMs: 50 } });
      recorder.onDisconnected = () => expect.unreachable();
      recorder.onConnected = () => void upstream.stop();
      upstream.start();
      await recorder.until('open', () => recorder.connects.length === 1);
      await upstream.stop();
      expect(upstream.state).toBe('stopped');
    },
  );

  test('while waiting', async () => {
    const recorder = new Recorder();
    const server = await deadRelay();
    const timing = { retryMinMs: 3_600_000, retryFirstMs: 3_600_000, retryMaxMs: 3_600_000 };
    const upstream = makeUpstream([server.relay], recorder, { timing });
    upstream.start();
    await recorder.until('the end', () => recorder.disconnects.length === 1);
    expect(upstream.state).toBe('waiting');
    await upstream.stop();
    expect(upstream.state).toBe('stopped');
  });

  test('from inside disconnected()', async () => {
    const recorder = new Recorder();
    const server = await deadRelay();
    const upstream = makeUpstream([server.relay], recorder);
    recorder.onDisconnected = () => void upstream.stop();
    upstream.start();
    await recorder.until('the end', () => recorder.disconnects.length === 1);
    await upstream.stop();
    expect(recorder.disconnects).toHaveLength(1);
  });
});

test('1,000 reconnects leave no socket, timer or listener behind', async () => {
  const recorder = new Recorder();
  recorder.keepFrames = false;
  let turn = 0;
  const server = await wsRelay((ws) => {
    const way = turn++ % 4;
    if (way === 0) ws.terminate();
    else if (way === 1) ws.close(1001, 'restart');
    else if (way === 2) ws.send(Buffer.of(1), () => ws.terminate());
    else ws.send(Buffer.of(1));
  });
  const clients = new Set<Socket>();
  const onClient = (message: unknown) => clients.add((message as { socket: Socket }).socket);
  subscribe('net.client.socket', onClient);
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const timersBefore = count('Timeout');

  const upstream = makeUpstream([server.relay], recorder, { timing: { deliveringAfterMs: 0 } });
  recorder.onFrame = () => {
    if (turn % 4 === 0) upstream.reconnect('test');
  };
  upstream.start();
  await recorder.until('1,000 ends', () => recorder.disconnects.length >= 1000);
  await upstream.stop();
  unsubscribe('net.client.socket', onClient);
  process.off('warning', onWarning);

  expect(new Set(recorder.whys())).toEqual(new Set(['dropped', 'closed', 'requested']));
  expect(clients.size).toBeGreaterThanOrEqual(1000);
  for (const socket of clients) expect(socket.destroyed).toBe(true);
  expect(warnings).toEqual([]);
  // `until` has a timer of its own, gone by now; the runner may hold others, the same before and after.
  expect(count('Timeout')).toBeLessThanOrEqual(timersBefore + 1);
}, 60_000);

describe('in a process of its own', () => {
  const prelude = `
    import { createServer } from 'node:net';
    import { once } from 'node:events';
    import { WebSocketServer } from 'ws';
    import { Upstream } from './lib/upstream/upstream.ts';
    import { parseRelayUrl } from './lib/upstream/relay-url.ts';
    const handler = { cursorFor() {}, connected() {}, frame() {}, notAFrame() {}, turnOver() {}, disconnected() {} };
    const make = (port) => new Upstream({ relays: [parseRelayUrl('ws://127.0.0.1:' + port)], handler, userAgent: 'x' });
  `;

  test('nothing keeps it alive after stop()', async () => {
    const { code, stdout } = await run(`${prelude}
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      await once(server, 'listening');
      const port = server.address().port;
      const open = make(port);
      handler.connected = async () => { await open.stop(); waiting.start(); };
      const waiting = make(1);
      handler.disconnected = async () => {
        await waiting.stop();
        const connecting = make(port);
        connecting.start();
        await connecting.stop();
        server.close();
        console.log('all stopped');
      };
      open.start();
    `);
    expect(stdout).toBe('all stopped\n');
    expect(code).toBe(0);
  });

  test.each(['frame', 'notAFrame', 'connected', 'disconnected', 'cursorFor'])(
    'an exception in %s ends it',
    async (method) => {
      const { code, stderr } = await run(`${prelude}
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
      await once(server, 'listening');
      server.on('connection', (ws) => { ws.send('text'); ws.send(Buffer.of(1), () => ws.close()); });
      handler.${method} = () => { throw new Error('broken invariant'); };
      make(server.address().port).start();
    `);
      expect(code).not.toBe(0);
      expect(stderr).toContain('broken invariant');
    },
  );
});

function run(code: string): Promise<{ code: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const args = ['--input-type=module-typescript', '--no-warnings', '-e', code];
    execFile(process.execPath, args, { timeout: 15_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? 'killed'), stdout, stderr });
    });
  });
}

function count(kind: string): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === kind).length;
}

function flood(socket: Socket): void {
  const chunk = Buffer.alloc(100 * 130, Buffer.concat([Buffer.of(0x82, 126, 0, 126), Buffer.alloc(126)]));
  const more = () => {
    if (!socket.destroyed) socket.write(chunk, more);
  };
  more();
}
