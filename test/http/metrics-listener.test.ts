// The metrics listener, over raw sockets.

import { expect, it, onTestFinished } from 'vitest';
import { MetricsListener, type ReadMetrics } from '../../lib/http/metrics-listener.ts';
import { exchange, head, telling } from './raw-client.ts';

const text: ReadMetrics = async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' });

async function listening(read: ReadMetrics = text) {
  const errors: unknown[] = [];
  const listener = new MetricsListener(read, (error) => errors.push(error));
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => listener.stop());
  return { port, errors, listener };
}

it('serves metrics', async () => {
  const { port } = await listening();
  const answer = await exchange(port, head('GET /metrics?x'));
  expect([answer.status, answer.body]).toEqual([200, 'up 1\n']);
  expect(telling(answer)).toEqual(['content-type: text/plain; version=0.0.4']);
  expect((await exchange(port, head('HEAD /metrics'))).body).toBe('');
});

it('serves nothing else', async () => {
  const { port } = await listening();
  for (const target of ['/', '/metrics/', '/debug/pprof/', '/subscribe']) {
    expect((await exchange(port, head(`GET ${target}`))).status).toBe(404);
  }
  expect((await exchange(port, head('POST /metrics'))).status).toBe(405);
});

it('answers 500 when there are none', async () => {
  const failure = new Error('no metrics today');
  const { port, errors } = await listening(() => Promise.reject(failure));
  expect((await exchange(port, head('GET /metrics'))).status).toBe(500);
  expect(errors).toEqual([failure]);
});

it('stops under way', async () => {
  let asked = () => {};
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { port, listener } = await listening(() => {
    asked();
    return new Promise(() => {});
  });
  const answer = exchange(port, head('GET /metrics')).catch(() => {});
  await wasAsked;
  await listener.stop();
  await answer;
});
