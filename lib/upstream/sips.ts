// When a relay's socket is read. At the network's rate a frame comes every two milliseconds, and each would wake this process for
// itself; so what comes is left with the kernel for a while, and read together: in sips. It owns that pause of a socket and its timer,
// and knows no WebSocket. A relay that sends what it has kept, after a stop, is read without pause: rests would bound its rate by what
// the kernel holds for a socket, which is 64 KiB at first.

import type { Socket } from 'node:net';

/** A rate at which rests save nothing: three times the network's 2.6 MB/s, in bytes a millisecond. */
const fastBytesPerMs = 8 * 1024;
/** So much in one sip may be all that the kernel has room for: then the rate is looked at without rests, now and again. */
const fullSipBytes = 48 * 1024;
/** How long a socket is read without rests before its rate is believed, and the shortest time between two such looks at a slow one. */
const lookMs = 100;
const nextLookMs = 5_000;

/** What `net.Socket` has no method for: its own pause() goes on reading until it has 64 KiB. */
interface Handle {
  reading: boolean;
  readStart(): void;
  readStop(): void;
}

/** See the file comment. */
export class Sips {
  readonly #socket: Socket;
  readonly #restMs: number;
  readonly #turnOver: (isCaughtUp: boolean) => void;
  /** Bytes and time at the end of the sip before, or at the beginning of the look. */
  #bytesRead: number;
  #sinceMs = performance.now();
  /** While it is read without rests: until when at least. */
  #looksUntilMs: number | undefined;
  #lookedMs = -Infinity;
  #isTaking = false;
  /** One for all rests: begun again, it makes no object and no list of timers. */
  #rest: NodeJS.Timeout | undefined;
  #isOver = false;

  /**
   * @param restMs how long the socket is not read after a sip; 0: it is read as things come.
   * @param turnOver called once after each {@link took}, when what was read in that turn has been handed on; `isCaughtUp`: all that had
   * come has been read, and the socket rests.
   */
  constructor(socket: Socket, restMs: number, turnOver: (isCaughtUp: boolean) => void) {
    this.#socket = socket;
    this.#restMs = restMs;
    this.#turnOver = turnOver;
    this.#bytesRead = socket.bytesRead;
  }

  /** To be called when something has been read that is complete, as often as that happens. */
  took(): void {
    if (this.#isTaking || this.#isOver) return;
    this.#isTaking = true;
    // After everything that is read in this turn of the event loop.
    setImmediate(this.#afterReads);
  }

  /** From now on the socket is read as things come. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#rest);
    this.#readOn();
  }

  readonly #afterReads = (): void => {
    this.#isTaking = false;
    const rests = !this.#isOver && !(this.#restMs > 0 && this.#isFast(performance.now()));
    if (rests) this.#stopReading();
    this.#turnOver(rests);
  };

  /** Whether so much comes that it is read without rests. */
  #isFast(nowMs: number): boolean {
    if (this.#looksUntilMs !== undefined && nowMs < this.#looksUntilMs) return true;
    const { bytesRead } = this.#socket;
    const bytes = bytesRead - this.#bytesRead;
    const isFast = bytes >= fullSipBytes && bytes >= fastBytesPerMs * (nowMs - this.#sinceMs);
    const isLookDue = bytes >= fullSipBytes && nowMs - this.#lookedMs >= nextLookMs;
    const looked = this.#looksUntilMs !== undefined;
    this.#looksUntilMs = isFast || (isLookDue && !looked) ? nowMs + lookMs : undefined;
    if (looked) this.#lookedMs = nowMs;
    this.#bytesRead = bytesRead;
    this.#sinceMs = nowMs;
    return this.#looksUntilMs !== undefined;
  }

  #stopReading(): void {
    const handle = handleOf(this.#socket);
    if (this.#restMs === 0 || handle === undefined || !handle.reading) return;
    handle.reading = false;
    handle.readStop();
    if (this.#rest === undefined) this.#rest = setTimeout(this.#readOn, this.#restMs);
    else this.#rest.refresh();
  }

  readonly #readOn = (): void => {
    const handle = handleOf(this.#socket);
    // Also of a socket that somebody has paused: the stream believes that it reads, and stops by itself when it has enough.
    if (handle === undefined || handle.reading) return;
    handle.reading = true;
    handle.readStart();
  };
}

/** Undefined once the socket is gone, and in a Node that has other means: then nothing rests. */
function handleOf(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: Partial<Handle> | null };
  const isKnown =
    typeof handle?.reading === 'boolean' &&
    typeof handle.readStart === 'function' &&
    typeof handle.readStop === 'function';
  return isKnown ? (handle as Handle) : undefined;
}
