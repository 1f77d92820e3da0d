// The metrics listener, over raw sockets.

import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { MetricsListener, type MetricsListenerOptions } from '../../lib/monitor/metrics-listener.ts';
import { exchange, head, telling } from '../http/raw-client.ts';
import { sendingOn } from '../http/sending-on.ts';

async function listening(overrides: Partial<MetricsListenerOptions> = {}) {
  const errors: unknown[] = [];
  const listener = new MetricsListener({
    readMetrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
    readChecks: () => ({}),
    onError: (error) => errors.push(error),
    ...overrides,
  });
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

it('names all of it at /', async () => {
  const { port } = await listening();
  const { status, body } = await exchange(port, head('GET /'));
  const named = [...body.matchAll(/^\/\S+/gm)].map(([path]) => path);
  expect([status, named]).toEqual([200, ['/metrics', '/health/live', '/health/ready']]);
  for (const path of named) expect((await exchange(port, head(`HEAD ${path}`))).status).toBe(200);
});

it('serves nothing else', async () => {
  const { port } = await listening();
  for (const target of ['/metrics/', '/debug/pprof/', '/subscribe', '/health', '/health/', '/_health']) {
    expect((await exchange(port, head(`GET ${target}`))).status).toBe(404);
  }
  for (const target of ['/metrics', '/health/live', '/health/ready']) {
    expect((await exchange(port, head(`POST ${target}`))).status).toBe(405);
  }
});

it('answers 500 when there are none', async () => {
  const failure = new Error('no metrics today');
  const { port, errors } = await listening({ readMetrics: () => Promise.reject(failure) });
  expect((await exchange(port, head('GET /metrics'))).status).toBe(500);
  expect(errors).toEqual([failure]);
});

it('stops under way', async () => {
  let asked = () => {};
  const wasAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { port, listener } = await listening({
    readMetrics() {
      asked();
      return new Promise(() => {});
    },
  });
  const answer = exchange(port, head('GET /metrics')).catch(() => {});
  await wasAsked;
  await listener.stop();
  await answer;
});

it('lives as long as it answers', async () => {
  const { port } = await listening({ readChecks: () => ({ log: { ok: false, detail: 'gone' } }) });
  const answer = await exchange(port, head('GET /health/live'));
  expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { live: true }]);
});

it('is ready when every check holds, and says which does not', async () => {
  const relay = { ok: true, detail: 'relay.example' };
  const log = { ok: true, detail: 'it takes writes' };
  const { port } = await listening({ readChecks: () => ({ relay, log }) });
  const ready = await exchange(port, head('GET /health/ready'));
  expect([ready.status, JSON.parse(ready.body)]).toEqual([200, { ready: true, checks: { relay, log } }]);
  expect(telling(ready)).toContain('cache-control: no-store');
  Object.assign(log, { ok: false, detail: 'LOG_DISK_FULL' });
  const unready = await exchange(port, head('GET /health/ready'));
  expect([unready.status, JSON.parse(unready.body)]).toEqual([503, { ready: false, checks: { relay, log } }]);
  const brief = await exchange(port, head('HEAD /health/ready'));
  expect([brief.status, brief.body]).toEqual([503, '']);
});

it('lets a client that sends on read why it is refused', async () => {
  let answered = 0;
  const { port } = await listening({
    readChecks: () => {
      answered++;
      return { relay: { ok: false, detail: 'none' } };
    },
  });
  const request = head('GET /health/ready', ['Connection: close', 'Content-Length: 100000']);
  const more = Array.from({ length: 10 }, () => Buffer.alloc(10_000, 32));
  const { answer, error } = await sendingOn(port, request, () => answered > 0, more);
  expect([answer.status, error]).toEqual([503, undefined]);
});

it('has room for who comes when many stay and say nothing', async () => {
  const { port } = await listening();
  const silent = Array.from({ length: 200 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const socket of silent) socket.destroy();
  });
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  expect((await exchange(port, head('GET /metrics'))).status).toBe(200);
});
