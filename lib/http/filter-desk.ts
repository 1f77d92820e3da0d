// What a thread does with stored filters: it takes them in, looks, and lends them to sessions. Reading a large one takes
// long, and asking another thread for it takes memory, so that all of it is done in turns. Where they are kept is
// lib/wire/filter-store.ts's business, and what clients are told that of the routes.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextRound } from 'node:timers/promises';
import type { Filter } from '../event/filter.ts';
import type { MessageIntake } from '../session/message-intake.ts';
import { type DocumentFault, readFilterDocument } from '../wire/filter-document.ts';
import type { FilterDescription, Filters, PutResult } from '../wire/filter-store.ts';
import { filterBodyBytesMax, filterFrom, storedFormOf } from '../wire/stored-filter.ts';
import type { ClientAddresses } from './client-address.ts';
import { FairTurns } from './fair-turns.ts';
import { type BodyFault, RequestBody } from './request-body.ts';

/** How long the filter that was lent last is at hand, in milliseconds: those who use the same one often come together. */
const atHandMs = 5_000;

/** What the desk needs. */
export interface FilterDeskOptions {
  readonly filters: Filters;
  readonly addresses: ClientAddresses;
  readonly intake: MessageIntake;
  /** Told of sockets of requests that are not answered at once: others may have their place until then. */
  readonly waitFor: (socket: Socket) => void;
}

/** See the file comment. */
export class FilterDesk {
  readonly #options: FilterDeskOptions;
  readonly #turns = new FairTurns();
  #atHand: { readonly id: string; readonly filter: Filter } | undefined;
  #putAway: NodeJS.Timeout | undefined;

  constructor(options: FilterDeskOptions) {
    this.#options = options;
  }

  /** Stores the filter in a request's body. */
  async store(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<PutResult | DocumentFault | BodyFault> {
    const { filters, addresses, intake, waitFor } = this.#options;
    const address = addresses.of(request);
    const body = new RequestBody(request, response, filterBodyBytesMax, intake);
    waitFor(request.socket);
    await body.arrived;
    if (body.fault !== undefined) return body.fault;
    return this.#turns.take(address, async () => {
      const text = body.take();
      if (text === undefined) return body.fault as BodyFault;
      const filter = readFilterDocument(text);
      if ('problem' in filter) return filter;
      // Here and below: events get their turn between two halves of the work.
      await nextRound();
      return filters.put(storedFormOf(filter), address);
    });
  }

  /** What a request asks for, if it is there. */
  look(request: IncomingMessage, id: string): Promise<FilterDescription | undefined> {
    const { filters, addresses, waitFor } = this.#options;
    waitFor(request.socket);
    return this.#turns.take(addresses.of(request), async () => filters.look(id));
  }

  /**
   * Gives a filter to `use`, which says whether it goes on using it, until {@link release}.
   * @param address whose turn it has to be: a client's, as limits count it.
   * @param isWanted asked before anything is done, and again before `use`.
   */
  lend(
    address: string,
    id: string,
    isWanted: () => boolean,
    use: (filter: Filter) => boolean,
  ): Promise<'lent' | 'unknown' | 'unused'> {
    return this.#turns.take(address, async () => {
      if (!isWanted()) return 'unused';
      if (!(await this.#options.filters.hold(id))) return 'unknown';
      const filter = await this.#read(id);
      if (isWanted() && use(filter)) return 'lent';
      this.release(id);
      return 'unused';
    });
  }

  /** What was lent is no longer used. */
  release(id: string): void {
    void this.#options.filters.release(id);
  }

  async #read(id: string): Promise<Filter> {
    clearTimeout(this.#putAway);
    if (this.#atHand?.id !== id) {
      this.#atHand = undefined;
      this.#atHand = { id, filter: filterFrom(await this.#options.filters.bytesOf(id)) };
      await nextRound();
    }
    this.#putAway = setTimeout(() => {
      this.#atHand = undefined;
    }, atHandMs).unref();
    return this.#atHand.filter;
  }
}
