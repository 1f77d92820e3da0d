// Serves subscribers in one thread: the delivery loop over a log and the listener. It runs in the main thread or once in
// every worker, which differ only in the log that they read.

import { wasmFiles } from '../codec/wasm-module.ts';
import type { Config } from '../config/config.ts';
import type { CodedError } from '../errors.ts';
import { TrustedTime } from '../event/trusted-time.ts';
import { AddressTable } from '../fanout/address-table.ts';
import type { EncodedTotals } from '../fanout/dictionary-encoding.ts';
import { Fanout } from '../fanout/fanout.ts';
import { publicHttpLimits } from '../http/http-limits.ts';
import type { Sharing } from '../http/listen.ts';
import { PublicListener } from '../http/public-listener.ts';
import type { ListenAddress } from '../listen-address.ts';
import type { Block } from '../log/block.ts';
import type { LogReader } from '../log/event-log.ts';
import { collectGarbage, hasLittleMemory, hasTightMemory, heapUse, memoryLimit } from '../memory.ts';
import { ProofDesk } from '../proofs/proof-desk.ts';
import { collectionTest } from '../proofs/proof-queue.ts';
import type { ProofReader } from '../proofs/proof-store.ts';
import type { StatusReport } from '../status/status-report.ts';
import { statusRoutes } from '../status/status-routes.ts';
import type { Codec } from './codec.ts';
import { type DeliveryCounts, readCounts } from './delivery-counts.ts';
import { MemoryWatch } from './memory-watch.ts';

/**
 * How far ahead of this machine's time a cursor may be, in a cluster, and is a position all the same: events have the time of the machine
 * that wrote them. One from the future begins with the next event, so who comes from another machine would get again what this one has
 * not had yet.
 */
const clusterAheadUsMax = 60_000_000;

/** Reads of the log at a time, in all threads together. Node has four threads for them, and ingest writes on them too. Fewer hold less. */
export const readsMax = hasLittleMemory() ? 2 : 4;

/** Something for the daemon's log; can cross threads. */
export interface ServerLogEntry {
  readonly level: 'error' | 'warn' | 'debug';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** What a subscriber server needs. */
export interface SubscriberServerOptions {
  readonly config: Config;
  readonly log: LogReader;
  readonly codec: Omit<Codec, 'compressor'>;
  /** Memory of the `AddressTable`, shared by all threads. */
  readonly addresses: SharedArrayBuffer;
  /** Of the time that events are stamped with: {@link TrustedTime.memory}. */
  readonly time: SharedArrayBuffer;
  /** Commits that are kept for proofs; none are without. */
  readonly proofs: ProofReader | undefined;
  /** Reads of the log at a time. */
  readonly readsMax: number;
  /** Connections of this listener that are no subscribers (yet). */
  readonly plainSocketsMax: number;
  /** Threads that listen, this one among them. */
  readonly listeners: number;
  readonly writeLog: (entry: ServerLogEntry) => void;
}

/** What serves subscribers, in this thread or in others. */
export interface Delivery {
  /** Starts to listen; resolves with the address bound. Throws HTTP_LISTEN_FAILED. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /** Sends a block that the log has just stored. A promise asks to wait for it before the next. */
  publish(block: Block): Promise<void> | undefined;
  /** The last report on the daemon, for its status page. */
  report(report: StatusReport): void;
  counts(): Promise<DeliveryCounts>;
  /**
   * Graceful shutdown: closes all sessions; resolves when they have ended, after `deadlineMs` at the latest. False when a thread
   * does not end.
   */
  stop(deadlineMs: number): Promise<boolean>;
}

/** See the file comment. */
export class SubscriberServer implements Delivery {
  readonly #fanout: Fanout;
  readonly #listener: PublicListener;
  readonly #memory: MemoryWatch;
  readonly #withoutDictionary: Readonly<EncodedTotals>;
  #report: StatusReport | undefined;

