// Texts to a stream that may be slow, or gone: written when it takes them, and silent when nobody reads any more. It owns
// what a failure is and the buffer for lines; what they say is its caller's.

import type { Writable } from 'node:stream';
import { CodedError } from '../../lib/errors.ts';

/** Characters gathered before they are written. */
const gatheredCharsMax = 64 * 1024;

/**
 * Writes to a stream, which has an 'error' listener: every failure is told to the callback of its write. Resolves when
 * the chunk is out; with false when nobody reads any more. @throws CodedError `code` for any other failure.
 */
export async function writeTo(stream: Writable, chunk: string | Uint8Array, code: string): Promise<boolean> {
  try {
    await new Promise<void>((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
    return true;
  } catch (cause) {
    const { code: reason, message } = cause as NodeJS.ErrnoException;
    if (reason === 'EPIPE') return false;
    throw new CodedError(code, `cannot write to standard output: ${message}`, { cause });
  }
}

/** Lines, gathered until they are flushed. */
export class LineOutput {
  readonly #stream: Writable;
  readonly #code: string;
  #gathered = '';
  /** Nobody reads any more. */
  isGone = false;

  /** @param code of the error when writing fails. */
  constructor(stream: Writable, code: string) {
    this.#stream = stream;
    this.#code = code;
    stream.on('error', () => {});
  }

  /** Whether there is so much that it has to be flushed. */
  get isFull(): boolean {
    return this.#gathered.length >= gatheredCharsMax;
  }

  add(line: string): void {
    this.#gathered += `${line}\n`;
  }

  /** Fulfilled when the lines are out, or nobody wants them. @throws CodedError. */
  async flush(): Promise<void> {
    const text = this.#gathered;
    this.#gathered = '';
    if (text === '' || this.isGone) return;
    this.isGone = !(await writeTo(this.#stream, text, this.#code));
  }
}
