// `GET /xrpc/network.bsky.jetstream.subscribeEvents` over real sockets: the handshake, its refusals, and what sessions say and take.

import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from '../../lib/websocket.ts';
import { addressTable } from '../support/addresses.ts';
import { textFrame } from './fake-source.ts';
import { closeOf, listening, nowUs } from './listening.ts';
import { exchange, handshake, head } from './raw-client.ts';

const path = '/xrpc/network.bsky.jetstream.subscribeEvents';

/** The messages of a ws client, as they come. */
function messagesOf(client: WebSocket): { text: string; isBinary: boolean }[] {
  const messages: { text: string; isBinary: boolean }[] = [];
  client.on('message', (data, isBinary) => void messages.push({ text: String(data), isBinary }));
  return messages;
}

function headersOf(answer: { headers: readonly (readonly [string, string])[] }): Record<string, string> {
  return Object.fromEntries(answer.headers);
}

describe('the handshake', () => {
  it.each([
    ['xrpc.v1.json', 'xrpc.v1.json'],
    ['a, xrpc.v1.json , b', 'xrpc.v1.json'],
    ['XRPC.V1.JSON', undefined],
    ['xrpc.v1.json2', undefined],
    ['(bad', undefined],
    [undefined, undefined],
  ])('with the sub-protocol %s agrees on %s, and on no extension', async (offered, agreed) => {
    const { raw } = await listening();
    const { answer } = await raw(path, {
      Origin: 'http://a.test',
      'Sec-WebSocket-Protocol': offered,
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    });
    expect(answer?.status).toBe(101);
    expect(headersOf(answer!)['sec-websocket-protocol']).toBe(agreed);
    expect(headersOf(answer!)['sec-websocket-extensions']).toBeUndefined();
  });

  it('takes ten thousand DIDs in a request line of 420 KB, escaped', async () => {
    const { raw, source } = await listening();
    const dids = Array.from(
      { length: 10_000 },
      (_, at) => `dids=did%3Aplc%3A${String(at).padStart(24, 'a')}`,
    );
    expect((await raw(`${path}?${dids.join('&')}`)).answer?.status).toBe(101);
    await vi.waitFor(() => expect(source.subscriptions[0]?.filters[0].dids.size).toBe(10_000));
  });
});

describe('a refusal', () => {
  it.each([
    ['a handshake', (target: string) => handshake(target, { Connection: 'Upgrade, close' })],
    ['a plain request', (target: string) => head(`GET ${target}`)],
  ])('of %s with bad parameters is an XRPC error of 1,024 bytes at most', async (_name, requestOf) => {
    const { port, listener } = await listening();
    for (const [query, error] of [
      ['cursor=-1', 'InvalidRequest'],
      ['zstdDictionary=9', 'UnknownZstdDictionary'],
      [`dids=${'%22'.repeat(20_000)}`, 'InvalidRequest'],
      ['wantedDids=did:web:a', 'InvalidRequest'],
    ]) {
      const answer = await exchange(port, requestOf(`${path}?${query}`));
      expect(answer.status).toBe(400);
      expect(headersOf(answer)).toMatchObject({
        'content-type': 'application/json',
        'access-control-allow-origin': '*',
      });
      expect(Buffer.byteLength(answer.body)).toBeLessThanOrEqual(1024);
      expect(JSON.parse(answer.body)).toEqual({ error, message: expect.any(String) });
    }
    expect(listener.sessions.refusals.get('bad_dictionary')).toBe(1);
  });

  it.each([
    ['a plain request', head(`GET ${path}?kinds=sync`)],
    ['another version', handshake(path, { 'Sec-WebSocket-Version': '8' })],
  ])('of %s with good parameters tells to upgrade', async (_name, text) => {
    const { port } = await listening();
    const answer = await exchange(port, text);
    expect(answer.status).toBe(426);
    expect(headersOf(answer)).toMatchObject({ upgrade: 'websocket', 'sec-websocket-version': '13' });
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'UpgradeRequired' });
  });

  it.each([undefined, 'short'])('of a handshake with the key %s names the key', async (key) => {
    const { port } = await listening();
    const answer = await exchange(port, handshake(path, { 'Sec-WebSocket-Key': key }));
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      error: 'InvalidRequest',
      message: expect.stringContaining('Sec-WebSocket-Key'),
    });
  });

  it('for want of places is never a 429, and says when to come back', async () => {
    const { port, raw } = await listening({ addresses: addressTable({ subscribersPerAddressMax: 1 }) });
    await raw(path);
    const answer = await exchange(port, handshake(path));
    expect(answer.status).toBe(503);
    expect(headersOf(answer)['retry-after']).toBe('30');
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'ServiceUnavailable' });
    // As ever on the first wire.
    expect((await exchange(port, handshake('/subscribe'))).status).toBe(429);
  });
});

