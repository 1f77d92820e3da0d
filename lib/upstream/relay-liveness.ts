// Whether the peer of an open connection is still there. A quiet relay is healthy: the only proof asked for is that
// something, a pong at least, arrives after a ping. Pure: the connection calls it at every ping interval.

/** No ping is out whose answer could be missing. */
const nothingAsked = -1;

/** What to do at a tick: send a ping, give the connection up, or leave the ping that is out some more time. */
export type LivenessStep = 'ping' | 'dead' | 'wait';

/** Judges one connection by the bytes it has received. */
export class RelayLiveness {
  readonly #answerMinMs: number;
  #bytesAtPing = nothingAsked;
  #pingedAtMs = 0;

  /** @param pingIntervalMs between ticks; how long an answer may take. */
  constructor(pingIntervalMs: number) {
    this.#answerMinMs = pingIntervalMs / 2;
  }

  /**
   * To be called once per ping interval, after pending input was read.
   * @param bytesRead bytes received on the connection so far. Bytes and not messages: one that takes minutes to arrive
   *   is life too.
   * @param paused whether we have stopped reading. Pongs then wait in the kernel, so silence means nothing.
   * @param inputReadAtMs a moment before pending input was last read: what had come by then is counted. After the event
   *   loop was held up, ticks come late and close together, and this may be just after the ping, or before it.
   * @param nowMs on the same monotonic clock.
   */
  tick(bytesRead: number, paused: boolean, inputReadAtMs: number, nowMs: number): LivenessStep {
    if (bytesRead === this.#bytesAtPing && !paused) {
      return inputReadAtMs - this.#pingedAtMs < this.#answerMinMs ? 'wait' : 'dead';
    }
    this.#bytesAtPing = bytesRead;
    this.#pingedAtMs = nowMs;
    return 'ping';
  }

  /** Reading goes on after a pause: the ping that is out was not listened for. */
  resumed(): void {
    this.#bytesAtPing = nothingAsked;
  }
}
