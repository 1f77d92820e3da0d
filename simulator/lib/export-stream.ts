// The export of a test directory in its newer form: operations by number, as pages and as a WebSocket that goes on. It owns how far back a
// cursor may be, and the reasons that a connection is closed with.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from '../../lib/websocket.ts';
import type { AccountRecord, KeyOperation, KeyOperations } from './account-register.ts';
import { type SequencedOperation, sequencedOperation } from './did-documents.ts';

/** Whose operations are told. */
export interface OperationSource {
  recordOf(did: string): Promise<AccountRecord | undefined>;
  readonly operations: KeyOperations;
}

/** Bytes that may wait for a reader. */
const waitingBytesMax = 1024 * 1024;
const normalClose = 1000;

/** See the file comment. */
export class ExportStream {
  /** Operations that a cursor may be behind; further back it is outdated. */
  catchUpMax = Number.POSITIVE_INFINITY;
  readonly #source: OperationSource;
  readonly #server = new WebSocketServer({ noServer: true });

  constructor(source: OperationSource) {
    this.#source = source;
  }

  get connections(): number {
    return this.#server.clients.size;
  }

  /** A page of what is behind that number. */
  async page(after: number, count: number): Promise<SequencedOperation[]> {
    const operations = this.#source.operations.operationsAfter(after).slice(0, count);
    const told = await Promise.all(operations.map((operation) => this.#tell(operation)));
    return told.filter((operation) => operation !== undefined);
  }

  /** Takes a handshake. @param cursor a number that was seen before; undefined: from now on. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, cursor: number | undefined): void {
    this.#server.handleUpgrade(request, socket, head, (connection) => void this.#serve(connection, cursor));
  }

  /** Cuts all connections as a network does. */
  cut(): void {
    for (const connection of this.#server.clients) connection.terminate();
  }

  async #serve(connection: WebSocket, cursor: number | undefined): Promise<void> {
    const newest = this.#newest;
    if (cursor !== undefined && cursor > newest) return connection.close(normalClose, 'FutureCursor');
    if (cursor !== undefined && newest - cursor > this.catchUpMax)
      return connection.close(normalClose, 'OutdatedCursor');
    let sent = cursor ?? newest;
    let isSending = false;
    const send = async (): Promise<void> => {
      if (isSending) return;
      isSending = true;
      for (let next = this.#source.operations.operationsAfter(sent); next.length > 0; ) {
        for (const operation of next) {
          if (connection.bufferedAmount > waitingBytesMax)
            return connection.close(normalClose, 'ConsumerTooSlow');
          sent = operation.seq;
          const told = await this.#tell(operation);
          if (told !== undefined) connection.send(JSON.stringify(told));
        }
        next = this.#source.operations.operationsAfter(sent);
      }
      isSending = false;
    };
    connection.on(
      'close',
      this.#source.operations.onOperation(() => void send()),
    );
    connection.on('error', () => connection.terminate());
    await send();
  }

  async #tell({ did, at, seq }: KeyOperation): Promise<SequencedOperation | undefined> {
    const record = await this.#source.recordOf(did);
    return record && sequencedOperation(record, at, seq);
  }

  get #newest(): number {
    return this.#source.operations.operationsAfter(0).length;
  }
}
