// The worker threads that serve subscribers, as the main thread sees them: it starts them, hands them what the log
// stores, and asks them for counts. It owns no sockets; each worker listens on the same address, and the system spreads
// connections over them. A worker that fails, ends or hangs takes the daemon with it: there is no other in its place.

import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Compressor } from '../codec/compressor.ts';
import type { Config } from '../config/config.ts';
import { endsWithin } from '../deadline.ts';
import { CodedError } from '../errors.ts';
import { probe } from '../http/listen.ts';
import type { ListenAddress } from '../listen-address.ts';
import { type Block, blockBytesOf } from '../log/block.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { LogFollower } from '../log/log-replica.ts';
import type { KeptBlocks, ProofReader } from '../proofs/proof-store.ts';
import type { StatusReport } from '../status/status-report.ts';
import { type DeliveryCounts, sumOf } from './delivery-counts.ts';
import { type Delivery, readsMax, type ServerLogEntry } from './subscriber-server.ts';
import type { Ask, AskKind, Asks, Failure, FromWorker, Tell, WorkerStart } from './worker-messages.ts';

/** Bytes of blocks that a worker may be behind before ingest waits for it: it has stopped, or nearly. */
const behindBytesMax = 64 * 1024 * 1024;
const behindPollMs = 5;

/**
 * A worker that has left something unanswered, and has said nothing at all, at so many looks in a row hangs: half a minute. Looks
 * are counted and not time, because a process that was stopped for an hour is none that hangs.
 */
const silentLooksMax = 10;
const lookMs = 3_000;
/**
 * How long a worker may take to begin its stop: three seconds if it has said something of late, and is busy, and one if it has not.
 * It is asked for counts once a second. And how long it may take to end it, beyond its deadline.
 */
const stopBeginsMs = { ofBusy: 3_000, ofSilent: 1_000 };
const silentMs = 2_000;
const stopEndsMs = 500;
/** How long threads that have stopped may take to end, on a machine that has other work. */
const threadEndsMs = 1_000;

/** What the pool needs. */
export interface WorkerPoolOptions {
  readonly config: Config;
  readonly compressor: Compressor['name'];
  /** At least 1. */
  readonly workers: number;
  /** Of newest blocks, in all workers together. */
  readonly tailBytesMax: number;
  readonly addresses: SharedArrayBuffer;
  /** Connections of each worker that are no subscribers (yet). */
  readonly plainSocketsMax: number;
  /** Whether the main thread listens there too. */
  readonly sharesPort: boolean;
  readonly writeLog: (entry: ServerLogEntry) => void;
  /** Called with the error of a worker that ended by itself, or WORKER_ENDED when it had none. Once for each. */
  readonly failed: (error: unknown) => void;
}

