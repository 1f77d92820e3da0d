// Both wires of one daemon, live and replayed, plain and compressed, against what the relay's frames say.

import { once } from 'node:events';
import { zstdDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { ScriptedRelay } from '../ingest/scripted-relay.ts';
import { Daemon } from '../support/daemon.ts';
import { type Expected, framesOfAllKinds, nsid } from './wire-frames.ts';

/** A subscription, open, and the messages that it has received. */
async function subscriber(url: string) {
  const socket = new WebSocket(url);
  const messages: Buffer[] = [];
  let text = 0;
  socket.on('message', (data: Buffer, isBinary) => {
    messages.push(data);
    if (!isBinary) text++;
  });
  await once(socket, 'open');
  return { messages, socket, textMessages: () => text };
}

interface Message {
  readonly $type: string;
  readonly payload: { readonly $type: string; readonly seq: number; readonly time: string };
}

const parsed = <T>(messages: readonly Buffer[]): T[] => messages.map((text) => JSON.parse(`${text}`) as T);

/** The payload without what the server adds, once that has been checked. */
function withoutSeq({ $type, payload, ...others }: Message): object {
  expect([$type, others]).toEqual(['message', {}]);
  const { seq, time, ...rest } = payload;
  const milliseconds = new Date(Math.floor(seq / 1000)).toISOString().slice(0, -1);
  expect(time).toBe(`${milliseconds}${String(seq % 1000).padStart(3, '0')}Z`);
  return rest;
}

function withoutTime({ time_us, ...event }: { readonly time_us: number }): object {
  expect(time_us).toBeGreaterThan(1e15);
  return event;
}

/** For each expected event its number on the second wire, when the first wire has it too. */
function seqsOfBoth(expected: readonly Expected[], seqs: readonly number[]): number[] {
  let at = 0;
  return expected.flatMap(({ v1, v2 }) => {
    const seq = v2 === undefined ? undefined : seqs[at++];
    return v1 === undefined || seq === undefined ? [] : [seq];
  });
}

interface Running extends AsyncDisposable {
  readonly daemon: Daemon;
  readonly v2Url: string;
  readonly expected: readonly Expected[];
  send(): void;
}

async function running(count: number, flags: readonly string[]): Promise<Running> {
  const { frames, expected } = await framesOfAllKinds(count);
  const connected = Promise.withResolvers<WebSocket>();
  const relay = await ScriptedRelay.listen((socket) => connected.resolve(socket));
  const daemon = await Daemon.start(['--ws-url', relay.url, ...flags]);
  const socket = await connected.promise;
  return {
    daemon,
    expected,
    v2Url: `${daemon.httpUrl.replace('http', 'ws')}/xrpc/${nsid}`,
    send: () => {
      for (const frame of frames) socket.send(frame);
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

test.each(['0', '1'])(
  'each wire has what is its own of a relay, live and replayed: %s workers',
  async (workers) => {
    await using wires = await running(150, ['--workers', workers]);
    const { daemon, expected, v2Url } = wires;
    const v1Expected = expected.flatMap(({ v1 }) => v1 ?? []);
    const v2Expected = expected.flatMap(({ v2 }) => v2 ?? []);
    expect(expected.filter((one) => one.v1 === undefined).length).toBeGreaterThan(5);
    const v1 = await subscriber(daemon.url);
    const v2 = await subscriber(v2Url);
    const someKinds = '?kinds=sync&kinds=commit&collections=app.bsky.feed.*';
    const filtered = await subscriber(`${v2Url}${someKinds}`);
    wires.send();
    await expect.poll(() => v1.messages.length).toBe(v1Expected.length);
    await expect.poll(() => v2.messages.length).toBe(v2Expected.length);
    const events = parsed<{ time_us: number }>(v1.messages);
    const messages = parsed<Message>(v2.messages);
    expect(events.map(withoutTime)).toEqual(v1Expected);
    expect(messages.map(withoutSeq)).toEqual(v2Expected);
    // One coordinate for both.
    const seqs = messages.map(({ payload }) => payload.seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(seqs.filter((seq) => events.some(({ time_us }) => time_us === seq))).toEqual(
      seqsOfBoth(expected, seqs),
    );

    const isWanted = ({ $type, collection }: { $type: string; collection?: string }): boolean =>
      $type.endsWith('#sync') || collection?.startsWith('app.bsky.feed.') === true;
    const wanted = messages.filter(({ payload }) => isWanted(payload));
    expect(wanted.some(({ payload }) => payload.$type.endsWith('#sync'))).toBe(true);
    await expect.poll(() => filtered.messages.length).toBe(wanted.length);
    expect(parsed(filtered.messages)).toEqual(wanted);
    const replayed = await subscriber(`${v2Url}${someKinds}&cursor=${seqs[0]}`);
    await expect.poll(() => replayed.messages.length).toBe(wanted.length);
    expect(parsed(replayed.messages)).toEqual(wanted);

    // A client changes wires in the middle, with its cursor, there and back.
    const cursor = events[Math.floor(events.length / 2)].time_us;
    const changed = await subscriber(`${v2Url}?cursor=${cursor}`);
    const rest = messages.filter(({ payload }) => payload.seq >= cursor);
    await expect.poll(() => changed.messages.length).toBe(rest.length);
    expect(parsed(changed.messages)).toEqual(rest);
    const back = await subscriber(`${daemon.url}?cursor=${cursor}`);
    const v1Rest = events.filter(({ time_us }) => time_us >= cursor);
    await expect.poll(() => back.messages.length).toBe(v1Rest.length);
    expect(parsed(back.messages)).toEqual(v1Rest);

    // From the oldest on, which is told; then limits of sizes, which count the whole message.
    const oldest = await subscriber(`${v2Url}?cursor=1000000000000000`);
    await expect.poll(() => oldest.messages.length).toBe(messages.length + 1);
    expect(parsed(oldest.messages)[0]).toMatchObject({
      payload: { $type: `${nsid}#info`, name: 'OutdatedCursor' },
    });
    expect(parsed(oldest.messages).slice(1)).toEqual(messages);
    const size = v2.messages.map(({ length }) => length).sort((a, b) => a - b)[Math.floor(seqs.length / 2)];
    const small = await subscriber(`${v2Url}?cursor=${seqs[0]}&maxMessageSizeBytes=${size}`);
    const smallOnes = parsed(v2.messages.filter(({ length }) => length <= size));
    await expect.poll(() => small.messages.length).toBe(smallOnes.length);
    expect(parsed(small.messages)).toEqual(smallOnes);

    // Over plain HTTP who asks for it has it.
    const pull = async (query: string): Promise<{ kind: string; time_us: number }[]> => {
      const response = await fetch(`${daemon.httpUrl}/events.ndjson?${query}`);
      return (await response.text()).split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    };
    expect(await pull('')).toEqual(events);
    const syncs = messages.filter(({ payload }) => payload.$type.endsWith('#sync'));
    expect((await pull('wantedKinds=sync')).map(({ kind, time_us }) => ({ kind, seq: time_us }))).toEqual(
      syncs.map(({ payload: { seq } }) => ({ kind: 'sync', seq })),
    );
    expect(await daemon.metric('slipstream_published_events_total{kind="sync"}')).toBe(syncs.length);
    expect(await daemon.metric('slipstream_v1_only_events_total{reason="float"}')).toBe(1);
    for (const { socket } of [v1, v2, filtered, replayed, changed, back, oldest, small]) socket.terminate();
  },
);

test.each(['0', '1'])(
  'compressed streams are the same, every frame of them binary: %s workers',
  async (workers) => {
    await using wires = await running(60, ['--workers', workers]);
    const { daemon, expected, v2Url } = wires;
    const count = expected.filter(({ v2 }) => v2 !== undefined).length;
    const dictionaryUrl = `${daemon.httpUrl}/xrpc/network.bsky.jetstream.getZstdDictionary`;
    const [{ id: storedId }] = (await (await fetch(`${daemon.httpUrl}/dictionaries`)).json()) as {
      id: number;
    }[];
    const currentId = Number((await fetch(dictionaryUrl)).headers.get('x-zstd-dictionary-id'));
    expect(currentId).not.toBe(storedId);
    const live = await subscriber(`${v2Url}?zstdDictionary=${currentId}`);
    wires.send();
    await expect.poll(() => live.messages.length).toBe(count);
    const plain = await subscriber(`${v2Url}?cursor=0`);
    await expect.poll(() => plain.messages.length).toBe(count + 1);
    expect(plain.textMessages()).toBe(count + 1);
    for (const id of [currentId, storedId]) {
      const dictionary = Buffer.from(await (await fetch(`${dictionaryUrl}?id=${id}`)).arrayBuffer());
      expect(dictionary.readUInt32LE(4)).toBe(id);
      const read = (data: Buffer): string => zstdDecompressSync(data, { dictionary }).toString();
      const replayed = await subscriber(`${v2Url}?cursor=0&zstdDictionary=${id}`);
      await expect.poll(() => replayed.messages.length).toBe(count + 1);
      expect(replayed.textMessages()).toBe(0);
      // The id stands behind the descriptor, and a window where there is one.
      for (const data of replayed.messages) expect(data.readUInt16LE(data[4] & 0x20 ? 5 : 6)).toBe(id);
      const texts = replayed.messages.map(read);
      expect(texts).toEqual(plain.messages.map(String));
      if (id === currentId) expect(live.messages.map(read)).toEqual(texts.slice(1));
      replayed.socket.terminate();
    }
    for (const { socket } of [live, plain]) socket.terminate();
  },
);
