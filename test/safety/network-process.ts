// A process of its own for the side that behaves: a relay at a steady rate, and two subscribers of the daemon that it
// feeds, plain and compressed, which judge every event. What attackers do to the test's own event loop does not reach it.
// Forked by target.ts, which sends the daemon's address and then asks for reports.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { defaultDictionaryPath } from '../../lib/codec/dictionary.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { DeliveryLedger, type V1Message } from '../support/delivery-ledger.ts';

const framesPerSecond = 750;
const settleMs = 5_000;
const dictionary = readFileSync(defaultDictionaryPath());

/** What the subscribers have seen since the last report. */
export interface Report {
  /** Events of the one that has fewer. */
  readonly events: number;
  /** From the daemon's stamp on an event until it was here, at worst. */
  readonly worstLagMs: number;
  /** The first thing that was wrong with any event, or what is missing at the end. */
  readonly problem: string | undefined;
}

class Witness {
  events = 0;
  worstLagMs = 0;
  problem: string | undefined;
  readonly ledger: DeliveryLedger;
  readonly opened: Promise<unknown>;
  #lastTimeUs = 0;

  constructor(name: string, url: string, pool: FramePool) {
    this.ledger = new DeliveryLedger(pool, pool.seqAt(0));
    const socket = new WebSocket(url, { perMessageDeflate: false });
    this.opened = once(socket, 'open');
    socket.on('message', (data: Buffer, isBinary) => {
      const json = isBinary ? zstdDecompressSync(data, { dictionary }) : data;
      const message = JSON.parse(json.toString()) as V1Message & { time_us: number };
      const verdict = this.ledger.take(message);
      if (verdict !== 'new') this.problem ??= `${name}: a ${verdict} event`;
      if (message.time_us <= this.#lastTimeUs) this.problem ??= `${name}: time_us does not rise`;
      this.#lastTimeUs = message.time_us;
      this.events++;
      this.worstLagMs = Math.max(this.worstLagMs, Date.now() - message.time_us / 1000);
    });
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.problem ??= `${name}: closed with ${code} ${reason}`;
    });
  }
}

const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'safety', accounts: 40 }), 400);
const relay = await RelayServer.listen({ source: pool, framesPerSecond: 0 });
let witnesses: Witness[] = [];

function report(): Report {
  const { events } = witnesses.reduce((one, other) => (one.events <= other.events ? one : other));
  const worstLagMs = Math.max(...witnesses.map((witness) => witness.worstLagMs));
  const problem = witnesses.find((witness) => witness.problem !== undefined)?.problem;
  for (const witness of witnesses) Object.assign(witness, { events: 0, worstLagMs: 0 });
  return { events, worstLagMs, problem };
}

function missing(): number {
  const counts = witnesses.map(({ ledger }) => ledger.missing(pool.seqAt(0), relay.headSeq + 1).count);
  return Math.max(...counts);
}

/** The relay rests, and everything that it had sent has to be here. */
async function finish(): Promise<Report> {
  relay.setRate(0);
  for (const endMs = Date.now() + settleMs; missing() > 0 && Date.now() < endMs; ) await sleep(20);
  const last = report();
  const left = missing();
  return left === 0 ? last : { ...last, problem: last.problem ?? `${left} events are missing` };
}

process.on('message', async (message: { subscribe: string } | 'report' | 'finish') => {
  if (message === 'report') process.send?.(report());
  else if (message === 'finish') process.send?.(await finish());
  else {
    const { subscribe } = message;
    witnesses = [
      new Witness('plain', subscribe, pool),
      new Witness('compressed', `${subscribe}compress=true`, pool),
    ];
    // Who asks for no position gets what comes from then on.
    await Promise.all(witnesses.map((witness) => witness.opened));
    while (relay.connections === 0) await sleep(5);
    relay.setRate(framesPerSecond);
  }
});
process.on('disconnect', () => process.exit());
process.send?.(relay.url);
