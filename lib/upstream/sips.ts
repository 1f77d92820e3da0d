// When a relay's socket is read. At the network's rate a frame comes every two milliseconds, and each would wake this process for
// itself; so what comes is left with the kernel for a while, and read together: in sips. It owns that pause of a socket and its timer,
// and knows no WebSocket. A socket that is behind, so that a read finds much, is read without pause.

import type { Socket } from 'node:net';

/** As much as one read of a socket takes: who finds that much may find more. Five times the network's rate in a sip of 16 ms. */
const behindBytes = 64 * 1024;

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
  readonly #caughtUp: () => void;
  #bytesRead = 0;
  #isTaking = false;
  #rest: NodeJS.Timeout | undefined;
  #isOver = false;

  /**
   * @param restMs how long the socket is not read after a sip; 0: it is read as things come.
   * @param caughtUp called when all that had come has been read, and the socket rests.
   */
  constructor(socket: Socket, restMs: number, caughtUp: () => void) {
    this.#socket = socket;
    this.#restMs = restMs;
    this.#caughtUp = caughtUp;
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
    if (this.#isOver) return;
    const { bytesRead } = this.#socket;
    const isBehind = bytesRead - this.#bytesRead >= behindBytes;
    this.#bytesRead = bytesRead;
    if (isBehind) return;
    this.#stopReading();
    this.#caughtUp();
  };

  #stopReading(): void {
    const handle = handleOf(this.#socket);
    if (this.#restMs === 0 || handle === undefined || !handle.reading) return;
    handle.reading = false;
    handle.readStop();
    this.#rest ??= setTimeout(this.#readOn, this.#restMs);
  }

  readonly #readOn = (): void => {
    this.#rest = undefined;
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
