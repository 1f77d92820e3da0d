// Whether this daemon should be sent subscribers, as named checks on what the parts say of themselves at that moment. It
// decides nothing else: nobody in the process acts on it. Read by the metrics listener, and for metrics.

import type { QueueState } from '../ingest/ingest.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { ClusterReport } from './link-state.ts';
import type { Check, Checks } from './metrics-listener.ts';

/** How long nothing from a relay may become an event, whatever it sends. The network is never silent for a second. */
const idleMsMax = 60_000;
/** How long one write may take: an overloaded disk, or one that hangs. */
const writingMsMax = 10_000;
/** How long the threads may owe an answer; they are asked once a second. */
const answerMsMax = 10_000;

/** How long the servers of a cluster may not be heard of, or messages be missing. */
const clusterMsMax = 10_000;

/** Where the state is. */
export interface ReadinessLink extends Pick<RelayLink, 'relay'> {
  readonly ingest: { readonly queue: Pick<QueueState, 'idleMs' | 'writingMs' | 'stalledBy'> };
}

/** What is asked of a node of a cluster. */
export type ReadinessCluster = Pick<
  ClusterReport,
  'isWriting' | 'isCaughtUp' | 'isConnected' | 'behind' | 'heardMs' | 'writerId'
>;

/** See the file comment. */
export class Readiness {
  /** Whether subscribers are accepted; set by service.ts, which starts and stops the listeners. */
  isListening = false;
  readonly #link: ReadinessLink;
  readonly #cluster: ReadinessCluster | undefined;
  readonly #nowMs: () => number;
  #answeredAtMs = -Infinity;
  /** When this node last had everything that it knew of. */
  #levelAtMs = -Infinity;

  constructor(
    link: ReadinessLink,
    cluster?: ReadinessCluster,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#link = link;
    this.#cluster = cluster;
    this.#nowMs = nowMs;
  }

  /** All threads that serve subscribers have answered. */
  answered(): void {
    this.#answeredAtMs = this.#nowMs();
  }

  /** The checks, by name: always the same ones. */
  checks(): Checks {
    const { relay, ingest } = this.#link;
    const { idleMs, writingMs, stalledBy } = ingest.queue;
    const silentMs = this.#nowMs() - this.#answeredAtMs;
    const cluster = this.#cluster;
    return {
      ...(cluster === undefined ? {} : { cluster: this.#clusterCheck(cluster) }),
      relay:
        cluster === undefined || cluster.isWriting
          ? check(relay !== undefined, relay?.id ?? 'no relay is connected')
          : check(true, `another node reads it (${cluster.writerId || 'not known yet'})`),
      frames: check(
        idleMs <= idleMsMax,
        Number.isFinite(idleMs) ? `the newest event came ${seconds(idleMs)} ago` : 'none has come yet',
      ),
      log: check(
        stalledBy === undefined && writingMs <= writingMsMax,
        stalledBy ??
          (writingMs > writingMsMax ? `a write has taken ${seconds(writingMs)}` : 'it takes writes'),
      ),
      listener: check(this.isListening, this.isListening ? 'it is open' : 'it is not open'),
      threads: check(
        silentMs <= answerMsMax,
        Number.isFinite(silentMs) ? `they answered ${seconds(silentMs)} ago` : 'they have not answered yet',
      ),
    };
  }

  /** A short delay is none: it is what a message takes. */
  #clusterCheck({ isCaughtUp, isConnected, behind, heardMs }: ReadinessCluster): Check {
    const nowMs = this.#nowMs();
    if (isCaughtUp && behind === 0) this.#levelAtMs = nowMs;
    if (heardMs > clusterMsMax) return check(false, 'the NATS servers have not been heard of');
    const lateMs = nowMs - this.#levelAtMs;
    if (lateMs <= clusterMsMax)
      return check(true, isConnected ? 'it has what the stream has' : 'the connection is made again');
    return check(
      false,
      behind === 0 ? 'it does not know the end of the stream yet' : `${behind} messages behind`,
    );
  }
}

function check(ok: boolean, detail: string): Check {
  return { ok, detail };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