/** See the file comment. */
export class WorkerPool implements Delivery, LogFollower {
  readonly #options: WorkerPoolOptions;
  readonly #takenBytes: BigInt64Array;
  #sentBytes = 0;
  #loaded: Member[] = [];
  /** Those that follow the log. */
  #members: Member[] = [];
  #looking: NodeJS.Timeout | undefined;
  #log: LevelLog | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#takenBytes = new BigInt64Array(new SharedArrayBuffer(8 * options.workers));
  }

  get workers(): number {
    return this.#options.workers;
  }

  /** Whether the workers follow the log. */
  get isFollowing(): boolean {
    return this.#members.length > 0;
  }

  /**
   * Starts the threads: it takes half a second and more. They know no log until {@link follow}.
   * @param time memory of the `TrustedTime`. @param proofs as of `SubscriberServerOptions`.
   */
  async load(log: LevelLog, time: SharedArrayBuffer, proofs?: ProofReader | undefined): Promise<void> {
    this.#log = log;
    const { config, compressor, workers, tailBytesMax, writeLog, failed } = this.#options;
    const { addresses, plainSocketsMax } = this.#options;
    this.#loaded = Array.from({ length: workers }, (_, index) => {
      const start: WorkerStart = {
        config,
        compressor,
        tailBytesMax: Math.ceil(tailBytesMax / workers),
        readsMax: Math.max(1, Math.floor(readsMax / workers)),
        addresses,
        plainSocketsMax,
        listeners: workers + (this.#options.sharesPort ? 1 : 0),
        time,
        takenBytes: this.#takenBytes,
        index,
      };
      return new Member(start, writeLog, failed, (table) => log.tables.distrust(table), proofs);
    });
    await Promise.all(this.#loaded.map((member) => member.ready));
  }

  /** From now on they follow the log, which has this pool as its follower and must not change until this resolves. */
  async follow(): Promise<void> {
    this.#members = this.#loaded;
    await this.#askAll('follow', { log: (this.#log as LevelLog).replicaStart });
    this.#looking = setInterval(() => {
      for (const member of this.#members) member.look();
    }, lookMs).unref();
  }

  async listen(address: ListenAddress): Promise<ListenAddress> {
    const [first, ...others] = this.#members;
    const sharing = this.#options.sharesPort ? 'later' : others.length > 0 ? 'shared' : 'alone';
    if (sharing === 'shared') await probe(address);
    const bound = await first.ask('listen', { address, sharing });
    for (const member of others) await member.ask('listen', { address: bound, sharing });
    return bound;
  }

  publish(block: Block): Promise<void> | undefined {
    if (!this.isFollowing) return undefined;
    this.#sentBytes += blockBytesOf(block);
    this.#tell({ kind: 'block', block });
    return this.#behindBytes > behindBytesMax ? this.#waitForWorkers() : undefined;
  }

  report(report: StatusReport): void {
    this.#tell({ kind: 'status', report });
  }

  async counts(): Promise<DeliveryCounts> {
    return sumOf(await this.#askAll('counts', {}));
  }

  async stop(deadlineMs: number): Promise<boolean> {
    await Promise.all(this.#members.map((member) => member.stop(deadlineMs)));
    return endsWithin(threadEndsMs, this.terminate());
  }

  /** Ends the workers at once. */
  async terminate(): Promise<void> {
    clearInterval(this.#looking);
    await Promise.all(this.#loaded.map((member) => member.terminate()));
  }

  compacted(compacted: Block, count: number): void {
    if (!this.isFollowing) return;
    this.#sentBytes += blockBytesOf(compacted);
    this.#tell({ kind: 'compacted', compacted, count });
  }

  trimming(throughUs: number): void {
    this.#tell({ kind: 'trimming', throughUs });
  }

  async suspend(): Promise<void> {
    await this.#askAll('suspend', {});
  }

  async resume(): Promise<void> {
    await this.#askAll('resume', { log: (this.#log as LevelLog).replicaStart });
  }

  #tell(tell: Tell): void {
    for (const member of this.#members) member.tell(tell);
  }

  #askAll<Kind extends AskKind>(kind: Kind, ask: Asks[Kind]['ask']): Promise<Asks[Kind]['answer'][]> {
    return Promise.all(this.#members.map((member) => member.ask(kind, ask)));
  }

  /** Of the worker that is furthest behind; one that has ended takes nothing any more. */
  get #behindBytes(): number {
    let leastBytes = this.#sentBytes;
    for (let index = 0; index < this.#members.length; index++) {
      if (this.#members[index].hasEnded) continue;
      leastBytes = Math.min(leastBytes, Number(Atomics.load(this.#takenBytes, index)));
    }
    return this.#sentBytes - leastBytes;
  }

  async #waitForWorkers(): Promise<void> {
    while (this.#behindBytes > behindBytesMax / 2) await delay(behindPollMs);
  }
}

/** One worker. */
class Member {
  /** Rejects when the worker cannot start. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #ready = Promise.withResolvers<void>();
  readonly #failed: (error: unknown) => void;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #asks = 0;
  /** Looks in a row at which it owed an answer and had said nothing since the one before. */
  #silentLooks = 0;
  #heardAtMs = performance.now();
  /** Why the worker answers no more. */
  #end: { readonly error: unknown } | undefined;
  /** It is ended by {@link terminate}. */
  #isTerminated = false;

  constructor(
    start: WorkerStart,
    writeLog: (entry: ServerLogEntry) => void,
    failed: (error: unknown) => void,
    damaged: (table: number) => void,
    proofs: ProofReader | undefined,
  ) {
    // The package holds compiled files, the repository their sources.
    const file = `./worker-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`;
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData: start });
    this.ready = this.#ready.promise;
    this.#failed = failed;
    this.#worker.on('error', (error) => this.#ended(error));
    // Comes after an error too, and alone when a thread is ended from outside or ends itself.
    this.#worker.on('exit', (exitCode) => this.#ended(endedError(exitCode)));
    this.#worker.on('message', (message: FromWorker) => {
      this.#silentLooks = -1;
      this.#heardAtMs = performance.now();
      if (message.kind === 'ready') this.#ready.resolve();
      else if (message.kind === 'log') writeLog(message.entry);
      else if (message.kind === 'damaged') damaged(message.table);
      else if (message.kind === 'blocksAt') void this.#tellBlocks(message, proofs);
      else if (message.kind === 'refusal') this.#ended(errorOf(message));
      else this.#answered(message);
    });
  }

  tell(tell: Tell): void {
    this.#worker.postMessage(tell);
  }

  /** Whether it answers no more. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Rejects with the reason when the worker has ended or ends before it answers. */
  async ask<Kind extends AskKind>(kind: Kind, ask: Asks[Kind]['ask']): Promise<Asks[Kind]['answer']> {
    if (this.#end !== undefined) throw this.#end.error;
    const id = this.#asks++;
    const answer = Promise.withResolvers<unknown>();
    this.#asked.set(id, answer);
    this.#worker.postMessage({ kind, id, ...ask } as Ask);
    return (await answer.promise) as Asks[Kind]['answer'];
  }

  /** Sees whether it hangs. To be called in long intervals: it is asked for counts once a second. */
  look(): void {
    if (this.#end !== undefined) return;
    this.#silentLooks = this.#asked.size === 0 ? 0 : this.#silentLooks + 1;
    if (this.#silentLooks < silentLooksMax) return;
    this.#hangs((silentLooksMax * lookMs) / 1000);
  }

  /** Resolves when it has stopped, or has ended, or is not waited for any more, which {@link terminate} ends. */
  async stop(deadlineMs: number): Promise<void> {
    const stopped = this.ask('stop', { deadlineMs });
    stopped.catch(() => {});
    // Answered in order: once this one is, the stop has begun.
    const isSilent = performance.now() - this.#heardAtMs > silentMs;
    const beginsMs = isSilent ? stopBeginsMs.ofSilent : stopBeginsMs.ofBusy;
    const begins = endsWithin(beginsMs, this.ask('counts', {}));
    const ends = endsWithin(deadlineMs + stopEndsMs, stopped);
    if (await begins) await ends;
    else this.#hangs(beginsMs / 1000);
  }

  async terminate(): Promise<void> {
    this.#isTerminated = true;
    await this.#worker.terminate();
  }

  #hangs(seconds: number): void {
    this.#ended(hangsError(seconds));
    void this.#worker.terminate();
  }

  #ended(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#ready.reject(error);
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
    if (!this.#isTerminated) this.#failed(error);
  }

  async #tellBlocks(
    { asked, timeUs }: Extract<FromWorker, { readonly kind: 'blocksAt' }>,
    proofs: ProofReader | undefined,
  ): Promise<void> {
    const { blocks, oldestUs } = (await proofs?.blocksAt(timeUs)) ?? noBlocks;
    // Of a part of a memory the whole would be copied.
    this.tell({ kind: 'blocks', asked, blocks: blocks && Uint8Array.from(blocks), oldestUs });
  }

  #answered(message: Extract<FromWorker, { readonly id: number }>): void {
    const asked = this.#asked.get(message.id);
    // Errors come by another way than answers: one may be there although the worker has ended.
    if (asked === undefined) return;
    this.#asked.delete(message.id);
    if (message.kind === 'answer') asked.resolve(message.answer);
    else asked.reject(errorOf(message));
  }
}

const noBlocks: KeptBlocks = { blocks: undefined, oldestUs: Infinity };

function errorOf(failure: Failure): CodedError {
  return new CodedError(failure.code, failure.message, failure);
}

function endedError(exitCode: number): CodedError {
  return new CodedError(
    'WORKER_ENDED',
    `a thread that serves subscribers ended by itself, without an error and with exit code ${exitCode}: start the daemon again, and report it`,
  );
}

function hangsError(seconds: number): CodedError {
  return new CodedError(
    'WORKER_HANGS',
    `a thread that serves subscribers has not answered for ${seconds} s and was ended: start the daemon again, and report it`,
  );
}
