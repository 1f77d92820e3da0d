// Lines to a file descriptor, without ever waiting for who reads it: a pipe that nobody reads must not stop the thread that
// ingests. What the descriptor does not take waits, up to a bound; lines beyond it are lost and counted, and a line says so
// once the rest has been read. What lines say is logger.ts's.

import { fstatSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/** Bytes that wait for a reader: hours of a daemon that has little to say. */
const waitingBytesMax = 1024 * 1024;
/** How often a full pipe is tried again. */
const retryMs = 100;
/** How long an exit waits for the reader. */
const exitMsMax = 1000;

/** Writes to a descriptor; a test has one of its own. @throws with code `EAGAIN` when it takes nothing now. */
export type WriteBytes = (bytes: Uint8Array) => number;

/** See the file comment. */
export class LineOutput {
  /** Since start. */
  lostLines = 0;
  readonly #write: WriteBytes;
  readonly #lostLine: (lines: number) => string;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Lost since the last line about it. */
  #untold = 0;
  #retry: NodeJS.Timeout | undefined;

  /** @param lostLine the line that says how many were lost, with its end. */
  constructor(write: WriteBytes, lostLine: (lines: number) => string) {
    this.#write = write;
    this.#lostLine = lostLine;
  }

  write(line: string): void {
    if (this.#waitingBytes > waitingBytesMax) {
      this.lostLines++;
      this.#untold++;
      return;
    }
    this.#push(line);
    if (this.#retry === undefined) this.#drain();
  }

  /** Before the exit of the process: waits for the reader, but not for long. */
  flush(): void {
    const untilMs = performance.now() + exitMsMax;
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#drain() && performance.now() < untilMs) Atomics.wait(sleeper, 0, 0, 10);
    clearTimeout(this.#retry);
  }

  #push(line: string): void {
    const bytes = Buffer.from(line);
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Writes what waits. Whether nothing is left. */
  #drain(): boolean {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    for (;;) {
      const [bytes] = this.#waiting;
      if (bytes === undefined) {
        if (this.#untold === 0) return true;
        const lines = this.#untold;
        this.#untold = 0;
        this.#push(this.#lostLine(lines));
        continue;
      }
      try {
        const written = this.#write(bytes);
        this.#waitingBytes -= written;
        if (written === bytes.length) this.#waiting.shift();
        else this.#waiting[0] = bytes.subarray(written);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') {
          this.#retry = setTimeout(() => this.#drain(), retryMs).unref();
          return false;
        }
        // There is no reader any more, or no room on the disk: the daemon goes on without.
        this.lostLines += this.#waiting.length;
        this.#waiting = [];
        this.#waitingBytes = 0;
        return true;
      }
    }
  }
}

/** Sockets that only make their descriptor non-blocking: one that is collected would close it. */
const kept: Socket[] = [];

/** Writes to a descriptor of the process, which does not wait when it is a pipe or a socket. */
export function descriptorWriter(fd: number): WriteBytes {
  const found = fstatSync(fd, { throwIfNoEntry: false });
  if (found?.isFIFO() || found?.isSocket()) kept.push(new Socket({ fd, readable: false, writable: true }));
  return (bytes) => writeSync(fd, bytes);
}
