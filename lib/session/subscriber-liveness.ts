// Whether a subscriber still lives and still reads, judged by what its socket has moved. Arithmetic over counters,
// and the one counter that node:net does not show; the clock and the pings are the sessions'.

import type { Socket } from 'node:net';

/** Intervals without a sign of life after which a subscriber is dead. */
const silentIntervalsMax = 2;

/** More than two pings can be: what goes out beyond this is data that was taken. An event is longer. */
const pingBytes = 4;

/**
 * A client is dead when it sends nothing, takes no data and leaves two pings unanswered. It is stalled when bytes wait for
 * it and it takes none for a time. While bytes wait only the second is asked, because pings wait behind them.
 */
export class SubscriberLiveness {
  /** Of the last ping. The interval before the first one asks for nothing, but the handshake has been sent in it. */
  #bytesRead = 0;
  #bytesTaken = 0;
  #silentIntervals = 0;
  /** When stalls were last checked. */
  #bytesTakenThen = -1;
  #quietSinceMs = 0;

  /**
   * Called when a ping is due; true when the client has been silent for too long.
   * @param bytesRead from the client, since its start.
   * @param bytesTaken by the system, to be sent to the client, since its start.
   * @param bytesWaiting in this process until the system takes them.
   */
  silentAtPing(bytesRead: number, bytesTaken: number, bytesWaiting: number): boolean {
    const silent =
      bytesWaiting === 0 && bytesRead === this.#bytesRead && bytesTaken - this.#bytesTaken <= pingBytes;
    this.#silentIntervals = silent ? this.#silentIntervals + 1 : 0;
    this.#bytesRead = bytesRead;
    this.#bytesTaken = bytesTaken;
    return this.#silentIntervals >= silentIntervalsMax;
  }

  /**
   * Called again and again; true when bytes wait and the system has taken none for `timeoutMs`. It takes more when a third
   * of its buffer is free, which is up to 4 MB on Linux: a client that reads less than 20 KB/s may show nothing for a minute.
   */
  stalledFor(timeoutMs: number, nowMs: number, bytesTaken: number, bytesWaiting: number): boolean {
    if (bytesWaiting === 0 || bytesTaken !== this.#bytesTakenThen) {
      this.#bytesTakenThen = bytesTaken;
      this.#quietSinceMs = nowMs;
    }
    return nowMs - this.#quietSinceMs >= timeoutMs;
  }
}

/** What node:net itself looks at for its timeouts. */
interface Handle {
  /** Bytes of all writes that were begun. */
  readonly bytesWritten: number;
  /** Bytes of those that the system has not taken. */
  readonly writeQueueSize?: number;
}

/** Bytes that the system has taken since the socket's start; of a write under way too, where node:net lets that be known. */
export function bytesTaken(socket: Socket): number {
  const handle = (socket as { _handle?: Handle | null })._handle;
  if (handle?.writeQueueSize !== undefined) return handle.bytesWritten - handle.writeQueueSize;
  return socket.bytesWritten - socket.writableLength;
}
