import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import {
  encodeError,
  encodeInfo,
  encodeMessage,
  encodeTooBigCommit,
} from '../../simulator/lib/frame-encoder.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { FrameRecording, readFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import {
  corpusFramesPath,
  corpusLines,
  hasShared,
  officialDictionaryPath,
  sharedNote,
  withoutTime,
} from '../support/shared.ts';

/** The first `count` messages of a subscription. */
async function collect(url: string, count: number): Promise<Buffer[]> {
  const socket = new WebSocket(url);
  const messages: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code, reason) =>
      reject(new Error(`closed ${code} ${reason} after ${messages.length}`)),
    );
    socket.on('message', (data: Buffer) => {
      messages.push(data);
      if (messages.length === count) resolve();
    });
  });
  socket.removeAllListeners('close');
  socket.close();
  return messages;
}

async function poolRelay(
  seed: string,
  frames: number,
): Promise<{ relay: RelayServer; pool: FramePool; events: number }> {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed, accounts: 12 }), frames);
  return { relay: await RelayServer.listen({ source: pool }), pool, events: pool.eventsPerRound };
}

test.skipIf(!hasShared)(`real frames come out as production sent them${sharedNote}`, async () => {
  const frames = await readFrames(corpusFramesPath);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames, false) });
  await using daemon = await Daemon.start([
    '--ws-url',
    relay.url,
    '--zstd-dictionary',
    officialDictionaryPath,
  ]);
  await expect.poll(() => relay.connections).toBe(1);
  const expected = corpusLines();
  const socket = new WebSocket(daemon.url);
  const live: Buffer[] = [];
  socket.on('message', (data: Buffer) => live.push(data));
  await once(socket, 'open');
  await relay.publish(frames.length);
  await expect.poll(() => live.length).toBe(expected.length);
  socket.close();
  expect(live.map((message) => withoutTime(`${message}`))).toEqual(expected.map(withoutTime));
  const replayed = await collect(`${daemon.url}?cursor=0`, expected.length);
  const compressed = await collect(`${daemon.url}?cursor=0&compress=true`, expected.length);
  const dictionary = readFileSync(officialDictionaryPath);
  expect(replayed).toEqual(live);
  expect(compressed.map((frame) => zstdDecompressSync(frame, { dictionary }))).toEqual(replayed);
  await relay.close();
});

test('a restart goes on where it stopped: nothing missing, nothing twice, time_us rising', async () => {
  const { relay, events } = await poolRelay('restart', 120);
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(60);
  await expect.poll(() => daemon.metric('slipstream_events_total')).toBeGreaterThan(0);
  await daemon.service.stop();
  await relay.publish(60);
  await daemon.restart(['--ws-url', relay.url]);
  const messages = (await collect(`${daemon.url}?cursor=0`, events)).map((data) => JSON.parse(`${data}`));
  const times: number[] = messages.map((message) => message.time_us);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  const names = messages.map((message) =>
    JSON.stringify([message.did, message.commit ?? message.identity ?? message.account]),
  );
  expect(new Set(names).size).toBe(events);
  await relay.close();
});

test('compressed messages decode with the dictionary that the daemon hands out', async () => {
  const { relay, events } = await poolRelay('dictionary', 40);
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--compressor', 'wasm']);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(40);
  const plain = await collect(`${daemon.url}?cursor=0`, events);
  const [{ url, id }] = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as {
    url: string;
    id: number;
  }[];
  const response = await fetch(new URL(url, daemon.httpUrl), { headers: { Origin: 'https://example.com' } });
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  const dictionary = Buffer.from(await response.arrayBuffer());
  expect(dictionary).toEqual(readFileSync(defaultDictionaryPath()));
  expect(dictionary.readUInt32LE(4)).toBe(id);
  const query = `?cursor=0&compress=true&zstdDictionary=${id}`;
  const compressed = await collect(`${daemon.url}${query}`, events);
  expect(compressed.map((frame) => zstdDecompressSync(frame, { dictionary }))).toEqual(plain);
  await relay.close();
});

test('bad frames are counted and cost their neighbours nothing', async () => {
  const { relay, events } = await poolRelay('bad frames', 30);
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(10);
  const seq = relay.headSeq + 1;
  relay.jumpSequence(10);
  const bad = [
    Buffer.from('garbage'),
    Buffer.alloc(0),
    'a text message',
    encodeInfo('OutdatedCursor', 'gone'),
    encodeMessage('#unheard', { seq }),
    encodeError('SomeError', 'a relay may say anything'),
    encodeTooBigCommit(seq + 1, 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', '3aaaaaaaaaaaa', '2026-01-01T00:00:00Z'),
  ];
  for (const frame of bad) relay.sendRaw(frame);
  await relay.publish(20);
  expect((await collect(`${daemon.url}?cursor=0`, events)).length).toBe(events);
  expect(await daemon.metric('slipstream_drops_total{reason="bad_frame"}')).toBe(2);
  expect(await daemon.metric('slipstream_drops_total{reason="not_a_frame"}')).toBe(1);
  expect(await daemon.metric('slipstream_frames_total{type="info"}')).toBe(1);
  expect(daemon.lines.join('')).toContain('OutdatedCursor');
  expect(await daemon.metric('slipstream_drops_total{reason="too_big"}')).toBe(1);
  expect(await daemon.metric('slipstream_frames_total{type="unknown"}')).toBe(1);
  expect(await daemon.metric('slipstream_frames_total{type="error"}')).toBe(1);
  await relay.close();
});

test('at shutdown clients are told, and what was taken is stored', async () => {
  const { relay, events } = await poolRelay('shutdown', 20);
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => relay.connections).toBe(1);
  const client = new WebSocket(daemon.url);
  await once(client, 'open');
  await relay.publish(20);
  await once(client, 'message');
  const closed = once(client, 'close');
  await daemon.service.stop();
  const [code, reason] = await closed;
  expect([code, `${reason}`]).toEqual([1001, 'server shutting down']);
  await daemon.restart(['--ws-url', relay.url]);
  expect((await collect(`${daemon.url}?cursor=0`, events)).length).toBe(events);
  await relay.close();
});

