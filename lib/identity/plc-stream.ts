// Every operation of the PLC directory as it happens, by its export stream: rotations of keys, before the account has said a word, and
// keys of new accounts, before their first commit. It owns the connection, how far it has come, over restarts too, and what that
// vouches for. A directory without a stream is asked for its export instead (plc-export.ts).

import type { IncomingMessage } from 'node:http';
import { retryDelayMs } from '../backoff.ts';
import { endsWithin } from '../deadline.ts';
import { WebSocket } from '../websocket.ts';
import type { Answer } from './document-request.ts';
import type { KeyStore, StoredKey, StreamPlace } from './key-store.ts';
import { ExportPoll } from './plc-export.ts';
import { type PlcOperation, readPlcOperation } from './plc-operation.ts';

/** Intervals; tests shorten them. */
export interface PlcStreamTiming {
  readonly retryMinMs: number;
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  readonly handshakeMs: number;
  /** Between pings; without an answer to one the connection is over. */
  readonly pingMs: number;
  /** Without a message for so long all that there was has come. */
  readonly idleMs: number;
  /** Between polls of a directory without a stream, and how many of them before the stream is tried again. */
  readonly pollMs: number;
  readonly pollsMax: number;
  /** How long what was heard gathers before it is written. */
  readonly writeMs: number;
}

const usualTiming: PlcStreamTiming = {
  ...{ retryMinMs: 1_000, retryFirstMs: 4_000, retryMaxMs: 5 * 60_000, handshakeMs: 20_000, pingMs: 30_000 },
  ...{ idleMs: 2_000, pollMs: 60_000, pollsMax: 60, writeMs: 1_000 },
};
/** An operation has 4 KB at most. */
const messageBytesMax = 64 * 1024;
/** Accounts that wait to be written; then the stream is not read. */
const waitingMax = 5_000;
/** How long after the stream was last there and up to date it still vouches. */
const vouchedMs = 2 * 60_000;
/** How long its end may take. */
const endMs = 500;
/** A `Retry-After` is not believed beyond this. */
const retryAfterMsMax = 10 * 60_000;
/** What a server says that has no such thing. */
const noStreamStatuses = [400, 404, 405, 426, 501];

/** How it goes. */
export type PlcStreamState = 'down' | 'catching_up' | 'live' | 'polling';

export interface PlcStreamOptions {
  readonly plcUrl: string;
  readonly store: Pick<KeyStore, 'place' | 'hear' | 'forgetPlace'>;
  /** Told of each operation, once or more often. Returns when it counts as read, in milliseconds since 1970. */
  readonly heard: (operation: PlcOperation) => { readonly readMs: number };
  /** As of `KeyResolver.askExport`. */
  readonly askExport: (query: string) => Promise<Answer>;
  readonly userAgent: string;
  readonly nowMs?: (() => number) | undefined;
  readonly timing?: Partial<PlcStreamTiming> | undefined;
}

/** Why a connection is over. */
interface End {
  readonly why: 'lost' | 'bad_cursor' | 'no_stream' | 'refused';
  readonly retryAfterMs?: number;
}

