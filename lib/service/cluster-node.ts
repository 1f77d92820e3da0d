// A machine of a cluster: it follows the stream, and when it is elected it reads the relay and writes, until another one does. It owns
// the change from one to the other, and what both have in common for those who look at it. What a writer and a follower do is
// lib/cluster's.

import { randomBytes } from 'node:crypto';
import { sequenceIn } from '../cluster/block-message.ts';
import { ClusterCounts } from '../cluster/cluster-counts.ts';
import { appendPatienceMs, ClusterLog } from '../cluster/cluster-log.ts';
import type { Engine } from '../cluster/engine.ts';
import { Lease } from '../cluster/lease.ts';
import { type NodeNote, Roster } from '../cluster/roster.ts';
import { StreamFollower } from '../cluster/stream-follower.ts';
import { StreamWriter } from '../cluster/stream-writer.ts';
import type { ClusterConfig } from '../config/config.ts';
import { endsWithin } from '../deadline.ts';
import { CodedError } from '../errors.ts';
import type { CoverageFinding } from '../event/coverage.ts';
import { BlockQueue } from '../ingest/block-queue.ts';
import type { QueueState } from '../ingest/ingest.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { ClusterReport, LinkState } from '../monitor/link-state.ts';
import { Election, type WonElection } from './election.ts';
import { linkView } from './link-view.ts';
import { endRelayIntake, type IntakeOptions, openRelayIntake } from './relay-intake.ts';

/** How often it is looked whether what waits for room on the disk is stored. */
const storedPollMs = 100;
/** A message that takes so long into the stream is a pause. */
const pauseMsMin = 1_000;

/** What a node is made of. */
export interface NodeOptions {
  readonly role: ClusterConfig['role'];
  readonly engine: Engine;
  readonly streamId: string;
  /** Sequence that an empty log goes on after. */
  readonly emptySequence: number;
  readonly log: LevelLog;
  readonly intake: IntakeOptions;
}

/** Why a turn as the writer ended. */
type TurnEnd = 'fenced' | 'lease_lost' | 'disk' | 'stop';

