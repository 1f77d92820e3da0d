// Calls that need an archive, over raw sockets.

import { expect, it } from 'vitest';
import { listening } from './listening.ts';
import { exchange, head } from './raw-client.ts';

it.each([
  'GET /xrpc/network.bsky.jetstream.getSegment?id=1',
  'GET /xrpc/network.bsky.jetstream.getBlock',
  'GET /xrpc/network.bsky.jetstream.listSegments',
  'GET /xrpc/network.bsky.jetstream.getImportStatus',
  'POST /xrpc/network.bsky.jetstream.planSnapshot',
  'POST /xrpc/network.bsky.jetstream.importTimestamps',
])('%s says that there is no archive', async (line) => {
  const { port } = await listening();
  const body = line.startsWith('POST') ? '{}' : '';
  const headers = body === '' ? [] : ['Content-Length: 2', 'Content-Type: application/json'];
  const answer = await exchange(port, head(line, headers) + body);
  expect(answer.status).toBe(501);
  const { error, message } = JSON.parse(answer.body);
  expect(error).toBe('MethodNotImplemented');
  expect(message).toContain('no archive');
});

it.each([
  ['GET /xrpc/com.atproto.sync.getRepo?did=a', 501, 'MethodNotImplemented'],
  ['POST /xrpc/network.bsky.jetstream.subscribeEvents', 405, 'InvalidRequest'],
  ['DELETE /xrpc/network.bsky.jetstream.getZstdDictionary', 405, 'InvalidRequest'],
])('%s is answered in the form of that API', async (line, status, error) => {
  const { port } = await listening();
  const answer = await exchange(port, head(line, line.startsWith('GET') ? [] : ['Content-Length: 0']));
  expect([answer.status, JSON.parse(answer.body).error]).toEqual([status, error]);
});