/** See the file comment. */
export class PlcStream {
  /** Operations heard, connections opened, and places that the directory did not know, since start. */
  readonly totals = { operations: 0, connections: 0, badCursors: 0 };
  readonly #options: PlcStreamOptions;
  readonly #timing: PlcStreamTiming;
  readonly #nowMs: () => number;
  readonly #url: string;
  readonly #ended = Promise.withResolvers<void>();
  #state: PlcStreamState = 'down';
  #socket: WebSocket | undefined;
  #seq: number | undefined;
  #coveredFromMs = Number.POSITIVE_INFINITY;
  /** When it was last known to be up to date. */
  #currentMs = Number.NEGATIVE_INFINITY;
  #newestMs: number | undefined;
  #waiting = new Map<string, StoredKey | undefined>();
  #writing: Promise<void> | undefined;
  #writeTimer: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #export: ExportPoll | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(options: PlcStreamOptions) {
    this.#options = options;
    this.#timing = { ...usualTiming, ...options.timing };
    this.#nowMs = options.nowMs ?? Date.now;
    const url = new URL(options.plcUrl.endsWith('/') ? options.plcUrl : `${options.plcUrl}/`);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#url = new URL('export/stream', url).href;
  }

  get state(): PlcStreamState {
    return this.#state;
  }

  /** When the newest operation happened that was heard, in milliseconds since 1970. */
  get newestMs(): number | undefined {
    return this.#newestMs;
  }

  /** Whether every change of a key since then was heard: such a key does not age. */
  isCovered(readMs: number): boolean {
    if (this.#state === 'live') this.#currentMs = this.#nowMs();
    return readMs >= this.#coveredFromMs && this.#nowMs() - this.#currentMs < vouchedMs;
  }

  /** Begins. It ends with {@link close}, and for nothing else. */
  start(): void {
    void this.#run().finally(this.#ended.resolve);
  }

  /** Writes what was heard. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake?.();
    this.#socket?.terminate();
    // What is being asked for is not waited for.
    await endsWithin(endMs, this.#ended.promise);
    clearTimeout(this.#writeTimer);
    await this.#write();
  }

  async #run(): Promise<void> {
    const place = await this.#options.store.place();
    if (place?.url === this.#options.plcUrl) {
      this.#seq = place.seq;
      this.#coveredFromMs = place.coveredFromMs;
    }
    while (!this.#isClosed) {
      const { why, retryAfterMs = 0 } = await this.#connect();
      if (this.#state === 'live') this.#currentMs = this.#nowMs();
      this.#state = 'down';
      if (why === 'no_stream') await this.#poll();
      if (why === 'bad_cursor') await this.#forget();
      const waitMs = Math.max(retryAfterMs, retryDelayMs(this.#failures++, Math.random, this.#timing));
      if (why !== 'no_stream') await this.#rest(waitMs);
    }
  }

  /** One connection, from its handshake to its end. Never rejects. */
  #connect(): Promise<End> {
    const { handshakeMs, pingMs, idleMs } = this.#timing;
    const socket = new WebSocket(this.#seq === undefined ? this.#url : `${this.#url}?cursor=${this.#seq}`, {
      ...{ handshakeTimeout: handshakeMs, maxPayload: messageBytesMax, perMessageDeflate: false },
      headers: { 'user-agent': this.#options.userAgent },
    });
    this.#socket = socket;
    return new Promise((resolve) => {
      let isAnswered = true;
      let idle: NodeJS.Timeout | undefined;
      let end: End = { why: 'lost' };
      const rest = (): void => {
        clearTimeout(idle);
        idle = setTimeout(() => this.#isCurrent(socket), idleMs);
      };
      const pings = setInterval(() => {
        if (!isAnswered) socket.terminate();
        isAnswered = false;
        if (socket.readyState === WebSocket.OPEN) socket.ping();
      }, pingMs);
      socket.on('unexpected-response', (_request, response: IncomingMessage) => {
        end = endOf(response);
        response.resume();
        socket.terminate();
      });
      socket.on('open', () => {
        this.totals.connections++;
        this.#state = 'catching_up';
        if (this.#seq === undefined) this.#coveredFromMs = this.#nowMs();
        rest();
      });
      socket.on('message', (data: Buffer) => {
        isAnswered = true;
        this.#take(data.toString(), socket);
        if (this.#state === 'catching_up') rest();
      });
      socket.on('pong', () => {
        isAnswered = true;
      });
      socket.on('error', () => socket.terminate());
      socket.on('close', (_code, reason: Buffer) => {
        clearTimeout(idle);
        clearInterval(pings);
        this.#socket = undefined;
        if (/^(FutureCursor|OutdatedCursor)$/.test(reason.toString())) end = { why: 'bad_cursor' };
        resolve(end);
      });
      if (this.#isClosed) socket.terminate();
    });
  }

  #isCurrent(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    this.#state = 'live';
    this.#failures = 0;
  }

  #take(text: string, socket?: WebSocket): void {
    const operation = readPlcOperation(text);
    if (operation === undefined) return;
    const { did, key, createdMs, seq } = operation;
    if (seq !== undefined && seq <= (this.#seq ?? -1)) return;
    this.totals.operations++;
    this.#newestMs = createdMs;
    const { readMs } = this.#options.heard(operation);
    this.#waiting.delete(did);
    this.#waiting.set(did, key && { key, readMs });
    if (seq !== undefined) this.#seq = seq;
    this.#writeTimer ??= setTimeout(() => void this.#write(), this.#timing.writeMs);
    if (this.#waiting.size < waitingMax || socket === undefined || socket.isPaused) return;
    socket.pause();
    void this.#write().then(() => socket.resume());
  }

  /** Keys first, or with them, the place behind them: what is heard twice does no harm. */
  #write(): Promise<void> {
    clearTimeout(this.#writeTimer);
    this.#writeTimer = undefined;
    this.#writing = (this.#writing ?? Promise.resolve()).then(async () => {
      const heard = this.#waiting;
      if (heard.size === 0) return;
      this.#waiting = new Map();
      if (await this.#options.store.hear(heard, this.#place())) return;
      // Keys on the disk may be older than what was heard: they are not vouched for.
      this.#coveredFromMs = this.#nowMs();
      await this.#options.store.forgetPlace();
    });
    return this.#writing;
  }

  #place(): StreamPlace | undefined {
    if (this.#seq === undefined) return undefined;
    return { url: this.#options.plcUrl, seq: this.#seq, coveredFromMs: this.#coveredFromMs };
  }

  /** The directory has not got what came behind our place: what was read until now may have changed, and grows old. */
  async #forget(): Promise<void> {
    this.totals.badCursors++;
    this.#seq = undefined;
    this.#coveredFromMs = Number.POSITIVE_INFINITY;
    await this.#options.store.forgetPlace();
  }

  /** Of a directory without a stream: asks for what is new, a while. */
  async #poll(): Promise<void> {
    const { pollMs, pollsMax } = this.#timing;
    this.#export ??= new ExportPoll(this.#options.askExport, this.#nowMs, (text) => this.#take(text));
    const poll = this.#export;
    for (let polls = 0; polls < pollsMax && !this.#isClosed; polls++) {
      if (await poll.run(this.#seq)) {
        this.#coveredFromMs = Math.min(this.#coveredFromMs, poll.fromMs);
        this.#currentMs = this.#nowMs();
        this.#state = 'polling';
      }
      await this.#rest(pollMs);
    }
  }

  async #rest(ms: number): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }
}

function endOf({ statusCode = 0, headers }: IncomingMessage): End {
  if (noStreamStatuses.includes(statusCode)) return { why: 'no_stream' };
  const seconds = Number(headers['retry-after']);
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
  return { why: 'refused', retryAfterMs: Math.min(retryAfterMs, retryAfterMsMax) };
}
