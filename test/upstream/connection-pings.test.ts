// Dead peers are found by pings, and only dead ones: not quiet, slow or paused ones, nor those that answered while our
// own event loop was held up.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';
import { closeAll, makeUpstream, Recorder, serverFrame, shakenRelay, wsRelay } from './relay-servers.ts';

afterEach(closeAll);

const timing = { pingIntervalMs: 40 };

test('a relay that answers nothing is left and connected again', async () => {
  const recorder = new Recorder();
  const server = await shakenRelay(() => {});
  makeUpstream([server.relay], recorder, { timing }).start();
  await recorder.until('two deaths', () => recorder.disconnects.length === 2);
  expect(recorder.whys()).toEqual(['silent', 'silent']);
});

test('a relay that goes silent after frames is left too', async () => {
  const recorder = new Recorder();
  const server = await shakenRelay((socket) => socket.write(serverFrame(Buffer.of(1))));
  makeUpstream([server.relay], recorder, { timing }).start();
  await recorder.until('a death', () => recorder.disconnects.length === 1);
  expect(recorder.whys()).toEqual(['silent']);
});

test('a quiet relay that answers pings is healthy', async () => {
  const recorder = new Recorder();
  let pings = 0;
  const server = await wsRelay((ws) => {
    ws.on('ping', () => {
      pings++;
      recorder.poke();
    });
  });
  makeUpstream([server.relay], recorder, { timing }).start();
  await recorder.until('ten pings', () => pings === 10);
  expect(recorder.disconnects).toEqual([]);
  expect(recorder.connects).toHaveLength(1);
});

test('a relay that answers no ping but sends, be it one byte of a long message, is alive', async () => {
  const recorder = new Recorder();
  let pings = 0;
  const server = await shakenRelay(
    (socket) => socket.write(Buffer.of(0x82, 126, 0xff, 0xff)),
    (_chunk, socket) => {
      pings++;
      socket.write(Buffer.of(7));
      recorder.poke();
    },
  );
  makeUpstream([server.relay], recorder, { timing }).start();
  await recorder.until('ten pings', () => pings >= 10);
  expect(recorder.disconnects).toEqual([]);
});

test('our own pause is not its death; pings go on, and are judged again after resume()', async () => {
  const recorder = new Recorder();
  let pings = 0;
  const server = await shakenRelay(
    () => {},
    () => {
      pings++;
      recorder.poke();
    },
  );
  const upstream = makeUpstream([server.relay], recorder, { timing });
  recorder.onConnected = () => upstream.pause();
  upstream.start();
  await recorder.until('ten pings', () => pings >= 10);
  expect(recorder.disconnects).toEqual([]);
  const pingsBefore = pings;
  upstream.resume();
  await recorder.until('a death', () => recorder.disconnects.length === 1);
  expect(recorder.whys()).toEqual(['silent']);
  expect(pings).toBeGreaterThan(pingsBefore);
});

test('an event loop held up for longer than the interval does not blame the relay', async () => {
  const worker = new Worker(
    `const { WebSocketServer } = require('ws');
     const { parentPort } = require('node:worker_threads');
     const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
     server.on('listening', () => parentPort.postMessage(server.address().port));`,
    { eval: true },
  );
  // The relay is a thread here, and has to be given a core within the interval, on a machine with other work too.
  const slower = { ...timing, pingIntervalMs: 5 * timing.pingIntervalMs };
  try {
    const [port] = await once(worker, 'message');
    const recorder = new Recorder();
    makeUpstream([parseRelayUrl(`ws://127.0.0.1:${port}`)], recorder, { timing: slower }).start();
    await recorder.until('open', () => recorder.connects.length === 1);
    const cell = new Int32Array(new SharedArrayBuffer(4));
    // Timers run right after immediates, before sockets are read again; and after timers, with the clock of before.
    for (const yieldTo of [setImmediate, (next: () => void) => setTimeout(next, 1)]) {
      for (let i = 0; i < 3; i++) {
        await new Promise<void>((resolve) => yieldTo(resolve));
        Atomics.wait(cell, 0, 0, slower.pingIntervalMs * 2);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(recorder.disconnects).toEqual([]);
  } finally {
    await worker.terminate();
  }
});
