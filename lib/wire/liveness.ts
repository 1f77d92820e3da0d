// Whether a subscriber still lives, judged once per ping by what its socket has moved. Pure arithmetic over two
// counters; the timer and the pings are subscribe-session.ts's.

/** The counters of a `net.Socket`. */
export interface SocketCounters {
  readonly bytesRead: number;
  /** Bytes accepted, those still waiting included. */
  readonly bytesWritten: number;
  /** Bytes that wait. */
  readonly writableLength: number;
}

/** Intervals without a sign of life after which a subscriber is dead. */
const silentIntervalsMax = 2;

/** More than two pings can be: what goes out beyond this is data that was taken. A data frame is longer. */
const pingBytes = 4;

/**
 * A sign of life is anything the client sent (a pong at least), or data taken since the last ping: behind a slow
 * client's full socket pings wait, so its pongs do too. A client that takes less than one write per interval and sends
 * nothing is dead as well.
 */
export class Liveness {
  readonly #socket: SocketCounters;
  #readBytes: number;
  #takenBytes: number;
  /** The interval before the first ping asks for nothing, so it does not count. */
  #silentIntervals = -1;

  constructor(socket: SocketCounters) {
    this.#socket = socket;
    this.#readBytes = socket.bytesRead;
    this.#takenBytes = socket.bytesWritten - socket.writableLength;
  }

  /** Called right before each ping; true when the client has been silent for too long. */
  silentAtPing(): boolean {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    const takenBytes = bytesWritten - writableLength;
    const silent = bytesRead === this.#readBytes && takenBytes - this.#takenBytes <= pingBytes;
    this.#silentIntervals = silent ? this.#silentIntervals + 1 : 0;
    this.#readBytes = bytesRead;
    this.#takenBytes = takenBytes;
    return this.#silentIntervals >= silentIntervalsMax;
  }
}
