// A run of inputs against one port: many connections at a time, counted by kind, and what was wrong, with how to repeat it.

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publicHttpLimits } from '../../lib/http/http-limits.ts';
import { Exchange } from './exchange.ts';
import { type FuzzInput, inputOf } from './input.ts';

/** Which inputs. */
export interface RunOptions {
  readonly seed: string;
  readonly from: number;
  /** As many as there is time for, without. */
  readonly count: number | undefined;
  readonly seconds: number;
  /** Whether what is wrong with an answer is noted; without, it is. */
  readonly isJudged?: boolean;
}

const lanes = 32;
/** A request that does not come is ended after this, looked at in an interval, on a machine that others use. */
const silenceMsMax = publicHttpLimits.requestTimeoutMs + publicHttpLimits.checkIntervalMs + 15_000;
/** Inputs that are through and are saved with those under way: the end of a process is seen late. */
const recentMax = 64;
/** Failures that are told. */
const failuresMax = 5;

/** From the environment; the day is the seed without. */
export function runOptions(share: number): RunOptions {
  const {
    FUZZ_SEED: seed = new Date().toISOString().slice(0, 10),
    FUZZ_FROM: from = '0',
    FUZZ_COUNT: count,
    FUZZ_SECONDS: seconds = '60',
  } = process.env;
  return {
    seed,
    from: Number(from),
    count: count === undefined ? undefined : Number(count),
    seconds: Number(seconds) * share,
  };
}

/** See the file comment. */
export class Run {
  readonly failures: string[] = [];
  readonly kinds = new Map<string, number>();
  /** Statuses and closes that came, by their number. */
  readonly outcomes = new Map<string, number>();
  readonly #options: RunOptions;
  readonly #port: number;
  readonly #isOver: () => boolean;
  /** Those that wait for the daemon to end them, and what becomes of them. */
  readonly #silent = new Set<Exchange>();
  readonly #left = new Set<Promise<void>>();
  readonly #inFlight = new Map<number, FuzzInput>();
  /** Of those, the numbers that are through. */
  readonly #recent: number[] = [];
  readonly #endMs: number;
  #next: number;

  /** @param isOver whether the daemon has ended: then nothing more is sent. */
  constructor(options: RunOptions, port: number, isOver: () => boolean) {
    this.#options = options;
    this.#port = port;
    this.#isOver = isOver;
    this.#next = options.from;
    this.#endMs = performance.now() + options.seconds * 1000;
  }

  /** Sends all. */
  async all(): Promise<void> {
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()));
    for (const exchange of this.#silent) exchange.destroy();
    await Promise.all(this.#left);
    const { isJudged = true } = this.#options;
    if (isJudged && (this.failures.length > 0 || this.#isOver())) this.#save();
  }

  get figures(): string {
    const list = (counts: ReadonlyMap<string, number>): string =>
      [...counts]
        .sort()
        .map(([name, count]) => `${name} ${count}`)
        .join(', ');
    const count = this.#next - this.#options.from;
    return `seed ${this.#options.seed}, ${count} inputs from ${this.#options.from} on; ${list(this.kinds)}; answers: ${list(this.outcomes)}`;
  }

  get #isDone(): boolean {
    const { from, count } = this.#options;
    if (this.#isOver() || this.failures.length >= failuresMax) return true;
    return count === undefined ? performance.now() > this.#endMs : this.#next >= from + count;
  }

  async #lane(): Promise<void> {
    while (!this.#isDone) {
      const number = this.#next++;
      const input = inputOf(this.#options.seed, number);
      this.#inFlight.set(number, input);
      add(this.kinds, input.kind);
      await this.#one(number, input);
      this.#recent.push(number);
      // What was in flight when the daemon ended, or shortly before, is what ended it.
      if (this.#isOver()) continue;
      for (const old of this.#recent.splice(0, this.#recent.length - recentMax)) this.#inFlight.delete(old);
    }
  }

  async #one(number: number, input: FuzzInput): Promise<void> {
    const exchange = new Exchange(input, this.#port, number);
    const wrong = await exchange.run();
    if (
      wrong === undefined &&
      input.isSilent &&
      exchange.reader.statuses.length === 0 &&
      !exchange.isClosed
    ) {
      this.#leave(number, exchange);
      return;
    }
    this.#judge(number, input, wrong ?? (await exchange.finish()));
    exchange.destroy();
    for (const status of exchange.reader.statuses) add(this.outcomes, String(status));
    if (exchange.reader.closeCode !== undefined) add(this.outcomes, `close ${exchange.reader.closeCode}`);
  }

  /** Lets a connection be, which has to be ended by the daemon. What is left at the end of the run is not judged. */
  #leave(number: number, exchange: Exchange): void {
    this.#silent.add(exchange);
    const left = exchange.endsBySilence(silenceMsMax).then((wrong) => {
      add(this.outcomes, this.#isDone ? 'left in silence' : 'ended in silence');
      if (!this.#isDone) this.#judge(number, exchange.input, wrong);
      exchange.destroy();
      this.#silent.delete(exchange);
      this.#left.delete(left);
    });
    this.#left.add(left);
  }

  #judge(number: number, input: FuzzInput, wrong: string | undefined): void {
    const { seed, isJudged = true } = this.#options;
    if (wrong === undefined || !isJudged || this.#isOver()) return;
    this.failures.push(
      `input ${number}, ${input.kind}: ${wrong}\n  again: FUZZ_SEED=${seed} FUZZ_FROM=${number} FUZZ_COUNT=1 npm run test:fuzz\n  ${shown(input)}`,
    );
  }

  /** Saves the inputs that were under way, or failed, as they were sent. */
  #save(): void {
    const { seed } = this.#options;
    const file = join(tmpdir(), `slipstream-fuzz-${seed}-${process.pid}-${this.#port}.json`);
    const inputs = [...this.#inFlight].map(([number, { kind, writes }]) => ({
      number,
      kind,
      writes: writes.map((bytes) => bytes.toString('base64')),
    }));
    writeFileSync(file, JSON.stringify({ seed, failures: this.failures, inputs }, undefined, 1));
    const numbers = inputs.map(({ number }) => number);
    const first = Math.min(...numbers);
    console.error(`fuzz: saved as ${file}`);
    if (numbers.length > 0)
      console.error(
        `fuzz: under way: FUZZ_SEED=${seed} FUZZ_FROM=${first} FUZZ_COUNT=${Math.max(...numbers) - first + 1}`,
      );
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

const shownCharsMax = 600;

function shown({ writes }: FuzzInput): string {
  const text = writes.map((bytes) => JSON.stringify(bytes.toString('latin1'))).join(' + ');
  return text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : text;
}
