// Several dictionaries at once, through the whole daemon: each client gets frames of the one that it asks for, live and
// from the log, whichever thread serves it.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { compressorPreferences } from '../../lib/codec/choose-compressor.ts';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipstream-dictionaries-'));
afterAll(() => rmSync(folder, { recursive: true }));
const slipstream = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const own = readFileSync(defaultDictionaryPath());
const ownId = own.readUInt32LE(4);

/** The package's dictionary under another id. */
function withId(id: number): { id: number; path: string; bytes: Buffer } {
  const bytes = Buffer.from(own);
  bytes.writeUInt32LE(id, 4);
  const path = join(folder, `${id}.zdict`);
  writeFileSync(path, bytes);
  return { id, path, bytes };
}

/** A subscription, open, and what it has received. */
async function subscriber(url: string): Promise<{ messages: Buffer[]; socket: WebSocket }> {
  const socket = new WebSocket(url);
  const messages: Buffer[] = [];
  socket.on('message', (data: Buffer) => messages.push(data));
  await once(socket, 'open');
  return { messages, socket };
}

/** The id that a frame names; both of these take two bytes. */
function idOf(frame: Buffer): number {
  return frame.readUInt16LE(frame[4] & 0x20 ? 5 : 6);
}

test.each([...compressorPreferences.map((name) => [name, '0'] as const), ['auto', '2'] as const])(
  'clients choose a dictionary: compressor %s, %s workers',
  async (compressor, workers) => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'dictionaries', accounts: 12 }), 120);
    const relay = await RelayServer.listen({ source: pool });
    const [first, second] = [withId(40_001), withId(40_002)];
    const paths = [defaultDictionaryPath(), first.path, second.path].join(',');
    const flags = ['--zstd-dictionary', paths, '--compressor', compressor, '--workers', workers];
    await using daemon = await Daemon.start(['--ws-url', relay.url, ...flags]);
    await expect.poll(() => relay.connections).toBe(1);
    const live = await subscriber(`${daemon.url}?compress=true&zstdDictionary=${first.id}`);
    await relay.publish(120);
    const plain = await subscriber(`${daemon.url}?cursor=0`);
    const chosen = await subscriber(`${daemon.url}?cursor=0&compress=true&zstdDictionary=${second.id}`);
    const stored = await subscriber(`${daemon.url}?cursor=0&compress=true&zstdDictionary=${ownId}`);
    const all = [live, plain, chosen, stored];
    for (const { messages } of all) await expect.poll(() => messages.length).toBe(pool.eventsPerRound);
    for (const [{ messages }, id, dictionary] of [
      [live, first.id, first.bytes],
      [chosen, second.id, second.bytes],
      [stored, ownId, own],
    ] as const) {
      expect(new Set(messages.map(idOf))).toEqual(new Set([id]));
      expect(messages.map((frame) => zstdDecompressSync(frame, { dictionary }))).toEqual(plain.messages);
    }
    for (const { socket } of all) socket.terminate();
    const list = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as {
      id: number;
      default: boolean;
    }[];
    expect(list.map((entry) => [entry.id, entry.default])).toEqual([
      [ownId, true],
      [first.id, false],
      [second.id, false],
    ]);
    const bytes = await (await fetch(`${daemon.httpUrl}/dictionaries/${second.id}`)).arrayBuffer();
    expect(Buffer.from(bytes)).toEqual(second.bytes);
    const refused = await fetch(`${daemon.httpUrl}/subscribe?compress=true&zstdDictionary=7`);
    expect([refused.status, await refused.text()]).toEqual([
      400,
      `unknown zstd dictionary: 7: give one of ${ownId}, 40001, 40002`,
    ]);
    await relay.close();
  },
);

test.each(['0', '1'])(
  'one after the other, on one log: all events come in the newest, %s workers',
  async (workers) => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'succession', accounts: 12 }), 600);
    const relay = await RelayServer.listen({ source: pool });
    const dictionaries = [50_001, 50_002, 50_003].map(withId);
    // None of those before is known to the daemon any more.
    const flags = (path: string) => ['--ws-url', relay.url, '--zstd-dictionary', path, '--workers', workers];
    await using daemon = await Daemon.start(flags(dictionaries[0].path));
    for (const [at, { id, path, bytes }] of dictionaries.entries()) {
      if (at > 0) {
        await daemon.service.stop();
        await daemon.restart(flags(path));
      }
      await expect.poll(() => relay.connections).toBe(1);
      const live = await subscriber(`${daemon.url}?compress=true&zstdDictionary=${id}`);
      await relay.publish(600);
      const expected = (at + 1) * pool.eventsPerRound;
      const plain = await subscriber(`${daemon.url}?cursor=0`);
      const stored = await subscriber(`${daemon.url}?cursor=0&compress=true&zstdDictionary=${id}`);
      for (const { messages } of [plain, stored]) await expect.poll(() => messages.length).toBe(expected);
      await expect.poll(() => live.messages.length).toBe(pool.eventsPerRound);
      expect(new Set([...stored.messages, ...live.messages].map(idOf))).toEqual(new Set([id]));
      const read = ({ messages }: typeof live) =>
        messages.map((frame) => zstdDecompressSync(frame, { dictionary: bytes }).toString());
      const texts = plain.messages.map(String);
      expect(read(stored)).toEqual(texts);
      expect(read(live)).toEqual(texts.slice(-pool.eventsPerRound));
      for (const { socket } of [live, plain, stored]) socket.terminate();
    }
    await daemon.service.stop();
    const flagsOfVerify = dictionaries.flatMap(({ path }) => ['--zstd-dictionary', path]);
    const command = [slipstream, 'inspect', 'verify', '--data-dir', daemon.dataDir, ...flagsOfVerify];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    await relay.close();
  },
);

test('what is wrong with a dictionary is known at the start', async () => {
  const start = (...paths: string[]) => Daemon.start(paths.flatMap((path) => ['--zstd-dictionary', path]));
  const damaged = withId(40_003);
  damaged.bytes.fill(0xff, 9, 12);
  writeFileSync(damaged.path, damaged.bytes);
  await expect(start(defaultDictionaryPath(), damaged.path)).rejects.toMatchObject({
    code: 'CODEC_DICTIONARY_INVALID',
  });
  const changed = Buffer.from(own);
  changed[changed.length - 1] ^= 1;
  const changedPath = join(folder, 'changed.zdict');
  writeFileSync(changedPath, changed);
  await expect(start(defaultDictionaryPath(), changedPath)).rejects.toMatchObject({
    code: 'CODEC_DICTIONARY_CONFLICT',
  });
  const many = [1, 2, 3, 4, 5, 6].map((at) => withId(41_000 + at).path);
  await expect(start(...many)).rejects.toMatchObject({ code: 'CODEC_DICTIONARY_TOO_MANY' });
});
