// What every `Transport` promises to the delivery loop, of each of the two: a WebSocket, and an answer over plain HTTP.

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Transport } from '../../lib/fanout/transport.ts';
import type { PublicListenerOptions } from '../../lib/http/public-listener.ts';
import { textFrame } from '../http/fake-source.ts';
import { listening } from '../http/listening.ts';
import { handshake, sent } from '../http/raw-client.ts';

const event = JSON.stringify({ time_us: 1, text: 'x'.repeat(10_000) });
const atTip = { positionUs: 5, newestUs: 5, live: true };

interface Form {
  readonly request: string;
  /** Bytes as the encoding makes them of some events. */
  readonly batch: Buffer;
  /** What tells a reader why an answer ends, after `close` because delivery failed. */
  readonly closing: string;
}

const forms: [string, Form][] = [
  [
    'WebSocketSession',
    {
      request: handshake('/subscribe?progress=true'),
      batch: textFrame(event),
      closing: '\x88\x19\x03\xe8failed to replay events',
    },
  ],
  [
    'HttpSession',
    {
      request: 'GET /events?progress=true HTTP/1.1\r\nHost: test\r\n\r\n',
      batch: Buffer.from(`id: 1\ndata: ${event}\n\n`),
      closing: ': failed to replay events\n\n',
    },
  ],
];

async function opened({ request }: Form, options: Partial<PublicListenerOptions> = {}) {
  const server = await listening(options);
  const client = sent(server.port, request);
  await vi.waitFor(() => expect(server.source.subscriptions).toHaveLength(1));
  const [subscription] = server.source.subscriptions;
  return {
    ...server,
    ...client,
    subscription,
    transport: subscription.transport,
    ends: () => [...server.listener.sessions.counts.ended].filter(([, count]) => count > 0),
  };
}

/** Writes until the transport is full, and again whenever it is not, if it is to be kept so. */
function fill(transport: Transport, batch: Buffer): void {
  while (transport.write(batch));
}

describe.each(forms)('%s', (name, form) => {
  it('says when it is full, and once when it no longer is', async () => {
    const { socket, subscription, transport } = await opened(form);
    socket.pause();
    fill(transport, form.batch);
    expect(subscription.drains).toBe(0);
    socket.resume();
    await vi.waitFor(() => expect(subscription.drains).toBe(1), 10_000);
    expect(transport.write(form.batch)).toBe(true);
    expect(subscription.drains).toBe(1);
  });

  // The other does not say.
  it.runIf(name === 'WebSocketSession')('reads nothing of what it has sent', async () => {
    const { socket, received, subscription, transport } = await opened(form);
    socket.pause();
    const wanted: string[] = [];
    let reused = 0;
    for (let at = 0; at < 600; at++) {
      const letter = String.fromCharCode(97 + (at % 26));
      const batch = textFrame(letter.repeat(20_000));
      wanted.push(batch.toString('latin1'));
      const { drains } = subscription;
      const isFull = !transport.write(batch);
      if (transport.hasUnsent === false) {
        batch.fill('!');
        reused++;
      }
      if (!isFull) continue;
      socket.resume();
      await vi.waitFor(() => expect(subscription.drains).toBeGreaterThan(drains), 10_000);
      if (at % 3 > 0) socket.pause();
    }
    socket.resume();
    const sent = wanted.join('');
    await vi.waitFor(() => expect(received().length).toBeGreaterThan(sent.length), 10_000);
    expect(received().endsWith(sent)).toBe(true);
    expect(reused).toBeGreaterThan(0);
  });

  it('sends what it is given, in order, and progress between', async () => {
    const { received, transport } = await opened(form);
    transport.write(form.batch);
    transport.progress(atTip);
    transport.write(form.batch);
    await vi.waitFor(() => expect(received().split(event)).toHaveLength(3));
    const [, between] = received().split(event);
    expect(between).toContain('"progress":{"cursor":6,"lag_us":0,"live":true}');
  });

  it('sends nothing after it was closed, with a reason', async () => {
    const { received, subscription, transport, ends, closed } = await opened(form, {
      timing: { closeTimeoutMs: 50 },
    });
    transport.close('delivery_failed');
    expect(transport.write(form.batch)).toBe(false);
    transport.progress(atTip);
    transport.close('no_room');
    await closed;
    expect(received()).toContain(form.closing);
    expect(received()).not.toContain(event);
    expect(received()).not.toContain('cursor');
    await vi.waitFor(() => expect(ends()).toEqual([['delivery_failed', 1]]));
    expect(subscription.ends).toBe(1);
  });

  it('ends when the server stops, and is gone then', async () => {
    const { listener, received, subscription, transport, ends } = await opened(form, {
      timing: { closeTimeoutMs: 50 },
    });
    await listener.stop(10_000);
    await vi.waitFor(() => expect(received()).toContain('server shutting down'));
    expect(transport.write(form.batch)).toBe(false);
    expect([ends(), subscription.ends, listener.sessions.members.size]).toEqual([
      [['server_stopping', 1]],
      1,
      0,
    ]);
  });

  it('ends when it is full and nothing is taken, and only then', async () => {
    const { listener, socket, subscription, transport, ends } = await opened(form, {
      timing: { closeTimeoutMs: 50 },
    });
    const [session] = listener.sessions.members;
    transport.write(form.batch);
    session.visit(performance.now() + 60_001);
    expect([ends(), subscription.ends]).toEqual([[], 0]);
    socket.pause();
    subscription.onDrained = () => fill(transport, form.batch);
    subscription.onDrained();
    await vi.waitFor(() => {
      session.visit(performance.now());
      session.visit(performance.now() + 60_001);
      expect(ends()).toEqual([['stalled', 1]]);
    }, 10_000);
    expect([subscription.ends, listener.sessions.members.size]).toEqual([1, 0]);
  });

  it.each(['end', 'destroy', 'resetAndDestroy'] as const)(
    'ends once when the client goes: %s',
    async (how) => {
      const { listener, socket, subscription, ends } = await opened(form);
      onTestFinished(() => void socket.destroy());
      socket[how]();
      await vi.waitFor(() => expect(ends()).toEqual([['client_gone', 1]]));
      expect([subscription.ends, listener.sessions.members.size]).toEqual([1, 0]);
    },
  );
});
