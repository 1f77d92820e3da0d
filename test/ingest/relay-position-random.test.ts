// A relay with all faults in any order, and a daemon that reconnects and restarts, against the plainest oracle: a list of
// what was sent. Every frame that came is taken once, however often it came.

import { expect, test } from 'vitest';
import { leapMax } from '../../lib/ingest/usual-steps.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { PositionSeat, type TestFrame } from './position-seat.ts';

const seed = process.env.RELAY_SEED ?? String(Date.now() % 1_000_000);
const runs = Number(process.env.RELAY_RUNS ?? 20);
const stepsPerRun = 120;
/** What a new process reads back. */
const storedMax = 20_000;

/** One relay, one daemon, and what has passed between them. */
class World {
  readonly counts = new Map<string, number>();
  readonly sent = new Set<number>();
  readonly #random: SeededRandom;
  #taken: number[] = [];
  #stale = 0;
  #seat = new PositionSeat();
  /** What the relay can send again, of the present numbering. */
  #history: TestFrame[] = [];
  #seq: number;
  #nowUs = 1_800_000_000_000_000;
  #id = 0;
  /** All frames, by id. */
  readonly #frames: TestFrame[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#seq = random.between(1, 4_000_000_000);
  }

  get taken(): number[] {
    return [...this.#taken, ...this.#seat.taken];
  }

  get stale(): number {
    return this.#stale + this.#seat.stale;
  }

  step(): void {
    const faults: [string, () => void][] = [
      ['goes on', () => this.#publish(this.#random.between(1, 400))],
      ['odd, far ahead', () => this.#odd(this.#seq + this.#random.between(2 * leapMax, 2_000_000_000))],
      [
        'odd, far below',
        () => this.#odd(Math.max(1, this.#seq - this.#random.between(200_000, 3_000_000_000))),
      ],
      ['leaps', () => this.#leap(this.#random.between(leapMax + 1, 50_000_000))],
      ['leaves out a few', () => this.#leap(this.#random.between(1, leapMax - 1))],
      ['falls back', () => this.#fallBack()],
      ['reconnects', () => this.#reconnect(0)],
      ['reconnects, and sends some again', () => this.#reconnect(this.#random.between(1, 3000))],
      ['falls back at a reconnect', () => this.#fallBackAway()],
      ['falls back, a few frames a connection', () => this.#fallBackInPieces()],
      ['swaps two frames', () => this.#swap()],
      ['FutureCursor, once', () => this.#seat.position.refused(this.#seat.nowMs)],
      ['is quiet', () => this.#quiet()],
      ['restarts', () => this.#restart()],
    ];
    const [name, act] = this.#random.pick(faults);
    act();
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    // Every run of trouble ends with frames that go on, some time.
    if (this.#random.chance(0.5)) this.#publish(this.#random.between(1, 40));
  }

  finish(): void {
    this.#publish(100);
    this.#quiet();
  }

  #make(): TestFrame {
    this.#nowUs += this.#random.between(200, 3000);
    // Servers are late by different times; clocks that lie are relay-position.test.ts's.
    const timeUs = this.#nowUs - this.#random.between(0, 2_000_000);
    const frame = { seq: this.#seq++, id: ++this.#id, timeUs };
    this.#frames.push(frame);
    return frame;
  }

  #send(frame: TestFrame): void {
    this.#seat.nowMs = this.#nowUs / 1000;
    this.sent.add(frame.id);
    this.#seat.give(frame);
  }

  #publish(count: number): void {
    for (let frame = 0; frame < count; frame++) {
      const made = this.#make();
      this.#history.push(made);
      this.#send(made);
    }
  }

  #odd(seq: number): void {
    const before = this.#seq;
    this.#seq = seq;
    this.#send(this.#make());
    this.#seq = before;
    if (this.#random.chance(0.3)) this.#reconnect(0);
  }

  #leap(by: number): void {
    this.#seq += by;
    this.#publish(this.#random.between(1, 10));
  }

  /** New numbers, which the relay has not had; what was before cannot be asked for again. */
  #fallBack(): void {
    if (this.#seq < 10) this.#seq += 4_000_000_000;
    this.#seq = this.#random.between(
      1,
      this.#random.chance(0.5) ? this.#seq - 1 : Math.min(1_000_000, this.#seq - 1),
    );
    this.#history = [];
    this.#publish(this.#random.between(1, 60));
  }

  #fallBackAway(): void {
    this.#fallBack();
  }

  #fallBackInPieces(): void {
    this.#fallBack();
    for (let connection = 0; connection < 5; connection++) {
      this.#publish(this.#random.between(1, 5));
    }
  }

  /** The relay sends what is after the cursor, and `rewind` frames before that; live when it does not know the cursor. */
  #reconnect(rewind: number): void {
    const cursor = this.#seat.position.confirmed ?? 0;
    const last = this.#history.at(-1)?.seq ?? 0;
    if (cursor > last) return;
    const next = this.#history.findIndex(({ seq }) => seq > cursor);
    const from = Math.max(0, (next < 0 ? this.#history.length : next) - rewind);
    for (const frame of this.#history.slice(from)) this.#send(frame);
  }

  #swap(): void {
    const frames = [this.#make(), this.#make()];
    this.#history.push(...frames);
    for (const frame of frames.toReversed()) this.#send(frame);
  }

  #quiet(): void {
    this.#nowUs += 5_000_000;
    this.#seat.nowMs = this.#nowUs / 1000;
  }

  /** A new process, killed at any moment: all that was taken is stored, with the position. */
  #restart(): void {
    const { position, times } = this.#seat;
    const { overlapUntilUs } = times;
    this.#stale = this.stale;
    this.#taken = this.taken;
    const stored = this.#taken.slice(-storedMax).map((id) => this.#frames[id - 1]);
    this.#seat = new PositionSeat(
      position.confirmed,
      stored,
      this.#taken.length <= storedMax,
      overlapUntilUs,
    );
    this.#nowUs += this.#random.between(0, 3_000_000);
    this.#reconnect(this.#random.chance(0.5) ? this.#random.between(1, 3000) : 0);
  }
}

test(`every frame that came is taken once (RELAY_SEED=${seed})`, () => {
  const total = new Map<string, number>();
  let frames = 0;
  for (let run = 0; run < runs; run++) {
    const world = new World(new SeededRandom(seed, `run ${run}`));
    for (let step = 0; step < stepsPerRun; step++) world.step();
    world.finish();
    const { taken, sent } = world;
    const where = `RELAY_SEED=${seed}, run ${run}`;
    const counted = new Set<number>();
    const twice = taken.filter((id) => counted.size === counted.add(id).size);
    expect(twice.slice(0, 5), `${where}: twice`).toEqual([]);
    expect([...sent].filter((id) => !counted.has(id)).slice(0, 5), `${where}: never`).toEqual([]);
    for (const [name, count] of world.counts) total.set(name, (total.get(name) ?? 0) + count);
    frames += sent.size;
  }
  console.log(`seed ${seed}: ${runs} runs, ${frames} frames, ${JSON.stringify(Object.fromEntries(total))}`);
});
