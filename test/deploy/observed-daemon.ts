// A daemon that has done a little of everything, and what its metrics showed.

import { vi } from 'vitest';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import { type Family, parseExposition } from './exposition.ts';

/** The metrics of a daemon with workers, one relay, one plain and one compressed subscriber. */
export async function observeDaemon(): Promise<Map<string, Family>> {
  const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'observed', accounts: 6 }), 40);
  const relay = await RelayServer.listen({ source: pool });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '2']);
  await vi.waitUntil(() => relay.connections === 1, { interval: 5, timeout: 15_000 });
  await relay.publish(40);
  const received = ['cursor=0', 'cursor=0&compress=true&zstdDictionary=53328'].map((query) => {
    const messages: unknown[] = [];
    new WebSocket(`${daemon.url}?${query}`).on('message', (message) => messages.push(message));
    return messages;
  });
  const isAll = (): boolean => received.every(({ length }) => length === pool.eventsPerRound);
  await vi.waitUntil(isAll, { interval: 5, timeout: 15_000 });
  const { port } = daemon.service.addresses.metrics;
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const families = parseExposition(await response.text());
  await relay.close();
  return families;
}
