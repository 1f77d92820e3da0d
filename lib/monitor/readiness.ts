// Whether this daemon should be sent subscribers, as named checks on what the parts say of themselves at that moment. It
// decides nothing else: nobody in the process acts on it. Read by the metrics listener, and for metrics.

import type { QueueState } from '../ingest/ingest.ts';
import type { RelayLink } from '../ingest/relay-link.ts';
import type { Check, Checks } from './metrics-listener.ts';

/** How long nothing from a relay may become an event, whatever it sends. The network is never silent for a second. */
const idleMsMax = 60_000;
/** How long one write may take: an overloaded disk, or one that hangs. */
const writingMsMax = 10_000;
/** How long the threads may owe an answer; they are asked once a second. */
const answerMsMax = 10_000;

/** Where the state is. */
export interface LinkState extends Pick<RelayLink, 'relay'> {
  readonly ingest: { readonly queue: Pick<QueueState, 'idleMs' | 'writingMs' | 'stalledBy'> };
}

/** See the file comment. */
export class Readiness {
  /** Whether subscribers are accepted; set by service.ts, which starts and stops the listeners. */
  isListening = false;
  readonly #link: LinkState;
  readonly #nowMs: () => number;
  #answeredAtMs = -Infinity;

  constructor(link: LinkState, nowMs: () => number = () => performance.now()) {
    this.#link = link;
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
    return {
      relay: check(relay !== undefined, relay?.id ?? 'no relay is connected'),
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
}

function check(ok: boolean, detail: string): Check {
  return { ok, detail };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
