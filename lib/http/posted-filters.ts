// Filters that come as the body of a request: it waits for the body, reads it in its turn, and says why there is no filter.
// What bodies may hold is lib/session/held-bytes.ts's.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Filter } from '../event/filter.ts';
import type { Turns } from '../session/turns.ts';
import { isDocumentFault, readFilterDocument } from '../wire/filter-document.ts';
import { filterTextBytesMax } from '../wire/wanted-filter.ts';
import type { ClientAddresses } from './client-address.ts';
import type { ConnectionSet } from './connection-set.ts';
import type { Refusal } from './refusal.ts';
import { RequestBody } from './request-body.ts';

const tooLarge: Refusal = {
  reason: 'filter_too_large',
  status: 413,
  message: `Content Too Large: a filter has at most ${filterTextBytesMax.toLocaleString('en')} bytes`,
};
const noRoom: Refusal = {
  reason: 'no_room_for_filter',
  status: 503,
  retryAfterSeconds: 30,
  message: 'Service Unavailable: no room for this filter',
};

/** See the file comment. */
export class PostedFilters {
  readonly #connections: ConnectionSet;
  readonly #addresses: ClientAddresses;
  readonly #turns: Turns;

  constructor(connections: ConnectionSet, addresses: ClientAddresses, turns: Turns) {
    this.#connections = connections;
    this.#addresses = addresses;
    this.#turns = turns;
  }

  /**
   * Reads the filter in the body of a request and calls `use` with it, in the same turn. Resolves with why there is none;
   * without a reason also when the client has gone.
   */
  async read(
    request: IncomingMessage,
    response: ServerResponse,
    use: (filter: Filter) => void,
  ): Promise<Refusal | undefined> {
    const address = this.#addresses.of(request);
    const connection = this.#connections.of(request.socket);
    connection?.holding.move(address);
    const body = new RequestBody(request, response, filterTextBytesMax, connection?.holding);
    this.#connections.waitForBody(request.socket);
    await body.arrived;
    // A body that is not there takes no turn: clients that go are many.
    if (body.fault !== undefined) return refusalOf(body);
    return new Promise((resolve) => {
      this.#turns.take(address, () => resolve(readFilter(body, use)));
    });
  }
}

function readFilter(body: RequestBody, use: (filter: Filter) => void): Refusal | undefined {
  const text = body.take();
  if (text === undefined) return refusalOf(body);
  const filter = readFilterDocument(text);
  if (!isDocumentFault(filter)) {
    use(filter);
    return undefined;
  }
  const { reason, problem } = filter;
  return { reason, status: 400, message: `Bad Request: ${problem}` };
}

function refusalOf({ fault }: RequestBody): Refusal | undefined {
  if (fault === 'too_large') return tooLarge;
  return fault === 'no_room' ? noRoom : undefined;
}
