// One reader of the simulated relay: a position in the history and a socket. It pulls frames when the socket has taken
// the last batch, so a slow reader costs one batch of memory. Whom to accept and what is published is the server's
// business.

import type { Socket } from 'node:net';
import { WebSocket } from '../../lib/websocket.ts';
import { encodeError } from './frame-encoder.ts';
import type { FrameSource } from './frame-source.ts';
import type { RelayFaults } from './relay-faults.ts';

/** Bytes of a connection's batch buffer: one write. Around 90 frames; larger batches were not faster. */
const batchBytes = 256 * 1024;
const headerBytesMax = 10;
const binaryMessage = 0x82;

/** How a connection ends: with a WebSocket close, with the stream's end alone, or with a reset. */
export type CutKind = 'close' | 'end' | 'reset';

/** What a connection reads from its server. */
export interface RelayFeed {
  readonly source: FrameSource;
  /** Frames published. */
  readonly head: number;
  readonly faults: RelayFaults;
  /** Called by a connection that has read everything: publishes more if the rate is bounded by readers alone. */
  wantMore(): void;
}

function writeHeader(payloadBytes: number, out: Buffer, at: number): number {
  out[at] = binaryMessage;
  if (payloadBytes < 126) {
    out[at + 1] = payloadBytes;
    return at + 2;
  }
  if (payloadBytes < 65_536) {
    out[at + 1] = 126;
    out.writeUInt16BE(payloadBytes, at + 2);
    return at + 4;
  }
  out[at + 1] = 127;
  out.writeUInt32BE(0, at + 2);
  out.writeUInt32BE(payloadBytes, at + 6);
  return at + headerBytesMax;
}

/** Sends the history to one reader. */
export class RelayConnection {
  readonly #feed: RelayFeed;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #batch = Buffer.allocUnsafeSlow(batchBytes);
  #position: number;
  #sentFrames = 0;
  /** True while nothing may be written: a write is under way, or the connection was cut. */
  #busy = false;
  #cut = false;

  /** @param socket the one under `webSocket`; frames are written to it directly, whole ones only. */
  constructor(feed: RelayFeed, webSocket: WebSocket, socket: Socket, position: number) {
    this.#feed = feed;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#position = position;
  }

  /** Frames of the history sent. */
  get sentFrames(): number {
    return this.#sentFrames;
  }

  /** Sends what is published and not sent yet. Does nothing while a write is under way: it goes on by itself. */
  pump(): void {
    const feed = this.#feed;
    if (this.#busy || this.#webSocket.readyState !== WebSocket.OPEN || feed.faults.quiet) {
      return;
    }
    const { dropAfterFrames } = feed.faults;
    if (dropAfterFrames > 0 && this.#sentFrames >= dropAfterFrames) {
      this.cut('end');
      return;
    }
    // Busy from here on: what is published now pumps every connection, this one too.
    this.#busy = true;
    if (this.#position >= feed.head) {
      feed.wantMore();
    }
    if (this.#position < feed.source.firstPosition) {
      this.sendRaw(encodeError('ConsumerTooSlow', 'the reader fell behind the backlog'));
      this.#webSocket.close(1008);
      return;
    }
    const batch = this.#nextBatch();
    this.#busy = batch.length > 0;
    if (this.#busy) {
      this.#socket.write(batch, this.#onWritten);
    }
  }

  /** Sends one message that is no part of the history; text goes as a text message. */
  sendRaw(message: Uint8Array | string): void {
    if (!this.#cut) {
      this.#webSocket.send(message);
    }
  }

  /** Ends the connection now. */
  cut(kind: CutKind): void {
    this.#cut = true;
    this.#busy = true;
    if (kind === 'close') {
      this.#webSocket.close(1001);
    } else if (kind === 'end') {
      this.#socket.end();
    } else {
      this.#socket.resetAndDestroy();
    }
  }

  /** Writes half of the next frame, then ends the stream. */
  cutMidFrame(): void {
    const { source, head } = this.#feed;
    if (this.#position < head) {
      const bytes = source.bytesAt(this.#position);
      const frame = Buffer.alloc(headerBytesMax + bytes);
      const start = writeHeader(bytes, frame, 0);
      source.writeAt(this.#position, frame, start);
      this.#socket.write(frame.subarray(0, start + (bytes >>> 1)));
    }
    this.cut('end');
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (!error) {
      // Through the event loop: a reader as fast as this loop must not keep timers and other readers waiting.
      setImmediate(this.#resume);
    }
  };

  readonly #resume = (): void => {
    this.#busy = this.#cut;
    this.pump();
  };

  #nextBatch(): Buffer {
    const { source, head, faults } = this.#feed;
    const limit =
      faults.dropAfterFrames > 0 ? this.#position + faults.dropAfterFrames - this.#sentFrames : head;
    const end = Math.min(head, limit);
    let out = this.#batch;
    let length = 0;
    while (this.#position < end) {
      const bytes = source.bytesAt(this.#position);
      if (length + bytes + headerBytesMax > out.length) {
        if (length > 0) {
          break;
        }
        out = Buffer.allocUnsafe(bytes + headerBytesMax);
      }
      const start = writeHeader(bytes, out, length);
      source.writeAt(this.#position, out, start);
      length = start + bytes;
      this.#position++;
      this.#sentFrames++;
    }
    return out.subarray(0, length);
  }
}