test('a relay that lost its history is followed from where it is now', async () => {
  const { relay } = await poolRelay('future', 30);
  const timing = { retryMinMs: 5, retryFirstMs: 20, retryMaxMs: 40, startOverAfterMs: 50 };
  await using daemon = await Daemon.start(['--ws-url', relay.url], timing);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(10);
  await expect.poll(() => daemon.metric('slipstream_events_total')).toBeGreaterThan(9);
  relay.restartSequence(5);
  await relay.publish(1);
  relay.dropConnections();
  await expect.poll(() => daemon.lines.join('')).toContain('FutureCursor');
  await expect.poll(() => daemon.lines.filter((line) => line.includes('"cursor":"live"')).length).toBe(2);
  const before = await daemon.metric('slipstream_events_total');
  await relay.publish(10);
  await expect.poll(() => daemon.metric('slipstream_events_total')).toBeGreaterThanOrEqual(before + 10);
  await relay.close();
});

test('a clock that leaps by a day, forward or back, moves no event and is told of', async ({
  onTestFinished,
}) => {
  const { relay, events } = await poolRelay('clock', 30);
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0']);
  await expect.poll(() => relay.connections).toBe(1);
  const wall = Date.now;
  onTestFinished(() => {
    Date.now = wall;
  });
  const dayMs = 24 * 3_600_000;
  for (const stepMs of [dayMs, -dayMs, 0]) {
    Date.now = () => wall() + stepMs;
    const before = await daemon.metric('slipstream_events_total');
    await relay.publish(10);
    await expect.poll(() => daemon.metric('slipstream_events_total')).toBeGreaterThan(before);
    expect(await daemon.metric('slipstream_clock_ahead_seconds')).toBeCloseTo(stepMs / 1000, -1);
  }
  const messages = (await collect(`${daemon.url}?cursor=0`, events)).map((data) => JSON.parse(`${data}`));
  const times: number[] = messages.map((message) => message.time_us);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  expect(Math.max(...times) / 1000).toBeLessThan(wall() + 60_000);
  expect(Math.min(...times) / 1000).toBeGreaterThan(wall() - 60_000);
  expect(await daemon.metric('slipstream_clock_steps_total')).toBe(2);
  const told = daemon.lines.filter((line) => line.includes('clock of this machine'));
  expect(told.map((line) => JSON.parse(line).reason)).toEqual(
    expect.arrayContaining(['stepped', 'returned']),
  );
  await relay.close();
});

test('an override starts after the given sequence, also one that the log is past', async () => {
  const { relay, pool } = await poolRelay('override', 20);
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(20);
  const count = pool.eventsPerRound;
  await expect.poll(() => daemon.metric('slipstream_log_stored_events')).toBe(count);
  await daemon.service.stop();
  await daemon.restart(['--ws-url', relay.url, '--override-relay-cursor', `${pool.seqAt(9)}`]);
  const again = pool.firstEventOf(pool.seqAt(20)) - pool.firstEventOf(pool.seqAt(10));
  await expect.poll(() => daemon.metric('slipstream_log_stored_events')).toBe(count + again);
  await relay.close();
});

test('a log that may outgrow its disk is told of at the start', async () => {
  const { relay } = await poolRelay('disk', 1);
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--retention-bytes', '4000TiB']);
  const warning =
    /--retention-bytes lets the log take 4.*TiB, and the disk has room for .*: lower it, or make room/;
  expect(daemon.lines.join('\n')).toMatch(warning);
  daemon.lines.length = 0;
  await daemon.service.stop();
  await daemon.restart(['--ws-url', relay.url, '--retention-bytes', '64MiB']);
  expect(daemon.lines.join('\n')).not.toContain('--retention-bytes');
  await relay.close();
});

test('a port that is taken ends the start with its name, and leaves nothing running', async () => {
  const { relay } = await poolRelay('port', 1);
  await using daemon = await Daemon.start(['--ws-url', relay.url]);
  const shell = fileURLToPath(new URL('../../cmd/slipstream.ts', import.meta.url));
  const dataDir = `${daemon.dataDir}-other`;
  for (const taken of ['--listen-addr', '--metrics-listen-addr']) {
    const port = `127.0.0.1:${daemon.service.addresses.public?.port}`;
    const free = ['--listen-addr', '--metrics-listen-addr'].filter((flag) => flag !== taken);
    const flags = ['--ws-url', relay.url, '--data-dir', dataDir, taken, port, ...free, '127.0.0.1:0'];
    const child = spawn(process.execPath, [shell, ...flags, '--log-format', 'json']);
    const output: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data));
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(Buffer.concat(output).toString()).toContain('HTTP_LISTEN_FAILED');
  }
  await rm(dataDir, { recursive: true });
  await relay.close();
});
