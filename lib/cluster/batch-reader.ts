// Reads runs of messages from any replica of a stream, on one subscription for all time: the library's own way leaves one behind with
// every call, and waits for the first message only. It knows the subjects and headers of NATS, and of its client four calls.

import type { BatchEnd, StoredMessage } from './engine.ts';

/** How long nothing may come in the middle of a batch. */
const silentMs = 2_000;
/** More messages than a batch can have: without a number the server sends one. */
const messagesMax = 100_000;
/** Bytes more than were asked for, after which whoever goes on sending them is not listened to: a server stops with the next message. */
const spareBytesMax = 32 * 1024 * 1024;

/** What is used of a message. */
interface BatchMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers?: { readonly code: number; get(name: string): string } | undefined;
}

/** What is used of a connection. */
export interface BatchConnection {
  publish(subject: string, payload: string, options: { reply: string }): void;
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: BatchMessage): void },
  ): unknown;
}

/** The batch that is under way. */
interface Open {
  readonly token: string;
  readonly take: (message: StoredMessage) => void;
  readonly end: (how: BatchEnd) => void;
  /** Of the last message: those that come after it, at the replica that answers. */
  pending: number;
  /** Of what it may still have. */
  bytesLeft: number;
}

/** See the file comment. */
export class BatchReader {
  readonly #connection: BatchConnection;
  readonly #subject: string;
  readonly #inbox: string;
  #batches = 0;
  #open: Open | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: BatchConnection, stream: string) {
    this.#connection = connection;
    this.#subject = `$JS.API.DIRECT.GET.${stream}`;
    this.#inbox = `_INBOX.${crypto.randomUUID().replaceAll('-', '')}`;
    connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
  }

  /** As `Engine.batch`. Calls must not overlap. */
  async read(sequence: number, bytesMax: number, take: (message: StoredMessage) => void): Promise<BatchEnd> {
    const { promise, resolve: end } = Promise.withResolvers<BatchEnd>();
    const token = String(++this.#batches);
    this.#open = { token, take, end, pending: 0, bytesLeft: bytesMax + spareBytesMax };
    this.#watch();
    try {
      const ask = JSON.stringify({ seq: sequence, batch: messagesMax, max_bytes: bytesMax });
      this.#connection.publish(this.#subject, ask, { reply: `${this.#inbox}.${token}` });
    } catch {
      end('silent');
    }
    const how = await promise;
    clearTimeout(this.#timer);
    this.#open = undefined;
    return how;
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open?.end('silent'), silentMs);
  }

  #take({ subject, data, headers }: BatchMessage): void {
    const open = this.#open;
    // One of an earlier batch that was given up.
    if (open === undefined || subject.slice(this.#inbox.length + 1) !== open.token) return;
    const code = headers?.code ?? 0;
    const sequence = Number(headers?.get('Nats-Sequence') ?? 0);
    if (code === 0 && Number.isSafeInteger(sequence) && sequence > 0) {
      this.#watch();
      open.pending = Number(headers?.get('Nats-Num-Pending') ?? 0);
      open.take({ sequence, id: headers?.get('Nats-Msg-Id') ?? '', bytes: data });
      open.bytesLeft -= data.length;
      if (open.bytesLeft > 0) return;
      this.#open = undefined;
      open.end('more');
      return;
    }
    // 204 ends a batch, 404: nothing from there on; 503 and others: nobody who could answer.
    if (code === 204) open.end(Number(headers?.get('Nats-Num-Pending') ?? open.pending) > 0 ? 'more' : 'end');
    else open.end(code === 404 ? 'end' : 'silent');
  }
}
