// A relay under load that keeps account of what it made available: the simulator's server on a pool of frames, with the
// moments noted at which it jumps, starts over, or cannot give a reader what it asks for.

import { FramePool } from '../../simulator/lib/frame-pool.ts';
import type { FrameSource } from '../../simulator/lib/frame-source.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { RelayHistory } from './relay-history.ts';

const poolFrames = 1200;

/** A pool that tells what cursors readers came with. */
class ObservedPool implements FrameSource {
  readonly length = Number.POSITIVE_INFINITY;
  readonly #pool: FramePool;
  readonly #granted: (cursor: number, seq: number) => void;
  #restartPosition = 0;

  constructor(pool: FramePool, granted: (cursor: number, seq: number) => void) {
    this.#pool = pool;
    this.#granted = granted;
  }

  /** A relay that has started over has nothing from before to send again. */
  get firstPosition(): number {
    return Math.max(this.#pool.firstPosition, this.#restartPosition);
  }

  prepare(end: number): undefined {
    this.#pool.prepare(end);
  }

  seqAt(position: number): number {
    return this.#pool.seqAt(position);
  }

  positionAfter(cursor: number, end: number): number {
    const position = this.#pool.positionAfter(cursor, end);
    // The server asks for the oldest position with a cursor below all sequences: no reader's.
    if (cursor >= 0) this.#granted(cursor, this.#pool.seqAt(position));
    return position;
  }

  bytesAt(position: number): number {
    return this.#pool.bytesAt(position);
  }

  writeAt(position: number, out: Buffer, offset: number): void {
    this.#pool.writeAt(position, out, offset);
  }

  jumpTo(position: number, seq: number): void {
    this.#pool.jumpTo(position, seq);
  }

  restartAt(position: number, seq: number): void {
    this.#pool.restartAt(position, seq);
    this.#restartPosition = position;
  }
}

/** See the file comment. */
export class ObservedRelay {
  readonly server: RelayServer;
  readonly history: RelayHistory;

  private constructor(server: RelayServer, history: RelayHistory) {
    this.server = server;
    this.history = history;
  }

  /** A relay that publishes nothing yet. @param backlogFrames frames that it can go back. */
  static async listen(seed: string, backlogFrames = Number.POSITIVE_INFINITY): Promise<ObservedRelay> {
    const shares = { identity: 0.03, account: 0.02, sync: 0.02 };
    const network = new SyntheticNetwork({ seed, accounts: 24, historyRecords: 20, shares });
    const pool = await FramePool.generate(network, poolFrames, { backlogFrames });
    const history = new RelayHistory(pool);
    const source = new ObservedPool(pool, (cursor, seq) => history.current.addGap(cursor + 1, seq));
    return new ObservedRelay(await RelayServer.listen({ source }), history);
  }

  get url(): string {
    return this.server.url;
  }

  /** Events that a daemon has to have taken by now. */
  get expectedEvents(): number {
    this.noteEnd();
    return this.history.expectedEvents;
  }

  /** Has the history know of everything that is published by now. */
  noteEnd(): void {
    this.history.current.endSeq = this.#nextSeq;
  }

  /** Leaves out `by` sequences. */
  jump(by: number): void {
    const nextSeq = this.#nextSeq;
    this.server.jumpSequence(by);
    this.history.current.addGap(nextSeq, nextSeq + by);
  }

  /**
   * Starts its sequences over at `seq`, with `lostFrames` frames that no reader of the old sequences can ask for: it
   * reads live, from after them. Call while nothing is published.
   */
  async restart(seq: number, lostFrames: number): Promise<void> {
    this.history.restart(this.#nextSeq, seq);
    this.server.restartSequence(seq);
    this.history.current.addGap(seq, seq + lostFrames);
    await this.server.publish(lostFrames);
  }

  /** Sequence of the next frame to be published. */
  get #nextSeq(): number {
    return this.server.source.seqAt(this.server.head);
  }
}
