// How an HTTP server of either listener is made: with the bounds of http-limits.ts, and with its connections in a set that counts
// what they hold and lets each client read its last answer. What is answered is the listeners' own.

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { memoryLimit } from '../memory.ts';
import { HeldBytes, heldLimitsOf } from '../session/held-bytes.ts';
import { ConnectionSet } from './connection-set.ts';
import type { HttpLimits } from './http-limits.ts';
import { errorAnswer } from './respond.ts';

/** Makes a server with those limits and other options, whose connections are in that set. */
export function serverWithin(
  limits: HttpLimits,
  connections: ConnectionSet,
  onRequest: RequestListener,
  options: ServerOptions = {},
): Server {
  const server = createServer(
    {
      ...options,
      // Every answer is counted where it is made: some node:http makes and sends by itself (400, 417, 503).
      ServerResponse: countedResponse(connections),
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.requestTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.checkIntervalMs,
    },
    (request, response) => {
      // What was parsed of a connection before it was dropped.
      if (!request.socket.destroyed) onRequest(request, response);
    },
  );
  server.timeout = limits.idleTimeoutMs;
  server.maxHeadersCount = limits.headFieldsMax;
  server.maxRequestsPerSocket = limits.requestsPerSocketMax;
  server.on('connection', (socket: Socket) => connections.open(socket));
  // As without a listener, but for the end of the connection.
  server.on('clientError', (error, socket) => connections.fail(socket as Socket, errorAnswer(error)));
  return server;
}

/** The connections of a listener without subscribers, and without crowds. */
export function connectionsWithin(limits: HttpLimits): ConnectionSet {
  return new ConnectionSet(new HeldBytes(heldLimitsOf(memoryLimit().limitBytes, 1)), {
    ...limits,
    crowdMax: () => 0,
    addressOf: (socket) => socket.remoteAddress,
  });
}

/** Node's class of responses, with counts of those that are made and written. */
function countedResponse(connections: ConnectionSet): typeof ServerResponse {
  class CountedResponse extends ServerResponse {
    // What else it is made from is node:http's business, and not in its types.
    constructor(request: IncomingMessage, ...others: readonly unknown[]) {
      super(...([request, ...others] as [IncomingMessage]));
      connections.answer(request.socket, this);
    }

    override end(...data: readonly unknown[]): this {
      const isFirst = !this.writableEnded;
      super.end(...(data as []));
      // Behind it: what it has to send is counted then.
      if (isFirst) connections.written(this.req.socket);
      return this;
    }
  }
  return CountedResponse as unknown as typeof ServerResponse;
}
