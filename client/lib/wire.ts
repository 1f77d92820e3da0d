// Which of the two wires a stream speaks, and all that depends on it: the address, the dictionary, how a message is read. It
// goes over to the first wire when a server has no second; what is asked for and done with messages is `EventStream`'s.

import { CodedError, UsageError } from '../../lib/errors.ts';
import type { ConnectionEnd } from './connection.ts';
import { fetchDictionary, type WasmSource } from './decompressor.ts';
import { readMessage } from './event.ts';
import { optionsUpdate, type Request, requestOf, type StreamFilter } from './filter.ts';
import { MessageReader, type ReadMessage } from './message-reader.ts';
import type { Platform } from './platform.ts';
import type { ClientTiming } from './timing.ts';
import { readV2Message } from './v2-message.ts';
import { urlOnWire, v2RequestOf, v2Update } from './v2-request.ts';

/** `v1` is Jetstream's first, `/subscribe`; `v2` is `network.bsky.jetstream.subscribeEvents`. */
export type WireName = 'v1' | 'v2';

/** The close of who has sent what it may not. */
const closePolicy = 1008;
/** The words of Slipstream's limits, by which it may close so too. */
const ownLimits = /^(too many wanted|more than|a message did not end)/;

/** What a wire is made from. */
export interface WireSetup {
  readonly url: URL;
  readonly wire: WireName;
  readonly compress: boolean;
  readonly dictionary: Uint8Array | undefined;
  readonly zstdWasm: WasmSource | undefined;
  readonly timing: ClientTiming;
  readonly platform: Platform;
}

/** See the file comment. */
export class Wire {
  readonly #setup: WireSetup;
  readonly #reader: MessageReader;
  #name: WireName;
  #compress: boolean;
  /** A connection was open: which wire the server has is known. */
  #isSettled = false;
  /** The server did not have the dictionary that it had given. */
  #wasUnknown = false;
  /** On the second wire: the server of this connection has reported, so it takes messages; or has closed for want of that. */
  #hasReported = false;
  #mayUpdate = true;
  #isHelloSent = false;

  constructor(setup: WireSetup) {
    this.#setup = setup;
    this.#name = setup.wire;
    this.#compress = setup.compress;
    this.#reader = new MessageReader(setup.dictionary, setup.zstdWasm);
  }

  get name(): WireName {
    return this.#name;
  }

  /** What to ask for now. @throws CodedError as `MessageReader.prepare`; `CLIENT_BAD_FILTER` for what the first wire does not have. */
  async request(filter: StreamFilter, cursor: number | undefined): Promise<Request> {
    const url = urlOnWire(this.#name, this.#setup.url);
    if (this.#name === 'v1' && filter.wantedKinds?.includes('sync')) {
      const text =
        'wantedKinds: "sync" is not on the wire v1: leave it out, or ask a server that has v2 with wire "v2"';
      throw new UsageError('CLIENT_BAD_FILTER', text);
    }
    if (this.#compress) await this.#prepareReader(url);
    const { dictionaryId } = this.#reader;
    if (this.#name === 'v2') {
      return v2RequestOf(url, filter, { cursor, dictionaryId, mayUpdate: this.#mayUpdate });
    }
    return requestOf(url, filter, { cursor, compress: this.#compress, dictionaryId });
  }

  /** The connection for a request is open. */
  opened({ hello }: Request): void {
    this.#isSettled = true;
    this.#hasReported = false;
    this.#isHelloSent = hello !== undefined;
  }

  /** The message by which an open connection gets another filter; undefined: a new connection has to ask for it. */
  update(filter: StreamFilter): string | undefined {
    if (this.#name === 'v1') return optionsUpdate(filter);
    return this.#hasReported ? v2Update(filter) : undefined;
  }

  /** The connection is gone. True when the next attempt asks in another way: no failure, then. */
  lost({ code, reason }: Pick<ConnectionEnd, 'code' | 'reason'>): boolean {
    const isRefused = this.#name === 'v2' && this.#isHelloSent && !this.#hasReported && code === closePolicy;
    this.#isHelloSent = false;
    if (!isRefused || ownLimits.test(reason)) return false;
    this.#mayUpdate = false;
    return true;
  }

  /** As `MessageReader.read`. */
  read(data: unknown): ReadMessage | undefined {
    const isV2 = this.#name === 'v2';
    const message = this.#reader.read(data, isV2 ? readV2Message : readMessage);
    if (isV2 && message !== undefined && 'progress' in message) this.#hasReported = true;
    return message;
  }

  /** The server does not have what was asked for. False when there is no other wire to try. */
  fallBack(): boolean {
    if (this.#name === 'v1' || this.#isSettled) return false;
    this.#name = 'v1';
    this.#reader.forget();
    return true;
  }

  /** The server does not have the dictionary in use. False when nothing can be done about it. */
  forgetDictionary(): boolean {
    if (!this.#reader.forget()) return false;
    // Once more with its current one, then without: a cache on the way may go on giving the old one.
    if (this.#name === 'v2' && this.#wasUnknown) this.#compress = false;
    this.#wasUnknown = true;
    return true;
  }

  /** Frees memory. Idempotent. */
  close(): void {
    this.#reader.close();
  }

  async #prepareReader(url: URL): Promise<void> {
    const { platform, timing } = this.#setup;
    try {
      await this.#reader.prepare(
        () => fetchDictionary(url, this.#name, platform, timing.connectTimeoutMs),
        platform,
      );
    } catch (error) {
      const isOptional =
        error instanceof CodedError && error.code === 'CLIENT_NO_DICTIONARY' && !error.retryable;
      // The second wire works without, and a server without it has no such dictionary.
      if (this.#name === 'v1' || !isOptional) throw error;
    }
  }
}