describe('a session', () => {
  it('starts at its cursor, and says nothing of it', async () => {
    const { client, source } = await listening({ log: { oldestUs: 5, lastTimeUs: nowUs } as never });
    const messages = messagesOf(await client(`${path}?cursor=${nowUs - 5}`));
    // The next one after the newest event.
    messages.push(...messagesOf(await client(`${path}?cursor=${nowUs + 1}`)));
    await vi.waitFor(() => expect(source.subscriptions).toHaveLength(2));
    expect(source.subscriptions.map(({ afterTimeUs }) => afterTimeUs)).toEqual([nowUs - 6, nowUs]);
    expect(messages).toEqual([]);
  });

  it.each([
    [`${nowUs + 2}`, 'FutureCursor', undefined],
    ['0', 'OutdatedCursor', 0],
  ])('with the cursor %s is told first: %s', async (cursor, name, afterTimeUs) => {
    const { port, source } = await listening();
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}?cursor=${cursor}`);
    const messages = messagesOf(client);
    await vi.waitFor(() => expect(messages).toHaveLength(1));
    expect(messages[0].isBinary).toBe(false);
    expect(JSON.parse(messages[0].text)).toMatchObject({ $type: 'message', payload: { name } });
    expect(source.subscriptions[0].afterTimeUs).toBe(afterTimeUs);
    client.terminate();
  });

  it.each([
    ['text', '{}'],
    ['binary', Buffer.from('x')],
    ['empty', ''],
  ])('ends with 1008 at a %s message, and takes control frames', async (_name, message) => {
    const { client, source } = await listening();
    const socket = await client(path);
    const ponged = new Promise((resolve) => socket.once('pong', resolve));
    socket.ping();
    await ponged;
    const closed = closeOf(socket);
    socket.send(message);
    expect(await closed).toEqual({ code: 1008, reason: 'this stream takes no messages' });
    expect(source.subscriptions[0].ends).toBe(1);
  });

  it.each([
    ['of which a part has come', [0x01, 0x81, 0, 0, 0, 0, 0x61]],
    ['that is too long', [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff]],
    ['that is empty and not the last of its message', [0x02, 0x80, 0, 0, 0, 0]],
  ])('ends with 1008 at a frame %s', async (_name, bytes) => {
    const { raw } = await listening();
    const client = await raw(path);
    // A ping in front, cut in two: it is no message, whole or not.
    client.socket.write(Buffer.from([0x89]));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.write(Buffer.from([0x80, 0, 0, 0, 0]));
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    client.socket.write(Buffer.from(bytes));
    await vi.waitFor(() => expect(client.frames.map(({ firstByte }) => firstByte)).toEqual([0x8a, 0x88]));
    expect(client.frames[1].payload.readUInt16BE()).toBe(1008);
  });

  it('ends with 1007 at a close whose reason is no UTF-8: it is no message', async () => {
    const { raw } = await listening();
    const client = await raw(path);
    client.send(0x88, Buffer.from([0x03, 0xe8, 0xff]));
    await vi.waitFor(() => expect(client.closeFrame).toEqual({ code: 1007, reason: 'invalid UTF-8' }));
  });

  it('may send filters when it has asked for that, and starts with the first if it says so', async () => {
    const { client, source } = await listening();
    const socket = await client(`${path}?filterUpdates=first&cursor=${nowUs - 5}`);
    expect(source.subscriptions).toEqual([]);
    const send = (payload: object): void => socket.send(JSON.stringify({ type: 'options_update', payload }));
    send({ dids: ['did:web:a.test'] });
    await vi.waitFor(() => expect(source.subscriptions).toHaveLength(1));
    send({ kinds: ['sync'] });
    const [{ filters }] = source.subscriptions;
    await vi.waitFor(() => expect(filters).toHaveLength(2));
    expect(filters[0].dids).toEqual(new Set(['did:web:a.test']));
    expect(filters[1]).toMatchObject({ isV2: true, kinds: 0b1000 });
    const messages = messagesOf(socket);
    const closed = closeOf(socket);
    send({ wantedDids: ['did:web:a.test'] });
    expect((await closed).code).toBe(1008);
    expect(JSON.parse(messages[0].text)).toMatchObject({ $type: 'error', error: 'InvalidRequest' });
  });

  it('is told of its progress and of gaps as messages, when it has asked', async () => {
    const { client, source } = await listening();
    const messages = messagesOf(await client(`${path}?progress=true`));
    const { transport } = source.subscriptions[0];
    expect([transport.wantsProgress, transport.wantsGaps]).toEqual([true, true]);
    transport.progress({ positionUs: 5, newestUs: 8, live: false });
    transport.gap({ reason: 'relay_gap', relay: 'relay.test', fromUs: 5, toUs: 7, count: 1 });
    await vi.waitFor(() => expect(messages).toHaveLength(2));
    const [progress, gap] = messages.map(({ text }) => JSON.parse(text));
    const own = 'slipstream.stream.progress';
    const told = { $type: `${own}#progress`, cursor: 6, lagUs: 3, live: false };
    expect(progress).toEqual({ $type: 'message', payload: told });
    const { $type, ...fields } = gap.payload;
    expect([gap.$type, $type]).toEqual(['message', `${own}#gap`]);
    expect(fields).toEqual({
      ...{ seq: 7, fromUs: 5, toUs: 7, reason: 'relay_gap', relay: 'relay.test', count: 1 },
      ...{ missing: true, repeated: false },
    });
  });

  it('that reads nothing is told where to go on, behind all that was sent', async () => {
    const { client, source } = await listening({ timing: { stallTimeoutMs: 50, pingIntervalMs: 10_000 } });
    const socket = await client(path);
    const messages = messagesOf(socket);
    const closed = closeOf(socket);
    socket.pause();
    const [subscription] = source.subscriptions;
    const big = textFrame('x'.repeat(60_000));
    while (subscription.transport.write(big));
    subscription.positionUs = 1_780_000_000_000_041;
    await vi.waitFor(() => expect(subscription.ends).toBe(1));
    socket.resume();
    expect((await closed).code).toBe(1008);
    const { $type, error, message } = JSON.parse(messages.at(-1)?.text ?? '');
    expect([$type, error]).toEqual(['error', 'ConsumerTooSlow']);
    expect(message).toContain('cursor=1780000000000042');
  });

  it('that the log fails is told so, and may be retried', async () => {
    const { client, source } = await listening();
    const socket = await client(path);
    const messages = messagesOf(socket);
    const closed = closeOf(socket);
    source.subscriptions[0].transport.close('delivery_failed');
    expect((await closed).code).toBe(1011);
    expect(JSON.parse(messages[0].text)).toMatchObject({ $type: 'error', error: 'InternalError' });
  });

  it('ends with 1001 when the server stops', async () => {
    const { client, listener } = await listening();
    const closed = closeOf(await client(path));
    await listener.stop(1000);
    expect((await closed).code).toBe(1001);
  });

  it('is pinged', async () => {
    const { client } = await listening({ timing: { pingIntervalMs: 30 } });
    const socket = await client(path);
    await new Promise((resolve) => socket.once('ping', resolve));
  });
});
