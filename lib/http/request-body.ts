// The body of a request, from its first byte until it is taken: whole or not at all, in one piece of memory, whose
// size is bounded for each body and, by lib/session/held-bytes.ts, for all of a connection, an address and a thread.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { ByteWriter } from '../byte-writer.ts';
import type { Holding } from '../session/held-bytes.ts';

/** Why there is no body. */
export type BodyFault =
  | 'too_large'
  /** Other bodies and messages that are under way needed the room. */
  | 'no_room'
  /** The client has gone, or took too long. */
  | 'unfinished';

const initialBytes = 4096;

/** See the file comment. Reads from its construction on. */
export class RequestBody {
  /** Resolves when it is here, or will never be. */
  readonly arrived: Promise<void>;
  /** Why it is not here, nor will be. */
  fault: BodyFault | undefined;
  readonly #request: IncomingMessage;
  readonly #holding: Holding | undefined;
  readonly #bytesMax: number;
  readonly #response: ServerResponse;
  /** Puts back who is told when there is no room. */
  #letGo: () => void = () => {};
  #bytes: ByteWriter | undefined = new ByteWriter(initialBytes);
  #resolve: () => void = () => {};

  /** @param response of the same exchange, unanswered; its end is the end of this. @param holding of the connection. */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    bytesMax: number,
    holding: Holding | undefined,
  ) {
    this.#request = request;
    this.#response = response;
    this.#holding = holding;
    this.#bytesMax = bytesMax;
    this.arrived = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
      this.#drop('too_large');
      return;
    }
    if (holding !== undefined) this.#hold(holding);
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

  #hold(holding: Holding): void {
    const { letGo } = holding;
    this.#letGo = () => {
      holding.letGo = letGo;
    };
    holding.letGo = () => {
      // What comes on this connection is counted no longer.
      this.#response.shouldKeepAlive = false;
      this.#drop('no_room');
    };
  }

  /** Copies: the pieces may be tiny, and each would keep all the memory that it was read into. */
  readonly #take = (chunk: Buffer): void => {
    const bytes = this.#bytes as ByteWriter;
    if (bytes.length + chunk.length > this.#bytesMax) {
      this.#drop('too_large');
      return;
    }
    bytes.bytes(chunk);
    this.#holding?.set('message', bytes.buffer.length);
  };

  #drop(why: BodyFault | undefined): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    this.fault = why;
    this.#holding?.set('message', 0);
    this.#letGo();
    // What still comes is read and forgotten.
    this.#request.off('data', this.#take);
    this.#request.resume();
    this.#resolve();
  }
}
