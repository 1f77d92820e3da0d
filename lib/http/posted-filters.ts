// Filters that come as the body of a request: it waits for the body, reads it, and says why there is no filter. Reading a
// large one takes a thread 0.1 s, so that they are read one at a time, and after each comes a rest as long as it took:
// events get at least half of the thread, however many clients post.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Filter } from '../event/filter.ts';
import type { MessageIntake } from '../session/message-intake.ts';
import { isDocumentFault, readFilterDocument } from '../wire/filter-document.ts';
import { filterTextBytesMax } from '../wire/wanted-filter.ts';
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
  readonly #intake: MessageIntake;
  /** Resolves when the one that came last has had its turn. */
  #lastTurn: Promise<void> = Promise.resolve();

  constructor(connections: ConnectionSet, intake: MessageIntake) {
    this.#connections = connections;
    this.#intake = intake;
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
    const body = new RequestBody(request, response, filterTextBytesMax, this.#intake);
    // While the body comes, the connection counts as one that waits for a request.
    this.#connections.waitFor(request.socket);
    await body.arrived;
    return this.#inTurn(() => {
      const text = body.take();
      if (text === undefined) return refusalOf(body);
      const filter = readFilterDocument(text);
      if (!isDocumentFault(filter)) {
        use(filter);
        return undefined;
      }
      const { reason, problem } = filter;
      return { reason, status: 400, message: `Bad Request: ${problem}` };
    });
  }

  async #inTurn<T>(work: () => T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#lastTurn;
    this.#lastTurn = promise;
    await before;
    const startMs = performance.now();
    try {
      return work();
    } finally {
      setTimeout(resolve, performance.now() - startMs);
    }
  }
}

function refusalOf({ fault }: RequestBody): Refusal | undefined {
  if (fault === 'too_large') return tooLarge;
  return fault === 'no_room' ? noRoom : undefined;
}
