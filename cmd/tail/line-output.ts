// Lines to a stream that may be slow, or gone: gathered, written when it takes them, and silent when nobody reads any
// more. It owns the buffer; what the lines say is its caller's.

import type { Writable } from 'node:stream';
import { CodedError } from '../../lib/errors.ts';

/** Characters gathered before they are written. */
const gatheredCharsMax = 64 * 1024;

/** See the file comment. */
export class LineOutput {
  readonly #stream: Writable;
  #gathered = '';
  /** Nobody reads any more. */
  isGone = false;

  constructor(stream: Writable) {
    this.#stream = stream;
    // Told to the callback of the write that failed.
    stream.on('error', () => {});
  }

  /** Whether there is so much that it has to be flushed. */
  get isFull(): boolean {
    return this.#gathered.length >= gatheredCharsMax;
  }

  add(line: string): void {
    this.#gathered += `${line}\n`;
  }

  /** Fulfilled when the lines are out, or nobody wants them. @throws CodedError `TAIL_OUTPUT_FAILED`. */
  async flush(): Promise<void> {
    const text = this.#gathered;
    this.#gathered = '';
    if (text === '' || this.isGone) return;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#stream.write(text, (error) => (error ? reject(error) : resolve()));
      });
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code !== 'EPIPE') {
        throw new CodedError('TAIL_OUTPUT_FAILED', `cannot write to standard output: ${message}`, { cause });
      }
      this.isGone = true;
    }
  }
}
