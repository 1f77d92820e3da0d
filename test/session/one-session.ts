// A listener with a session or two, clients made by hand, and what they have received.

import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from '../../lib/websocket.ts';
import { type FakeSubscription, textFrame } from '../http/fake-source.ts';
import { listening } from '../http/listening.ts';
import type { RawWebSocket } from '../http/raw-client.ts';

export const text = 0x81;
export const binary = 0x82;
export const close = 0x88;
export const ping = 0x89;
export const pong = 0x8a;

export const update = (payload: unknown) => JSON.stringify({ type: 'options_update', payload });

export function frames(client: RawWebSocket, firstByte: number): string[] {
  return client.frames
    .filter((frame) => frame.firstByte === firstByte)
    .map(({ payload }) => payload.toString());
}

export function messages(client: WebSocket): string[] {
  const received: string[] = [];
  client.on('message', (data, isBinary) =>
    received.push(`${isBinary ? 'binary' : 'text'} ${data.toString()}`),
  );
  return received;
}

/** Writes until the socket of a client that reads nothing is full and stays so. */
export async function fill(subscription: FakeSubscription): Promise<void> {
  const frame = textFrame('z'.repeat(60_000));
  let drains: number;
  do {
    while (subscription.transport.write(frame)) await sleep(0);
    drains = subscription.drains;
    await sleep(20);
  } while (subscription.drains > drains);
}

export async function oneSession(...[options]: Parameters<typeof listening>) {
  const server = await listening(options);
  return {
    ...server,
    counts: server.listener.sessions.counts,
    get subscription() {
      return server.source.subscriptions[0];
    },
    get session() {
      return [...server.listener.sessions.members][0];
    },
  };
}
