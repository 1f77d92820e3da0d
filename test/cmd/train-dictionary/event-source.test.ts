import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { EventSample } from '../../../cmd/train-dictionary/event-sample.ts';
import { type ReadProgress, readEvents, sourceName } from '../../../cmd/train-dictionary/event-source.ts';
import { WebSocketServer } from '../../../lib/websocket.ts';
import { likeText } from './sample-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipstream-source-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string | Buffer): string {
  const path = join(folder, `${Math.random()}.jsonl`);
  writeFileSync(path, content);
  return path;
}

function texts(sample: EventSample): string[] {
  const { train, heldOut } = sample.split();
  return [...train, ...heldOut].map((text) => text.toString()).toSorted();
}

const options = { timeoutMs: 60_000, liveEventsMax: 10_000 };

async function read(from: string, changes: Partial<typeof options> = {}): Promise<EventSample> {
  const sample = new EventSample(10_000, 's');
  await readEvents(from, sample, { ...options, ...changes });
  return sample;
}

/** A v1 server: `serve` gets every connection's query and sender. */
async function serverWith(
  serve: (query: URLSearchParams, send: (text: string) => void, drop: () => void) => void,
) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (client, request) => {
    const query = new URL(request.url ?? '', 'ws://host').searchParams;
    serve(
      query,
      (text) => client.send(text),
      () => client.terminate(),
    );
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/subscribe`;
}

describe('a file', () => {
  test('gives its events, and nothing for what is none', async () => {
    const events = Array.from({ length: 700 }, (_, at) => likeText(at, at));
    events[300] = events[300].replace('"kind"', `"text":"${'ö🙂'.repeat(40_000)}","kind"`);
    const junk = [
      '',
      'x',
      '{',
      'null',
      '7',
      '[]',
      '{"did":"did:web:a"}',
      '{"did":1,"kind":"commit"}',
      '\u0000',
    ];
    const lines = events.flatMap((text, at) => [junk[at % junk.length], text]);
    for (const end of ['\n', ''])
      expect(texts(await read(fileOf(lines.join('\n') + end)))).toEqual(events.toSorted());
  });

  test('may have lines that are too long, or no lines at all', async () => {
    const [one, two] = [likeText(1, 1), likeText(2, 2)];
    const long = one.replace('"kind"', `"text":"${'x'.repeat(3 * 2 ** 20)}","kind"`);
    expect(texts(await read(fileOf(`${one}\n${long}\n${two}\n`)))).toEqual([one, two].toSorted());
    expect(texts(await read(fileOf('')))).toEqual([]);
    expect(texts(await read(fileOf(Buffer.alloc(5 * 2 ** 20, 7))))).toEqual([]);
  });

  test.each(['/nonexistent/events.jsonl', tmpdir()])('%s cannot be read', async (path) => {
    await expect(read(path)).rejects.toMatchObject({
      code: 'TRAINING_SOURCE_UNREADABLE',
      message: expect.stringContaining(path),
    });
  });
});

describe('a server', () => {
  test('is left after as many live events as are wanted, over several connections', async () => {
    let at = 0;
    let connections = 0;
    const url = await serverWith((query, send, drop) => {
      connections++;
      const start = Number(query.get('cursor') ?? 0);
      // Each connection begins after the cursor and breaks after some events.
      for (let sent = 0; sent < 40; sent++, at++)
        send(likeText(at, at, Math.max(start, Date.now() * 1000) + at));
      if (connections < 3) setTimeout(drop, 20);
    });
    const sample = await read(url, { liveEventsMax: 100 });
    expect(sample.offered).toBe(100);
    expect(connections).toBeGreaterThanOrEqual(3);
  });

  test('is read from its cursor to the present', async () => {
    const startUs = Date.now() * 1000;
    const queries: string[] = [];
    const url = await serverWith((query, send) => {
      queries.push(query.get('cursor') ?? '');
      for (let at = 0; at < 50; at++) send(likeText(at, at, startUs - 60_000_000 + at));
      for (let at = 50; at < 60; at++) send(likeText(at, at, Date.now() * 1000 + 10_000_000 + at));
    });
    const sample = await read(`${url}?cursor=5`, { liveEventsMax: 20 });
    expect(queries).toEqual(['5']);
    expect(sample.offered).toBe(50);
  });

  test('is left when the time is over, with what has come', async () => {
    const url = await serverWith((_query, send) => {
      for (let at = 0; at < 5; at++) send(likeText(at, at));
    });
    expect((await read(url, { timeoutMs: 1_500 })).offered).toBe(5);
  });

  test('that is not there, or is another one, is an error that says so', async () => {
    await expect(read('ws://user:secret@127.0.0.1:1/subscribe?x=secret')).rejects.toMatchObject({
      code: 'TRAINING_UNREACHABLE',
      message: expect.not.stringContaining('secret'),
    });
    const http = createServer((_request, response) => response.writeHead(404).end('nothing here'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void http.close());
    const { port } = http.address() as AddressInfo;
    await expect(read(`http://127.0.0.1:${port}`)).rejects.toMatchObject({
      code: expect.stringMatching(/^(TRAINING_UNREACHABLE|CLIENT_REFUSED)$/),
    });
  });
});

test('the progress is told once a second', async () => {
  const seen: ReadProgress[] = [];
  const texts = Array.from({ length: 10 }, (_, at) => likeText(at, at));
  // The clock is read at the start and for each event, and goes 400 ms on every time.
  let nowMs = 0;
  const now = () => {
    nowMs += 400;
    return nowMs;
  };
  const sample = new EventSample(1_000, 's');
  const onProgress = (progress: ReadProgress) => seen.push(progress);
  await readEvents(fileOf(texts.join('\n')), sample, { ...options, now, onProgress });
  const bytes = (count: number) => texts.slice(0, count).join('').length;
  expect(seen).toEqual(
    [3, 6, 9].map((events) => ({
      events,
      kept: events,
      bytes: bytes(events),
      seconds: (events * 400) / 1000,
    })),
  );
});

test.each([
  ['wss://user:secret@host.test:6008/path?cursor=0', 'host.test:6008'],
  ['https://host.test/subscribe', 'host.test'],
  ['ws://[', 'an address'],
  ['/home/somebody/events.jsonl', 'events.jsonl'],
])('%s is called %s', (from, name) => expect(sourceName(from)).toBe(name));
