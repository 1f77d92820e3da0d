// `getZstdDictionary` over raw sockets: which dictionary, what may be kept, and parts.

import { expect, it } from 'vitest';
import type { DictionarySource } from '../../lib/http/dictionary-routes.ts';
import { listening } from './listening.ts';
import { exchange, head } from './raw-client.ts';

const path = '/xrpc/network.bsky.jetstream.getZstdDictionary';
const bytes = Buffer.from('a dictionary, if you like');
const older = Buffer.from('the one before');
const v2Dictionaries: DictionarySource = {
  list: () => [
    { id: 20, bytes: bytes.length, sha256: '', default: true },
    { id: 19, bytes: older.length, sha256: '', default: false },
  ],
  get: (id) =>
    new Map([
      [20, bytes],
      [19, older],
    ] as const).get(id as 20),
};

async function get(query: string, headers: string[] = []) {
  const { port } = await listening({ v2Dictionaries });
  const answer = await exchange(port, head(`GET ${path}${query}`, headers));
  return { ...answer, headers: Object.fromEntries(answer.headers) };
}

it('sends the current one to who has none, which is not kept for long', async () => {
  const { status, headers, body } = await get('', ['Origin: https://a.test']);
  expect([status, body]).toEqual([200, bytes.toString()]);
  expect(headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'x-zstd-dictionary-id': '20',
    etag: '"zstd-dict-20"',
    'access-control-allow-origin': '*',
    'cache-control': 'public, max-age=300',
  });
});

it.each([
  ['?id=20', bytes],
  ['?id=19', older],
])('sends %s, for ever', async (query, expected) => {
  const { status, headers, body } = await get(query);
  expect([status, body]).toEqual([200, expected.toString()]);
  expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
});

it.each(['0', '-1', '21', '99999999999999999999'])('knows no %s', async (id) => {
  const { status, body } = await get(`?id=${id}`);
  expect(status).toBe(404);
  expect(JSON.parse(body)).toMatchObject({
    error: 'DictionaryNotFound',
    message: expect.stringContaining('20'),
  });
});

it.each(['x', '1.5', '0x10', ''])('refuses %j, which is no integer', async (id) => {
  const { status, body } = await get(`?id=${id}`);
  expect(status).toBe(400);
  expect(JSON.parse(body).error).toBe('InvalidRequest');
});

it.each([
  ['bytes=2-11', 206, 'dictionary'],
  ['bytes=-4', 206, 'like'],
  ['bytes=14-', 206, 'if you like'],
  ['bytes=90-', 416, ''],
  ['lines=1-2', 200, bytes.toString()],
])('answers a range %s with %d', async (range, status, body) => {
  const answer = await get('', [`Range: ${range}`]);
  expect([answer.status, answer.body]).toEqual([status, body]);
});

it('is not sent to who has it', async () => {
  const { status } = await get('?id=20', ['If-None-Match: "zstd-dict-20"']);
  expect(status).toBe(304);
  const part = await get('?id=20', ['Range: bytes=0-1', 'If-Range: "zstd-dict-19"']);
  expect(part.status).toBe(200);
});

it('is not sent to who has it since the start of the server', async () => {
  const { headers } = await get('?id=20');
  const since = headers['last-modified'];
  const again = await get('?id=20', [`If-Modified-Since: ${since}`]);
  expect([again.status, again.body, again.headers.etag]).toEqual([304, '', '"zstd-dict-20"']);
  expect((await get('?id=20', ['If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT'])).status).toBe(200);
  // Which dictionary it is says more than since when it is there.
  const other = [`If-Modified-Since: ${since}`, 'If-None-Match: "zstd-dict-19"'];
  expect((await get('?id=20', other)).status).toBe(200);
});

it.each([
  ['If-Match: "zstd-dict-20"', 206],
  ['If-Match: "zstd-dict-19", "zstd-dict-20"', 206],
  ['If-Match: *', 206],
  ['If-Match: "zstd-dict-19"', 412],
  // A part has to be of the very same bytes.
  ['If-Match: W/"zstd-dict-20"', 412],
  ['If-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT', 412],
  ['If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT', 206],
  ['If-Unmodified-Since: some day', 206],
])('goes on with a download %s: %d', async (condition, status) => {
  const answer = await get('', [condition, 'Range: bytes=2-11']);
  expect(answer.status).toBe(status);
  if (status === 206) expect(answer.body).toBe('dictionary');
  else expect(JSON.parse(answer.body)).toMatchObject({ error: 'PreconditionFailed' });
});

it('has headers alone for HEAD', async () => {
  const { port } = await listening({ v2Dictionaries });
  // A range is for GET alone.
  const answer = await exchange(port, head(`HEAD ${path}?id=19`, ['Range: bytes=0-1']));
  expect([answer.status, Object.fromEntries(answer.headers)['content-length'], answer.body]).toEqual([
    200,
    String(older.length),
    '',
  ]);
});

it('errors are kept by nobody, and any page may read them', async () => {
  const { headers } = await get('?id=21');
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'access-control-allow-origin': '*' });
});
