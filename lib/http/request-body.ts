// The body of a request, from its first byte until it is taken: whole or not at all, in one piece of memory, whose
// size is bounded for each body and, by lib/session/message-intake.ts, for all of a thread together.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { ByteWriter } from '../byte-writer.ts';
import type { Holder, MessageIntake } from '../session/message-intake.ts';

/** Why there is no body. */
export type BodyFault =
  | 'too_large'
  /** Other bodies and messages that are under way needed the room. */
  | 'no_room'
  /** The client has gone, or took too long. */
  | 'unfinished';

const initialBytes = 4096;

/** See the file comment. Reads from its construction on. */
export class RequestBody implements Holder {
  /** Resolves when it is here, or will never be. */
  readonly arrived: Promise<void>;
  /** Why it is not here, nor will be. */
  fault: BodyFault | undefined;
  readonly #request: IncomingMessage;
  readonly #intake: MessageIntake;
  readonly #bytesMax: number;
  #bytes: ByteWriter | undefined = new ByteWriter(initialBytes);
  #resolve: () => void = () => {};

  /** @param response of the same exchange, unanswered; its end is the end of this. */
  constructor(request: IncomingMessage, response: ServerResponse, bytesMax: number, intake: MessageIntake) {
    this.#request = request;
    this.#intake = intake;
    this.#bytesMax = bytesMax;
    this.arrived = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
      this.#drop('too_large');
      return;
    }
    request.on('data', this.#take);
    request.on('end', this.#resolve);
    response.once('close', () => this.#drop('unfinished'));
  }

  /** What it says; undefined when there is a fault. It holds nothing any more. */
  take(): string | undefined {
    const text = this.#bytes?.buffer.toString('utf8', 0, this.#bytes.length);
    this.#drop(undefined);
    return text;
  }

  /** Called by the intake when there is no room for this body. */
  shed(): void {
    this.#drop('no_room');
  }

  /** Copies: the pieces may be tiny, and each would keep all the memory that it was read into. */
  readonly #take = (chunk: Buffer): void => {
    const bytes = this.#bytes as ByteWriter;
    if (bytes.length + chunk.length > this.#bytesMax) {
      this.#drop('too_large');
      return;
    }
    bytes.bytes(chunk);
    this.#intake.holds(this, bytes.buffer.length);
  };

  #drop(why: BodyFault | undefined): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    this.fault = why;
    this.#intake.holds(this, 0);
    // What still comes is read and forgotten.
    this.#request.off('data', this.#take);
    this.#request.resume();
    this.#resolve();
  }
}
