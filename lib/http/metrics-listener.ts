// The operator's listener: `GET /metrics` on a port of its own and nothing else. It makes no metrics; it asks for them.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { bind } from './bind.ts';
import { metricsHttpLimits, serverWithin } from './http-limits.ts';
import type { ListenAddress } from './listen-address.ts';
import { respond, respondError } from './respond.ts';
import { pathOf } from './routes.ts';

/** The text of all metrics, and its type. */
export type ReadMetrics = () => Promise<{ contentType: string; body: string }>;

/** See the file comment. */
export class MetricsListener {
  readonly #server: Server;

  /** @param read its failure is answered with 500 and told to `onError`. */
  constructor(read: ReadMetrics, onError: (error: unknown) => void) {
    this.#server = serverWithin(metricsHttpLimits, (request, response) => {
      answer(read, request, response).catch((error: unknown) => {
        onError(error);
        if (response.headersSent) response.destroy();
        else respondError(response, 500, 'Internal Server Error');
      });
    });
    this.#server.maxConnections = metricsHttpLimits.socketsMax;
  }

  /** Starts to listen; resolves with the address bound. Throws HTTP_LISTEN_FAILED. */
  listen(address: ListenAddress): Promise<ListenAddress> {
    return bind(this.#server, address);
  }

  /** Stops at once, cutting what is under way. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function answer(read: ReadMetrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (pathOf(request.url ?? '') !== '/metrics') return respondError(response, 404, 'Not Found');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return respondError(response, 405, 'Method Not Allowed');
  }
  const { contentType, body } = await read();
  respond(response, 200, contentType, body);
}
