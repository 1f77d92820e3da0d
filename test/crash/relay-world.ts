// Two relays of one network with all that relays do wrong, and what a log in front of them has to hold in the end. It makes commits,
// publishes them at both relays in different order and under different numbers, and keeps the list of what was made: the oracle.

import { writeTid } from '../../lib/event/tid.ts';
import type { SeededRandom } from '../../lib/seeded-random.ts';
import { encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { commitOf, HistoryRelay, type NetworkFrame, networkFrames } from '../ingest/history-relay.ts';

/** What the log says of one commit: when its first event was stored. */
export type Stored = ReadonlyMap<string, number>;

/** A row of `/coverage`, as far as it matters. */
export interface Row {
  readonly reason: string;
  readonly from_us: number;
  readonly to_us: number;
  readonly missing: boolean;
}

const templatesMax = 300;
/** Relays send neighbours in another order: so many commits around a hole may be stored on its other side. */
const orderSlack = 8;

/** See the file comment. */
export class RelayWorld implements AsyncDisposable {
  readonly relays: readonly HistoryRelay[];
  readonly counts = new Map<string, number>();
  readonly made: string[] = [];
  readonly #random: SeededRandom;
  readonly #templates: readonly NetworkFrame[];
  /** Frames that only the first relay has so far: the other is a little behind. */
  #late: NetworkFrame[] = [];

  private constructor(random: SeededRandom, templates: readonly NetworkFrame[], relays: HistoryRelay[]) {
    this.#random = random;
    this.#templates = templates;
    this.relays = relays;
  }

  static async begin(random: SeededRandom): Promise<RelayWorld> {
    const templates = await networkFrames(templatesMax, 1);
    const relays = [await HistoryRelay.listen(30_000_000_001), await HistoryRelay.listen(700_001)];
    return new RelayWorld(random, templates, relays);
  }

  get urls(): string {
    return this.relays.map(({ url }) => url).join(',');
  }

  /** What came into being and is nowhere is the caller's: see {@link publish}. */
  make(count: number): NetworkFrame[] {
    const rev = Buffer.alloc(13);
    return Array.from({ length: count }, () => {
      const { type, body } = this.#templates[this.made.length % this.#templates.length];
      const timeMs = Date.now();
      writeTid(timeMs * 1000 + (this.made.length % 1000), this.made.length % 1024, rev, 0);
      const frame = { type, body: { ...body, rev: `${rev}` }, timeMs };
      this.made.push(commitOf(frame));
      return frame;
    });
  }

  /** Both relays have them: the second later, and some of them in another order. */
  publish(count: number): void {
    const frames = this.make(count);
    this.relays[0].publish(frames);
    this.#late.push(...frames);
    const due = this.#late.splice(0, Math.max(0, this.#late.length - this.#random.between(0, 5)));
    for (let at = 2; at + 2 < due.length; at += 5) [due[at], due[at + 2]] = [due[at + 2], due[at]];
    this.relays[1].publish(due);
  }

  /** One of the things that relays do. */
  step(): string {
    const random = this.#random;
    const relay = random.pick(this.relays);
    const other = this.relays[1 - this.relays.indexOf(relay)];
    const acts: Record<string, () => void> = {
      'goes on': () => this.publish(random.between(1, 200)),
      'drops its connections': () => relay.dropConnections(),
      'goes down': () => {
        if (!other.isDown) relay.goDown();
      },
      'comes back': () => {
        for (const one of this.relays) one.isDown = false;
      },
      'sends an odd number': () => {
        const far = random.pick([random.between(2_000, 1e9), -random.between(2_000, 1e6)]);
        this.#odd(relay, Math.max(1, relay.nextSeq + far));
      },
      'leaves out numbers': () => relay.skip(random.between(40, 100_000)),
      'loses commits': () => {
        const lost = this.make(random.between(40, 300));
        for (const one of this.relays) one.skip(lost.length);
      },
      'numbers anew': () => {
        relay.dropConnections();
        this.#numberAnew(relay);
      },
      'numbers anew on the same connection': () => this.#numberAnew(relay),
      'says FutureCursor': () => {
        relay.futureCursors = random.between(1, 3);
        relay.dropConnections();
      },
      'sends some again': () => {
        relay.rewind = random.between(1, 3000);
        relay.dropConnections();
      },
    };
    let name = random.chance(0.3) ? 'goes on' : random.pick(Object.keys(acts));
    // What a relay forgets while nobody reads it is lost for everybody: seldom, or little else would be seen.
    if (name.startsWith('numbers anew') && random.chance(0.6)) name = 'goes on';
    acts[name]();
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (random.chance(0.7)) this.publish(random.between(1, 60));
    return name;
  }

  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  /**
   * Far below: numbers that come again to where we are before we ask would be taken for the old ones by anybody. From where
   * there is no room below it goes far up.
   */
  #numberAnew(relay: HistoryRelay): void {
    if (relay.nextSeq < 10_000_000) relay.skip(2_000_000_000);
    else relay.numberFrom(this.#random.between(1, Math.floor(relay.nextSeq / 2)));
  }

  #odd(relay: HistoryRelay, seq: number): void {
    const time = new Date().toISOString();
    const did = 'did:plc:oddoddoddoddoddoddoddodd';
    relay.send(encodeMessage('#identity', { seq, did, time, handle: 'odd.test' }));
  }

  /**
   * Runs of commits that are not stored and whose place no row covers, in words: none, if all is well. What came before the
   * daemon was there is not missing.
   */
  uncovered(stored: Stored, rows: readonly Row[]): string[] {
    const holes = rows.filter(({ missing }) => missing);
    const times = this.made.map((commit) => stored.get(commit));
    const uncovered: string[] = [];
    for (let at = times.findIndex((time) => time !== undefined); at < times.length; ) {
      if (times[at] !== undefined) {
        at++;
        continue;
      }
      const end = times.findIndex((time, index) => index > at && time !== undefined);
      if (end < 0) break;
      const after = firstOf(times.slice(end), orderSlack);
      // What a relay sent again filled an earlier hole later than this one: it says nothing of this one's place.
      const inOrder = times.slice(0, at).filter((time) => time !== undefined && time <= after);
      // Those before it came later, all of them, since a relay that sent some again went back beyond the daemon's first connection.
      if (inOrder.length === 0) {
        at = end;
        continue;
      }
      const before = lastOf(inOrder, orderSlack);
      if (!holes.some((row) => row.from_us <= after && row.to_us >= before))
        uncovered.push(`${at} to ${end} of ${times.length}, stored between ${before} and ${after}`);
      at = end;
    }
    return uncovered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const relay of this.relays) await relay[Symbol.asyncDispose]();
  }
}

function firstOf(times: readonly (number | undefined)[], slack: number): number {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...known.slice(0, slack));
}

function lastOf(times: readonly (number | undefined)[], slack: number): number {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? 0 : Math.min(...known.slice(-slack));
}
