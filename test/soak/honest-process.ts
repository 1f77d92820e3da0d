// A process of its own for the side that behaves: a relay at a steady rate, two live subscribers, and at times one who replays.
// Each event of the live ones is judged and timed; a replay has to be what the first of them saw. Forked by attacks.ts, which
// sends the daemon's address and then asks for reports.

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { timeUsOf } from '../crash/event-trail.ts';
import { missingOf, Witness } from '../support/witness.ts';

/** What attacks.ts sends. */
export type HonestRequest =
  | { readonly kind: 'subscribe'; readonly url: string; readonly eventsPerSecond: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'replay'; readonly seconds: number };

/** Latencies from the daemon's stamp on an event until it was here, in milliseconds, of both subscribers since the last report. */
export interface HonestReport {
  readonly events: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The longest time without any event at one of them. */
  readonly gapMs: number;
  readonly problem: string | undefined;
}

/** One replay. */
export interface ReplayReport {
  readonly events: number;
  readonly tookMs: number;
  readonly problem: string | undefined;
}

const settleMs = 30_000;
const replayMsMax = 120_000;

let latenciesMs: number[] = [];
let gapMs = 0;

class Timed extends Witness {
  readonly timesUs: number[] = [];
  #lastMs = performance.now();

  constructor(name: string, url: string, pool: FramePool) {
    super(name, url, pool, (timeUs) => {
      const nowMs = performance.now();
      this.timesUs.push(timeUs);
      latenciesMs.push(Date.now() - timeUs / 1000);
      gapMs = Math.max(gapMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
    });
  }
}

const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'attacks', accounts: 60 }), 2000);
const relay = await RelayServer.listen({ source: pool, framesPerSecond: 0 });
const eventsPerFrame = (pool.firstEventOf(pool.seqAt(2000)) - pool.firstEventOf(pool.seqAt(0))) / 2000;
let url = '';
let witnesses: Timed[] = [];

function report(): HonestReport {
  const sorted = latenciesMs.sort((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  const result = {
    events: sorted.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: sorted.at(-1) ?? 0,
    gapMs,
    problem: witnesses.find(({ problem }) => problem !== undefined)?.problem,
  };
  latenciesMs = [];
  gapMs = 0;
  return result;
}

/** Reads the last seconds again, up to what the first subscriber had when it began. */
async function replay(seconds: number): Promise<ReplayReport> {
  const { timesUs } = witnesses[0];
  const endUs = timesUs.at(-1) as number;
  const from = timesUs.findIndex((timeUs) => timeUs > endUs - seconds * 1e6);
  const expected = timesUs.slice(from);
  const startMs = performance.now();
  const socket = new WebSocket(`${url}?cursor=${expected[0]}`, { perMessageDeflate: false });
  let events = 0;
  const wrong = await new Promise<string | undefined>((done) => {
    const timer = setTimeout(
      () => done(`only ${events} of ${expected.length} events in ${replayMsMax} ms`),
      replayMsMax,
    );
    const finish = (what: string | undefined): void => {
      clearTimeout(timer);
      done(what);
    };
    socket.on('message', (data: Buffer) => {
      if (timeUsOf(data) !== expected[events++]) finish(`event ${events} of a replay is another`);
      else if (events === expected.length) finish(undefined);
    });
    socket.on('error', () => {});
    socket.on('close', (code, reason) => finish(`closed with ${code} ${reason}`));
  });
  socket.terminate();
  return { events, tookMs: performance.now() - startMs, problem: wrong };
}

const missing = (): number => missingOf(witnesses, pool, relay.headSeq + 1);

/** The relay rests, and everything that it had sent has to be here. */
async function finish(): Promise<HonestReport> {
  relay.setRate(0);
  for (const endMs = Date.now() + settleMs; missing() > 0 && Date.now() < endMs; ) await sleep(100);
  const left = missing();
  const last = report();
  return left === 0 ? last : { ...last, problem: last.problem ?? `${left} events are missing` };
}

process.on('message', async (request: HonestRequest) => {
  if (request.kind === 'report') process.send?.(report());
  else if (request.kind === 'finish') process.send?.(await finish());
  else if (request.kind === 'replay') process.send?.(await replay(request.seconds));
  else {
    url = request.url;
    witnesses = [
      new Timed('plain', `${url}?cursor=0`, pool),
      new Timed('compressed', `${url}?cursor=0&compress=true`, pool),
    ];
    while (relay.connections === 0) await sleep(5);
    relay.setRate(request.eventsPerSecond / eventsPerFrame);
  }
});
process.on('disconnect', () => process.exit());
process.send?.(relay.url);