  constructor(options: SubscriberServerOptions) {
    const { config, log, codec, addresses, readsMax, writeLog } = options;
    const nowMs = TrustedTime.reader(options.time);
    const table = new AddressTable(addresses);
    const onReadError = (error: unknown): void => {
      const { code, message: reason } = error as CodedError;
      writeLog({ level: 'error', fields: { code, reason }, message: 'a replay failed' });
    };
    this.#fanout = new Fanout(log, table, onReadError, { readsMax });
    this.#listener = new PublicListener({
      source: this.#fanout,
      log,
      proofs: config.proofs && proofDesk(log, options.proofs, config.proofs.collections),
      dictionaries: codec.dictionaries,
      zstdEncodings: codec.zstdEncodings,
      v2Dictionaries: codec.v2Dictionaries,
      v2Encodings: codec.v2Encodings,
      addresses: table,
      trustedProxies: config.trustedProxies,
      limits: { ...publicHttpLimits, socketsMax: options.plainSocketsMax },
      listeners: options.listeners,
      timing: { stallTimeoutMs: config.stallTimeoutMs },
      onAddressFull: (address, refusals) => {
        const message =
          'an address has all the subscribers it may have; if it is a proxy, name it (--trusted-proxies)';
        writeLog({ level: 'warn', fields: { address, refusals }, message });
      },
      onMisspelt: ({ name, meant }, requests) => {
        const message = 'a parameter of /subscribe is ignored, as by Jetstream v1, and seems to be misspelt';
        writeLog({ level: 'debug', fields: { name, meant, requests }, message });
      },
      // No event, and no row of the ledger, is ahead of the time, unless that went back.
      nowUs: () => Math.max(nowMs() * 1000, log.lastTimeUs, log.coverage.lastUs),
      cursorAheadUsMax: config.cluster === undefined ? 0 : clusterAheadUsMax,
      routes: statusRoutes(() => this.#report, wasmFiles()),
    });
    this.#withoutDictionary = codec.zstdEncodings.withoutDictionary;
    this.#memory = watchMemory(this.#fanout, this.#listener, writeLog);
    this.#listener.sessions.memory = this.#memory;
    if (hasTightMemory()) this.#listener.held.turnedOver = garbageCollector();
    this.#fanout.isCrowded = () => this.#listener.waitingRequests.isCrowded;
  }

  /** @param sharing with other threads that listen there, too. */
  listen(address: ListenAddress, sharing: Sharing = 'alone'): Promise<ListenAddress> {
    return this.#listener.listen(address, sharing);
  }

  /** Subscribers that receive, or will. */
  get subscribers(): number {
    return this.#listener.sessions.members.size;
  }

  /** Leaves new connections to others that listen there. */
  leave(): void {
    void this.#listener.leave();
  }

  publish(block: Block): undefined {
    this.#fanout.publish([block]);
  }

  /** Sends several blocks at once, in their order. */
  publishAll(blocks: readonly Block[]): void {
    this.#fanout.publish(blocks);
  }

  report(report: StatusReport): void {
    this.#report = report;
  }

  async counts(): Promise<DeliveryCounts> {
    return readCounts(this.#fanout, this.#listener, this.#memory, this.#withoutDictionary);
  }

  async stop(deadlineMs: number): Promise<boolean> {
    await this.#listener.stop(deadlineMs);
    return true;
  }
}

function proofDesk(
  log: LogReader,
  reader: ProofReader | undefined,
  collections: readonly string[],
): ProofDesk | undefined {
  return reader && new ProofDesk(log, reader, collectionTest(collections));
}

/**
 * Collects what clients had sent and was let go of, 30 ms each, and rests for as long, unless as much has come again meanwhile: V8 sees
 * memory outside of its heap late, and where memory is short 60 MiB of it were there when the next collection began.
 */
function garbageCollector(): () => void {
  let restsUntilMs = 0;
  let isOverdue = false;
  return () => {
    const startMs = performance.now();
    if (startMs < restsUntilMs && !isOverdue) {
      isOverdue = true;
      return;
    }
    isOverdue = false;
    collectGarbage(false);
    const endMs = performance.now();
    restsUntilMs = endMs + (endMs - startMs);
  };
}

function watchMemory(
  fanout: Fanout,
  { sessions }: PublicListener,
  writeLog: (entry: ServerLogEntry) => void,
): MemoryWatch {
  return new MemoryWatch(
    {
      heap: heapUse,
      container: () => memoryLimit().use(),
      collect: collectGarbage,
      nowMs: () => performance.now(),
    },
    {
      get behind() {
        const { subscribers, live } = fanout.stats();
        return subscribers - live;
      },
      get sessions() {
        return sessions.staying.length;
      },
      shedBehind: (count) => fanout.shedBehind(count),
      shedNewest: (count) => sessions.shedNewest(count),
    },
    (fields, message) => writeLog({ level: 'warn', fields, message }),
  );
}
