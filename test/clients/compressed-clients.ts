// A relay with events and daemons on it, for tests of clients that ask for compression as Jetstream v1 clients do: one with
// a default start, and, where ../shared is, one whose data directory has the dictionary of v1.

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { officialDictionaryPath as officialPathIn } from '../../lib/codec/official-dictionary.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import { officialDictionaryPath } from '../support/shared.ts';

/** A daemon with events in its log; `await using` ends it and its relay. */
export class FilledDaemon implements AsyncDisposable {
  readonly daemon: Daemon;
  readonly relay: RelayServer;
  /** What is in the log, as JSON, in order. */
  readonly events: string[];

  private constructor(daemon: Daemon, relay: RelayServer, events: string[]) {
    this.daemon = daemon;
    this.relay = relay;
    this.events = events;
  }

  /** @param hasOfficial the data directory has the dictionary of v1. */
  static async start(
    seed: string,
    hasOfficial: boolean,
    flags: readonly string[] = [],
  ): Promise<FilledDaemon> {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed, accounts: 12 }), 150);
    const relay = await RelayServer.listen({ source: pool });
    const daemon = await Daemon.start(['--ws-url', relay.url, ...flags], {}, (dataDir) => {
      if (hasOfficial) putOfficialDictionary(dataDir);
    });
    await expect.poll(() => relay.connections).toBe(1);
    await relay.publish(150);
    const events = (await received(`${daemon.url}?cursor=0`, pool.eventsPerRound)).map(String);
    return new FilledDaemon(daemon, relay, events);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
    await this.relay.close();
  }
}

/** As `slipstream dictionaries fetch` leaves it. */
export function putOfficialDictionary(dataDir: string): void {
  const path = officialPathIn(dataDir);
  mkdirSync(dirname(path), { recursive: true });
  cpSync(officialDictionaryPath, path);
}

/** The first `count` messages of a subscription. */
export async function received(
  url: string,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<Buffer[]> {
  const socket = new WebSocket(url, { headers });
  const messages: Buffer[] = [];
  socket.on('message', (data: Buffer) => messages.push(data));
  await expect.poll(() => messages.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(count);
  socket.terminate();
  return messages.slice(0, count);
}

/** A folder that is gone after `use`. */
export async function inFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-clients-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
