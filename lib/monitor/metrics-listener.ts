// The operator's listener, on a port of its own: `/metrics`, `/health/live`, `/health/ready`, `/`, which names them, and nothing else. It makes
// no metrics and no checks; it asks for them: only the main thread knows the state of the whole.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ConnectionSet } from '../http/connection-set.ts';
import { metricsHttpLimits } from '../http/http-limits.ts';
import { bind } from '../http/listen.ts';
import { respond, respondError, respondJson } from '../http/respond.ts';
import { pathOf } from '../http/routes.ts';
import { connectionsWithin, serverWithin } from '../http/server.ts';
import type { ListenAddress } from '../listen-address.ts';

/** What one check found. */
export interface Check {
  readonly ok: boolean;
  /** For people; names no client. */
  readonly detail: string;
}

/** All checks by name. */
export type Checks = Readonly<Record<string, Check>>;

/** What the listener asks. */
export interface MetricsListenerOptions {
  /** The text of all metrics, and its type. Its failure is answered with 500 and told to `onError`. */
  readonly readMetrics: () => Promise<{ contentType: string; body: string }>;
  readonly readChecks: () => Checks;
  readonly onError: (error: unknown) => void;
}

const index = `Slipstream, for its operator. Subscribers have another port.
/metrics       for Prometheus
/health/live   200 while the process runs
/health/ready  200 when it serves and receives events, else 503; the body has each check
`;

/** See the file comment. */
export class MetricsListener {
  readonly #server: Server;
  readonly #connections: ConnectionSet;
  readonly #options: MetricsListenerOptions;

  constructor(options: MetricsListenerOptions) {
    this.#options = options;
    this.#connections = connectionsWithin(metricsHttpLimits);
    this.#server = serverWithin(metricsHttpLimits, this.#connections, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.onError(error);
        if (response.headersSent) response.destroy();
        else respondError(response, 500, 'Internal Server Error');
      });
    });
  }

  /** Starts to listen; resolves with the address bound. Throws HTTP_LISTEN_FAILED. */
  async listen(address: ListenAddress): Promise<ListenAddress> {
    const bound = await bind(this.#server, address);
    this.#connections.start();
    return bound;
  }

  /** Stops at once, cutting what is under way. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#connections.destroy();
      this.#connections.stop();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = this.#answers.get(pathOf(request.url ?? ''));
    if (answer === undefined) return respondError(response, 404, 'Not Found');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return respondError(response, 405, 'Method Not Allowed');
    }
    await answer(response);
  }

  readonly #answers: ReadonlyMap<string, (response: ServerResponse) => Promise<void> | void> = new Map([
    ['/', (response: ServerResponse) => respond(response, 200, 'text/plain; charset=utf-8', index)],
    ['/metrics', (response: ServerResponse) => this.#answerMetrics(response)],
    ['/health/live', answerLive],
    ['/health/ready', (response: ServerResponse) => answerReady(response, this.#options.readChecks())],
  ]);

  async #answerMetrics(response: ServerResponse): Promise<void> {
    const { contentType, body } = await this.#options.readMetrics();
    respond(response, 200, contentType, body);
  }
}

/** 200, always: the process is there and its main thread runs. */
function answerLive(response: ServerResponse): void {
  response.setHeader('Cache-Control', 'no-store');
  respondJson(response, 200, { live: true });
}

/** 200 when every check holds, else 503; the checks either way. */
function answerReady(response: ServerResponse, checks: Checks): void {
  const ready = Object.values(checks).every(({ ok }) => ok);
  response.setHeader('Cache-Control', 'no-store');
  respondJson(response, ready ? 200 : 503, { ready, checks });
}
