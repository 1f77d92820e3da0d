// A subscriber that behaves, over a real socket: each event that it gets has to be one of the relay's, new, and later than the one
// before. What is measured beside that is its user's. Used in processes that are fed by a relay over a frame pool.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { zstdDecompressSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import type { FramePool } from '../../simulator/lib/frame-pool.ts';
import { DeliveryLedger, type V1Message } from './delivery-ledger.ts';

const dictionary = readFileSync(defaultDictionaryPath());

/** See the file comment. */
export class Witness {
  readonly ledger: DeliveryLedger;
  readonly opened: Promise<unknown>;
  /** The first thing that was wrong. */
  problem: string | undefined;
  #lastTimeUs = 0;

  /** @param seen told of each event, by its time. */
  constructor(name: string, url: string, pool: FramePool, seen: (timeUs: number) => void) {
    this.ledger = new DeliveryLedger(pool, pool.seqAt(0));
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.opened = once(socket, 'open');
    // Who does not wait for it is told by the close.
    this.opened.catch(() => {});
    socket.on('message', (data: Buffer, isBinary) => {
      const json = isBinary ? zstdDecompressSync(data, { dictionary }) : data;
      const message = JSON.parse(json.toString()) as V1Message & { time_us: number };
      const verdict = this.ledger.take(message);
      if (verdict !== 'new') this.problem ??= `${name}: a ${verdict} event`;
      if (message.time_us <= this.#lastTimeUs) this.problem ??= `${name}: time_us does not rise`;
      this.#lastTimeUs = message.time_us;
      seen(message.time_us);
    });
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.problem ??= `${name}: closed with ${code} ${reason}`;
    });
  }
}

/** Events that any of them lacks, of all frames up to a sequence. */
export function missingOf(witnesses: readonly Witness[], pool: FramePool, endSeq: number): number {
  return Math.max(...witnesses.map(({ ledger }) => ledger.missing(pool.seqAt(0), endSeq).count));
}
