// Serves subscribers in the main thread while those are few, and in worker threads as soon as there are more: a thread more takes 30 to
// 40 MB, and a copy and a wake-up for every block, which a dozen subscribers do not repay. It owns when that is; the threads are
// worker-pool.ts's. Those whom the main thread serves then stay where they are, all others come to the workers, which stay too.

import { probe } from '../http/listen.ts';
import type { ListenAddress } from '../listen-address.ts';
import type { Block } from '../log/block.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { ProofReader } from '../proofs/proof-store.ts';
import type { StatusReport } from '../status/status-report.ts';
import { type DeliveryCounts, sumOf } from './delivery-counts.ts';
import type { Delivery, SubscriberServer } from './subscriber-server.ts';
import type { WorkerPool } from './worker-pool.ts';

/** Subscribers whom the main thread serves beside ingest, with ease: at 8,000 events a second they are a tenth of its time. */
export const mainSubscribersMax = 16;

/** What it is made of. */
export interface GrowingDeliveryOptions {
  /** In this thread; its listener shares the port. */
  readonly own: SubscriberServer;
  /** The log's follower. Nothing of it runs yet. */
  readonly pool: WorkerPool;
  readonly log: LevelLog;
  /** Memory of the `TrustedTime`. */
  readonly time: SharedArrayBuffer;
  /** As of `SubscriberServerOptions`. */
  readonly proofs: ProofReader | undefined;
  /** Told when the workers serve. */
  readonly grown: () => void;
  /** Called with what keeps workers from starting. */
  readonly failed: (error: unknown) => void;
}

/** See the file comment. */
export class GrowingDelivery implements Delivery {
  readonly #options: GrowingDeliveryOptions;
  #address: ListenAddress | undefined;
  #stage: 'alone' | 'loading' | 'loaded' | 'grown' = 'alone';
  #isStopping = false;

  constructor(options: GrowingDeliveryOptions) {
    this.#options = options;
  }

  async listen(address: ListenAddress): Promise<ListenAddress> {
    await probe(address);
    this.#address = await this.#options.own.listen(address, 'first');
    return this.#address;
  }

  publish(block: Block): Promise<void> | undefined {
    const { own, pool } = this.#options;
    own.publish(block);
    if (this.#stage === 'grown') return pool.publish(block);
    if (this.#isStopping) return undefined;
    if (this.#stage === 'loaded') return this.#grow();
    if (this.#stage === 'alone' && own.subscribers > mainSubscribersMax) void this.#load();
    return undefined;
  }

  report(report: StatusReport): void {
    this.#options.own.report(report);
    this.#options.pool.report(report);
  }

  async counts(): Promise<DeliveryCounts> {
    const { own, pool } = this.#options;
    const counts = await own.counts();
    return pool.isFollowing ? sumOf([counts, await pool.counts()]) : counts;
  }

  async stop(deadlineMs: number): Promise<boolean> {
    this.#isStopping = true;
    const { own, pool } = this.#options;
    const [, isWhole] = await Promise.all([own.stop(deadlineMs), pool.stop(deadlineMs)]);
    return isWhole;
  }

  /** Meanwhile blocks go on. */
  async #load(): Promise<void> {
    this.#stage = 'loading';
    const { pool, log, time, proofs } = this.#options;
    try {
      await pool.load(log, time, proofs);
      this.#stage = 'loaded';
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The workers take over where the log is now: no block is stored until they know it. */
  async #grow(): Promise<void> {
    this.#stage = 'grown';
    const { own, pool, log, grown } = this.#options;
    try {
      await log.whileStill(() => pool.follow());
      await pool.listen(this.#address as ListenAddress);
      own.leave();
      grown();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Threads that a stop has ended before they served are no failure. */
  #failed(error: unknown): void {
    if (!this.#isStopping) this.#options.failed(error);
  }
}
