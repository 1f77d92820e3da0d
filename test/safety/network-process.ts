// A process of its own for the side that behaves: a relay at a steady rate, and two subscribers of the daemon that it
// feeds, plain and compressed, which judge every event. What attackers do to the test's own event loop does not reach it.
// Forked by target.ts, which sends the daemon's address and then asks for reports.

import { setTimeout as sleep } from 'node:timers/promises';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { missingOf, Witness } from '../support/witness.ts';

const framesPerSecond = 750;
/** Without any event: on a machine with much other work they come late, and come. */
const settleMs = 15_000;

/** What the subscribers have seen since the last report. */
export interface Report {
  /** Events of the one that has fewer. */
  readonly events: number;
  /** From the daemon's stamp on an event until it was here, at worst. */
  readonly worstLagMs: number;
  /** The first thing that was wrong with any event, or what is missing at the end. */
  readonly problem: string | undefined;
}

class Counted extends Witness {
  events = 0;
  worstLagMs = 0;

  constructor(name: string, url: string, pool: FramePool) {
    super(name, url, pool, (timeUs) => {
      this.events++;
      this.worstLagMs = Math.max(this.worstLagMs, Date.now() - timeUs / 1000);
    });
  }
}

const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'safety', accounts: 40 }), 400);
const relay = await RelayServer.listen({ source: pool, framesPerSecond: 0 });
let witnesses: Counted[] = [];

function report(): Report {
  const { events } = witnesses.reduce((one, other) => (one.events <= other.events ? one : other));
  const worstLagMs = Math.max(...witnesses.map((witness) => witness.worstLagMs));
  const problem = witnesses.find((witness) => witness.problem !== undefined)?.problem;
  for (const witness of witnesses) Object.assign(witness, { events: 0, worstLagMs: 0 });
  return { events, worstLagMs, problem };
}

const missing = (): number => missingOf(witnesses, pool, relay.headSeq + 1);

/** The relay rests, and everything that it had sent has to be here. */
async function finish(): Promise<Report> {
  relay.setRate(0);
  const had = (): number => witnesses.reduce((sum, { events }) => sum + events, 0);
  for (let [before, sinceMs] = [had(), Date.now()]; missing() > 0 && Date.now() - sinceMs < settleMs; ) {
    await sleep(20);
    if (had() > before) [before, sinceMs] = [had(), Date.now()];
  }
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
      new Counted('plain', subscribe, pool),
      new Counted('compressed', `${subscribe}compress=true`, pool),
    ];
    // Who asks for no position gets what comes from then on.
    await Promise.all(witnesses.map((witness) => witness.opened));
    while (relay.connections === 0) await sleep(5);
    relay.setRate(framesPerSecond);
  }
});
process.on('disconnect', () => process.exit());
process.send?.(relay.url);
