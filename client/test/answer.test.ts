// Answers of servers that send more than anybody asked for: only so much of them is taken.

import { describe, expect, test } from 'vitest';
import { fetchDictionary } from '../lib/decompressor.ts';
import { proofOf } from '../lib/proof.ts';
import { askForRefusal } from '../lib/refusal.ts';
import { FakePlatform } from './fake-platform.ts';

const chunk = new Uint8Array(64 * 1024).fill(0x61);
/** More than any answer may have. */
const chunksMax = 1024;

/** A platform whose server answers without an end, and how many pieces of it were taken. */
function endless(status: number, headers: Record<string, string> = {}) {
  const platform = new FakePlatform();
  const taken = { chunks: 0, cancelled: 0 };
  const fetch = async (url: string): Promise<Response> => {
    if (url.endsWith('/dictionaries')) return new Response('[{"id":7,"default":true}]');
    const body = new ReadableStream({
      pull(controller) {
        if (++taken.chunks > chunksMax) controller.error(new Error('taken to the end'));
        else controller.enqueue(chunk);
      },
      cancel() {
        taken.cancelled++;
      },
    });
    return new Response(body, { status, headers });
  };
  return { platform: Object.assign(platform, { fetch }), taken };
}

describe('of an answer without an end', () => {
  test('a dictionary is given up', async () => {
    const { platform, taken } = endless(200);
    for (const wire of ['v1', 'v2'] as const) {
      await expect(
        fetchDictionary(new URL('ws://server.example/subscribe'), wire, platform, 1000),
      ).rejects.toMatchObject({
        code: 'CLIENT_NO_DICTIONARY',
        retryable: false,
        message: expect.stringContaining('more than 1048576 bytes'),
      });
    }
    expect(taken).toEqual({ chunks: expect.any(Number), cancelled: 2 });
    expect(taken.chunks).toBeLessThan(2 * 20);
  });

  test('a refusal is taken by its beginning', async () => {
    const { platform, taken } = endless(404, { 'retry-after': '7' });
    const refusal = await askForRefusal('ws://server.example/subscribe', platform, 1000);
    expect(refusal).toEqual({ status: 404, words: 'a'.repeat(200), fault: undefined, retryAfterMs: 7000 });
    expect(taken.chunks).toBeLessThan(5);
  });

  test('a proof is given up, and so are words about one', async () => {
    const event = {
      did: 'did:plc:a',
      time_us: 1,
      commit: { operation: 'delete', collection: 'a', rkey: 'b', rev: 'c' },
    } as const;
    for (const status of [200, 404]) {
      const { platform, taken } = endless(status);
      await expect(proofOf('ws://server.example', event, { platform })).rejects.toMatchObject({
        code: 'CLIENT_NO_PROOF',
        message: expect.stringMatching(status === 200 ? /more than \d+ bytes/ : /404: a{200}$/),
      });
      expect(taken.cancelled).toBe(1);
      expect(taken.chunks).toBeLessThan(100);
    }
  });
});

test('a refusal whose words do not come is one all the same', async () => {
  const platform = new FakePlatform();
  const fetch = async (_: string, { signal }: { signal?: AbortSignal } = {}): Promise<Response> => {
    const body = new ReadableStream({
      start(controller) {
        signal?.addEventListener('abort', () => controller.error(signal.reason));
      },
    });
    return new Response(body, { status: 404 });
  };
  const asked = askForRefusal('ws://server.example/subscribe', Object.assign(platform, { fetch }), 1000);
  await platform.pass(1000);
  expect(await asked).toMatchObject({ status: 404, words: '' });
});