/** See the file comment. */
export class ClusterNode implements ClusterReport {
  turns = 0;
  readonly counts = new ClusterCounts();
  readonly nodeId = randomBytes(6).toString('hex');
  readonly link: LinkState;
  readonly #options: NodeOptions;
  readonly #election: Election;
  readonly #stopping = Promise.withResolvers<void>();
  #isStopped = false;
  #roster: Roster | undefined;
  #pauses = 0;
  #longestPauseMs = 0;
  /** When the engine was found not to answer; undefined while it does. */
  #pausedAtMs: number | undefined;
  #follower: StreamFollower;
  #queue: QueueState;
  /** While it writes. */
  #turn: RelayLink | undefined;
  #running: Promise<void> | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    const { engine, log, intake } = options;
    const lease = new Lease(engine.lease, this.nodeId, this.counts);
    this.#election = new Election({
      engine,
      lease,
      nodeId: this.nodeId,
      log,
      counts: this.counts,
      logger: intake.logger,
    });
    const { follower, queue } = this.#newFollower();
    this.#follower = follower;
    this.#queue = queue;
    this.link = linkView(
      options.intake.disconnects,
      () => this.#turn,
      () => this.#queue,
    );
  }

  start(): void {
    this.#roster = new Roster(this.#options.engine, () => this.#note);
    this.#running = this.#run().catch(this.#options.intake.failed);
  }

  /** Stores what was taken, and lets another node write. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopping.resolve();
    this.#election.stop();
    await this.#running;
    this.#roster?.stop();
  }

  /** A finding of this machine's; it is told by whoever writes. */
  cover(finding: CoverageFinding): void {
    this.#turn?.ingest.cover(finding);
  }

  get nodes(): readonly NodeNote[] {
    return this.#roster?.nodes ?? [];
  }

  get #note(): NodeNote {
    const { nodeId: node, role, isWriting, isCaughtUp } = this;
    return {
      ...{ node, role, isWriting, isCaughtUp, lastTimeUs: this.#options.log.lastTimeUs },
      ...{ pauses: this.#pauses, longestPauseMs: Math.round(this.#longestPauseMs) },
    };
  }

  /** A message was in the stream after so long. */
  #took(ms: number): void {
    const wholeMs = this.#pausedAtMs === undefined ? ms : performance.now() - this.#pausedAtMs;
    this.#pausedAtMs = undefined;
    if (wholeMs < pauseMsMin) return;
    this.#pauses++;
    this.#longestPauseMs = Math.max(this.#longestPauseMs, wholeMs);
  }

  get role(): ClusterConfig['role'] {
    return this.#options.role;
  }

  get isWriting(): boolean {
    return this.#turn !== undefined;
  }

  get isConnected(): boolean {
    return this.#options.engine.isConnected;
  }

  get reconnects(): number {
    return this.#options.engine.reconnects;
  }

  get sequence(): number {
    const { log, streamId, emptySequence } = this.#options;
    return sequenceIn(log.positions, streamId) ?? emptySequence;
  }

  get behind(): number {
    return this.isWriting ? 0 : this.#follower.behind;
  }

  get isCaughtUp(): boolean {
    return this.isWriting || this.#follower.isCaughtUp;
  }

  get heardMs(): number {
    return this.isWriting ? 0 : performance.now() - this.#follower.heardAtMs;
  }

  get clockSkewMs(): number {
    return this.#follower.clockSkewMs;
  }

  /** The part of message ids that says which node. */
  get writerId(): string {
    return this.isWriting ? this.nodeId : (this.#follower.newestId.split('.')[0] ?? '');
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const won = await this.#follow();
      if (won !== undefined && !this.#isStopped) await this.#write(won);
      else if (won !== undefined) await this.#election.end();
      if (this.#isStopped) return;
      const { follower, queue } = this.#newFollower();
      this.#follower = follower;
      this.#queue = queue;
    }
  }

  /** Follows until this node is elected; undefined at a stop. */
  async #follow(): Promise<WonElection | undefined> {
    const follower = this.#follower;
    follower.start();
    const won =
      this.role === 'serve'
        ? await this.#stopping.promise
        : await this.#election.won(follower, () => this.#queue.stalledBy !== undefined);
    await follower.stop();
    await (this.#queue as BlockQueue).stop();
    await this.#stored();
    return won ?? undefined;
  }

  /** What waits for room on the disk comes first: two must not write to the log. */
  async #stored(): Promise<void> {
    while (this.#queue.isStoring && !this.#isStopped) await endsWithin(storedPollMs, this.#stopping.promise);
  }

  #newFollower(): { follower: StreamFollower; queue: BlockQueue } {
    const { engine, streamId, log, intake } = this.#options;
    const { compressor, publish, written, stalled, failed } = intake;
    const queue: BlockQueue = new BlockQueue(
      {
        log: {
          // Whoever wrote it has done so.
          resolve: (block) => block,
          append: (block) => log.append(block),
          recover: () => log.recover(),
          get lastTimeUs() {
            return log.lastTimeUs;
          },
        },
        ...{ publish, written, stalled, failed },
      },
      { setPaused: (paused) => follower.setPaused(paused), drained: () => {} },
    );
    const follower: StreamFollower = new StreamFollower({
      ...{ engine, counts: this.counts, streamId, compressor, failed },
      sequence: this.sequence,
      lastTimeUs: log.lastTimeUs,
      push: (block) => queue.push(block, block.index.stream?.nowUs),
    });
    return { follower, queue };
  }

  async #write({ lost, termId }: WonElection): Promise<void> {
    const { engine, streamId, log, intake } = this.#options;
    const { logger, totals, failed } = intake;
    const { promise: over, resolve: end } = Promise.withResolvers<TurnEnd>();
    const clusterLog = new ClusterLog({
      log,
      writer: new StreamWriter(engine, this.counts),
      streamId,
      termId,
      sequence: this.sequence,
      messageBytesMax: engine.messageBytesMax,
      tooLarge: (events) => totals.drop('too_large', events),
    });
    const options: IntakeOptions = {
      ...intake,
      written: (seconds) => {
        intake.written(seconds);
        this.#took(seconds * 1000);
      },
      stalled: (why) => {
        intake.stalled(why);
        if (why?.code === 'CLUSTER_ENGINE_UNAVAILABLE')
          this.#pausedAtMs ??= performance.now() - appendPatienceMs;
        // Another node has room.
        if (why !== undefined && why.code !== 'CLUSTER_ENGINE_UNAVAILABLE') end('disk');
      },
      failed: (error) =>
        error instanceof CodedError && error.code === 'CLUSTER_FENCED' ? end('fenced') : failed(error),
    };
    const { link } = await openRelayIntake(options, clusterLog, this.#election.takeEarlier());
    this.#queue = link.ingest.queue;
    this.#turn = link;
    this.turns++;
    logger.info({ node: this.nodeId, sequence: this.sequence }, 'this node writes now');
    if (!this.#isStopped) link.upstream.start();
    void lost.then(() => end('lease_lost'));
    void this.#stopping.promise.then(() => end('stop'));
    const why = await over;
    await endRelayIntake(link);
    await clusterLog.close();
    this.#turn = undefined;
    await this.#election.end();
    await this.#stored();
    if (why !== 'stop')
      logger.warn(
        { node: this.nodeId, why, sequence: this.sequence },
        'another node writes: this one follows',
      );
  }
}
