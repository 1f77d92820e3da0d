// A client of the daemon: one WebSocket, its events as JSON, plain or compressed. What the events have to be is for
// others to judge.

import { WebSocket } from 'ws';
import { decompress } from './dictionaries.ts';

/** What to ask for. */
export interface ReadRequest {
  /** Inclusive. */
  readonly cursor: number;
  readonly compressed?: boolean;
  readonly collection?: string;
  readonly did?: string;
}

/** Reads from `address` (`ws://host:port`) until the connection ends or `close` is called. */
export class EventReader {
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;

  constructor(address: string, request: ReadRequest, take: (json: Buffer) => void) {
    const query = new URLSearchParams({ cursor: String(request.cursor) });
    if (request.collection !== undefined) query.set('wantedCollections', request.collection);
    if (request.did !== undefined) query.set('wantedDids', request.did);
    if (request.compressed === true) query.set('compress', 'true');
    this.#socket = new WebSocket(`${address}/subscribe?${query}`, { perMessageDeflate: false });
    this.#socket.on('message', (data: Buffer, isBinary) => take(isBinary ? decompress(data) : data));
    // A daemon that is killed resets its connections, and refuses new ones: the end is all that matters.
    this.#socket.on('error', () => {});
    this.closed = new Promise((done) => this.#socket.once('close', () => done()));
  }

  close(): Promise<void> {
    this.#socket.terminate();
    return this.closed;
  }
}
