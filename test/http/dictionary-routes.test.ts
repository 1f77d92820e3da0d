// Download of dictionaries, over raw sockets.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DictionarySource } from '../../lib/http/dictionary-routes.ts';
import { listening } from './listening.ts';
import { exchange, head, telling } from './raw-client.ts';

const bytes = Buffer.from('a dictionary, if you like');
const sha256 = createHash('sha256').update(bytes).digest('hex');
const dictionaries: DictionarySource = {
  list: () => [
    { id: 4_294_967_295, bytes: bytes.length, sha256, default: true },
    { id: 7, bytes: bytes.length, sha256, default: false },
  ],
  get: (id) => ([7, 4_294_967_295].includes(id) ? bytes : undefined),
};

const cached = [
  'access-control-allow-origin: *',
  'access-control-expose-headers: ETag, X-Zstd-Dictionary-Id',
  'cache-control: public, max-age=31536000, immutable',
  `etag: "${sha256}"`,
  'vary: Origin',
  'x-zstd-dictionary-id: 4294967295',
];

async function get(line: string, headers: string[] = []) {
  const { port } = await listening({ dictionaries });
  const answer = await exchange(port, head(line, headers));
  return { status: answer.status, headers: telling(answer), body: answer.body, all: answer.headers };
}

describe('the list', () => {
  it('tells them all', async () => {
    const { status, headers, body } = await get('GET /dictionaries');
    expect(status).toBe(200);
    expect(headers).toEqual([
      'access-control-allow-origin: *',
      'content-type: application/json; charset=UTF-8',
      'vary: Origin',
    ]);
    expect(JSON.parse(body)).toEqual([
      { id: 4_294_967_295, bytes: 25, sha256, url: '/dictionaries/4294967295', default: true },
      { id: 7, bytes: 25, sha256, url: '/dictionaries/7', default: false },
    ]);
  });
});

describe('a dictionary', () => {
  it('comes as bytes that may be kept', async () => {
    const { status, headers, body, all } = await get('GET /dictionaries/4294967295');
    expect([status, body]).toEqual([200, bytes.toString()]);
    expect(headers).toEqual([...cached, 'content-type: application/octet-stream'].sort());
    expect(all).toContainEqual(['content-length', '25']);
  });

  it('may be asked for without its bytes', async () => {
    const { status, body, all } = await get('HEAD /dictionaries/7');
    expect([status, body]).toEqual([200, '']);
    expect(all).toContainEqual(['content-length', '25']);
  });

  it.each([`"${sha256}"`, `W/"${sha256}"`, `"x", "${sha256}"`, '*'])(
    'is not sent again to who has %s',
    async (tag) => {
      const { status, headers, body } = await get('GET /dictionaries/4294967295', [`If-None-Match: ${tag}`]);
      expect([status, body]).toEqual([304, '']);
      expect(headers).toEqual(cached);
    },
  );

  it('is sent to who has another', async () => {
    expect((await get('GET /dictionaries/7', ['If-None-Match: "x"'])).status).toBe(200);
  });

  it.each(['8', '', 'x', '07', '7/', '7.zdict', '-7', '7e0', '99999999999', '../subscribe'])(
    'is not found as %j',
    async (id) => {
      const { status, headers, body } = await get(`GET /dictionaries/${id}`);
      expect([status, body]).toEqual([404, '{"message":"Not Found"}\n']);
      expect(headers).toContain('access-control-allow-origin: *');
    },
  );

  it('is read only', async () => {
    const { status, headers } = await get('DELETE /dictionaries/7');
    expect(status).toBe(405);
    expect(headers).toContain('allow: OPTIONS, GET, HEAD');
  });
});
