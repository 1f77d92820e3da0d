// A public listener on a free port with a fake source, stopped after the test that started it.

import { onTestFinished } from 'vitest';
import { ConnectionSet } from '../../lib/http/connection-set.ts';
import type { DictionarySource } from '../../lib/http/dictionary-routes.ts';
import { PublicListener, type PublicListenerOptions } from '../../lib/http/public-listener.ts';
import { CoverageLedger } from '../../lib/log/coverage-ledger.ts';
import { HeldBytes, heldLimitsOf } from '../../lib/session/held-bytes.ts';
import { WebSocket } from '../../lib/websocket.ts';
import type { CoveredLog } from '../../lib/wire/coverage-page.ts';
import { addressTable } from '../support/addresses.ts';
import { FakeSource } from './fake-source.ts';
import { handshake, RawWebSocket } from './raw-client.ts';

export const nowUs = 1_780_000_000_000_000;

export const noLog: CoveredLog = { oldestUs: 0, lastTimeUs: 0, coverage: new CoverageLedger() };
const noDictionaries: DictionarySource = { list: () => [], get: () => undefined };

/** The connections of no listener. */
export function connectionSet(): ConnectionSet {
  const held = new HeldBytes(heldLimitsOf(2 ** 30, 1));
  return new ConnectionSet(held, {
    ...{ socketsMax: 10, lingeringMax: 10, urlBytesMax: 1000, headBytesMax: 1000 },
    crowdMax: () => 0,
    addressOf: () => undefined,
  });
}

export async function listening(options: Partial<PublicListenerOptions> = {}) {
  const source = new FakeSource();
  const listener = new PublicListener({
    source,
    log: noLog,
    nowUs: () => nowUs,
    dictionaries: noDictionaries,
    addresses: addressTable(),
    ...options,
  });
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => listener.stop(0));
  return {
    listener,
    port,
    source,
    /** A client made by hand, once its handshake has been answered. */
    async raw(target = '/subscribe', overrides?: Record<string, string | undefined>): Promise<RawWebSocket> {
      const client = new RawWebSocket(port, handshake(target, overrides));
      onTestFinished(() => void client.socket.destroy());
      await new Promise<void>((resolve, reject) => {
        const check = (): void => {
          if (client.answer !== undefined) resolve();
          else client.socket.once('data', () => setImmediate(check));
        };
        client.socket.once('close', () => reject(new Error('closed before an answer')));
        check();
      });
      return client;
    },
    /** A client of the ws package, once it is open. */
    async client(target = '/subscribe'): Promise<WebSocket> {
      const client = new WebSocket(`ws://127.0.0.1:${port}${target}`);
      onTestFinished(() => client.terminate());
      client.on('error', () => {});
      await new Promise<void>((resolve, reject) => {
        client.once('open', resolve);
        client.once('close', () => reject(new Error('closed before it was open')));
      });
      return client;
    },
  };
}

/** Code and reason of the close that a ws client is told. */
export function closeOf(client: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    client.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}
