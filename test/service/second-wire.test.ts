// Both wires of one daemon, live and replayed: the stream of the second is derived from that of the first, and compared.

import { once } from 'node:events';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';

const nsid = 'network.bsky.jetstream.subscribeEvents';

interface V1Event {
  readonly did: string;
  readonly time_us: number;
  readonly kind: 'commit' | 'identity' | 'account';
  readonly commit?: { readonly collection: string };
}

/** The message that the second wire has for an event of the first. */
function v2Of(event: V1Event): unknown {
  const { did, time_us: seq, kind } = event;
  const milliseconds = new Date(Math.floor(seq / 1000)).toISOString().slice(0, -1);
  const time = `${milliseconds}${String(seq % 1000).padStart(3, '0')}Z`;
  const rest = kind === 'commit' ? event.commit : { [kind]: event[kind as 'commit'] };
  return { $type: 'message', payload: { $type: `${nsid}#${kind}`, did, seq, time, ...rest } };
}

/** A subscription, open, and the messages that it has received. */
async function subscriber(url: string): Promise<{ messages: Buffer[]; socket: WebSocket }> {
  const socket = new WebSocket(url);
  const messages: Buffer[] = [];
  socket.on('message', (data: Buffer) => messages.push(data));
  await once(socket, 'open');
  return { messages, socket };
}

const parsed = (messages: readonly Buffer[]): V1Event[] => messages.map((text) => JSON.parse(`${text}`));

test.each(['0', '1'])('both wires have the same events, live and replayed: %s workers', async (workers) => {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'wires', accounts: 12 }), 150);
  const relay = await RelayServer.listen({ source: pool });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', workers]);
  const v2Url = `${daemon.httpUrl.replace('http', 'ws')}/xrpc/${nsid}`;
  await expect.poll(() => relay.connections).toBe(1);
  const v1 = await subscriber(daemon.url);
  const v2 = await subscriber(v2Url);
  const filtered = await subscriber(`${v2Url}?kinds=commit&collections=app.bsky.feed.*`);
  await relay.publish(150);
  await expect.poll(() => v1.messages.length).toBe(pool.eventsPerRound);
  await expect.poll(() => v2.messages.length).toBe(pool.eventsPerRound);
  const events = parsed(v1.messages);
  const expected = events.map(v2Of);
  expect(parsed(v2.messages)).toEqual(expected);
  const isWanted = ({ commit }: V1Event): boolean => commit?.collection.startsWith('app.bsky.feed.') === true;
  const wanted = events.filter(isWanted).map(v2Of);
  await expect.poll(() => filtered.messages.length).toBe(wanted.length);
  expect(parsed(filtered.messages)).toEqual(wanted);
  // A client changes wires in the middle, with its cursor.
  const half = Math.floor(events.length / 2);
  const cursor = events[half].time_us;
  const changed = await subscriber(`${v2Url}?cursor=${cursor}`);
  await expect.poll(() => changed.messages.length).toBe(events.length - half);
  expect(parsed(changed.messages)).toEqual(expected.slice(half));
  const back = await subscriber(`${daemon.url}?cursor=${cursor}`);
  await expect.poll(() => back.messages.length).toBe(events.length - half);
  expect(parsed(back.messages)).toEqual(events.slice(half));
  // From the oldest on, which is told; then limits of sizes, which count the whole message.
  const oldest = await subscriber(`${v2Url}?cursor=1000000000000000`);
  await expect.poll(() => oldest.messages.length).toBe(events.length + 1);
  expect(parsed(oldest.messages)[0]).toMatchObject({
    payload: { $type: `${nsid}#info`, name: 'OutdatedCursor' },
  });
  expect(parsed(oldest.messages).slice(1)).toEqual(expected);
  const sizes = v2.messages.map(({ length }) => length).sort((a, b) => a - b);
  const size = sizes[half];
  const small = await subscriber(`${v2Url}?cursor=${events[0].time_us}&maxMessageSizeBytes=${size}`);
  const smallOnes = parsed(v2.messages.filter(({ length }) => length <= size));
  await expect.poll(() => small.messages.length).toBe(smallOnes.length);
  expect(parsed(small.messages)).toEqual(smallOnes);
  for (const { socket } of [v1, v2, filtered, changed, back, oldest, small]) socket.terminate();
  await relay.close();
});

test.each(['0', '1'])(
  'compressed streams are the same, every frame of them binary: %s workers',
  async (workers) => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'compressed', accounts: 12 }), 100);
    const relay = await RelayServer.listen({ source: pool });
    await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', workers]);
    const v2Url = `${daemon.httpUrl.replace('http', 'ws')}/xrpc/${nsid}`;
    const dictionaryUrl = `${daemon.httpUrl}/xrpc/network.bsky.jetstream.getZstdDictionary`;
    const [{ id: storedId }] = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as {
      id: number;
    }[];
    const current = await fetch(dictionaryUrl);
    const currentId = Number(current.headers.get('x-zstd-dictionary-id'));
    expect(currentId).not.toBe(storedId);
    await expect.poll(() => relay.connections).toBe(1);
    const live = await subscriber(`${v2Url}?zstdDictionary=${currentId}`);
    await relay.publish(100);
    await expect.poll(() => live.messages.length).toBe(pool.eventsPerRound);
    const plain = await subscriber(`${v2Url}?cursor=0`);
    await expect.poll(() => plain.messages.length).toBe(pool.eventsPerRound + 1);
    for (const id of [currentId, storedId]) {
      const dictionary = Buffer.from(await (await fetch(`${dictionaryUrl}?id=${id}`)).arrayBuffer());
      expect(dictionary.readUInt32LE(4)).toBe(id);
      const socket = new WebSocket(`${v2Url}?cursor=0&zstdDictionary=${id}`);
      const frames: { data: Buffer; isBinary: boolean }[] = [];
      socket.on('message', (data: Buffer, isBinary) => frames.push({ data, isBinary }));
      await expect.poll(() => frames.length).toBe(plain.messages.length);
      expect(frames.every(({ isBinary }) => isBinary)).toBe(true);
      // The id stands behind the descriptor, and a window where there is one.
      for (const { data } of frames) expect(data.readUInt16LE(data[4] & 0x20 ? 5 : 6)).toBe(id);
      const texts = frames.map(({ data }) => zstdDecompressSync(data, { dictionary }).toString());
      // The notice tells where the stream starts, as of then.
      expect(texts.map(String)).toEqual(plain.messages.map(String));
      if (id === currentId) {
        expect(live.messages.map((data) => zstdDecompressSync(data, { dictionary }).toString())).toEqual(
          texts.slice(1),
        );
      }
      socket.terminate();
    }
    for (const { socket } of [live, plain]) socket.terminate();
    await relay.close();
  },
);
