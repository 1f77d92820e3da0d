// The table of plain HTTP routes: path and method to a handler, with the v1 wire's answers for what is not there, and its
// cross-origin headers, byte for byte. What the routes do is in their own files; public-listener.ts puts them together.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isHandshake } from './handshake.ts';
import { respondError, respondText, respondXrpcError, upgradeResponse } from './respond.ts';

/** A request that offers another protocol, which node:http has let go of. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request. */
  readonly head: Buffer;
  /** Makes the plain HTTP answer to a request whose offer is not taken. */
  refuse(): ServerResponse;
}

/** One path, or all below one that ends in `/`. */
export interface Route {
  readonly path: string;
  /** The value of an `Allow` header; what is not in it is answered with 405. */
  readonly allow: string;
  /** HEAD is answered though `allow` does not name it, which has to be as on the v1 wire. */
  readonly answersHead?: true;
  /** Answers a request whose method is allowed; `rest` is what follows a `path` that ends in `/`. */
  handle(request: IncomingMessage, response: ServerResponse, rest: string): void;
  /** Takes a GET request for an upgrade, or refuses it. Without, it is a plain request. */
  upgrade?(upgrade: Upgrade): void;
}

/** Only GET, as the v1 wire words it. */
export const allowGet = 'OPTIONS, GET';
/** GET and HEAD. */
export const allowGetAndHead = 'OPTIONS, GET, HEAD';

/** What v1 answers to everyone who asks for `/`. */
export const welcome: Route = {
  path: '/',
  allow: allowGet,
  // v1 answers 405; monitors of availability send it.
  answersHead: true,
  handle: (_request, response) => respondText(response, 200, 'Welcome to Jetstream'),
};

/** To a WebSocket client that was given the server's address alone, which v1 welcomes with 200, or that of another route. */
const noWebSocketHere = 'No WebSocket here: connect to /subscribe\n';

/** Where the second wire's methods are, whose errors have a form of their own. */
const xrpc = '/xrpc/';
const noSuchMethod = 'this server has no such method: it serves network.bsky.jetstream.subscribeEvents';

/** Finds routes and answers for those that are missing. */
export class Routes {
  readonly #exact = new Map<string, Route>();
  readonly #below: Route[] = [];

  constructor(routes: Iterable<Route>) {
    for (const route of routes) {
      if (route.path.endsWith('/') && route.path !== '/') this.#below.push(route);
      else this.#exact.set(route.path, route);
    }
  }

  /** Answers a request, always. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request.url ?? '');
    const route = this.#find(path);
    allowAnyOrigin(request, response);
    if (request.httpVersionMajor < 1) {
      // HTTP/0.9 knows no end but the connection's, and node:http leaves that open: a stream's session would stay for ever.
      response.once('finish', () => request.socket.destroySoon());
      respondError(response, 400, 'Bad Request');
    } else if (request.method === 'OPTIONS') {
      answerOptions(request, response, route?.allow);
    } else if (route === undefined) {
      if (path.startsWith(xrpc)) respondXrpcError(response, 501, 'MethodNotImplemented', noSuchMethod);
      else respondError(response, 404, 'Not Found');
    } else if (!isAllowed(route, request.method)) {
      response.setHeader('Allow', route.allow);
      if (path.startsWith(xrpc)) respondXrpcError(response, 405, 'InvalidRequest', `use ${route.allow}`);
      else respondError(response, 405, 'Method Not Allowed');
    } else {
      route.handle(request, response, path.slice(route.path.length));
    }
  }

  /** Hands an upgrade to its route, or answers it as a plain request. @param answering told of an answer that begins. */
  upgrade(
    request: IncomingMessage,
    socket: Socket,
    head: Buffer,
    answering: (response: ServerResponse) => void,
  ): void {
    const begin = (): ServerResponse => {
      const response = upgradeResponse(request, socket);
      answering(response);
      return response;
    };
    const refuse = (): ServerResponse => {
      const response = begin();
      allowAnyOrigin(request, response);
      return response;
    };
    const route = request.method === 'GET' ? this.#find(pathOf(request.url ?? '')) : undefined;
    if (route?.upgrade !== undefined) route.upgrade({ request, socket, head, refuse });
    else if (route !== undefined && isHandshake(request)) respondText(refuse(), 404, noWebSocketHere);
    else this.answer(request, begin());
  }

  /**
   * Whether a request has a body, or one that has still to be asked for: then an offer of another protocol is not looked at. Until a
   * body is there node:http hands over something that is no socket, and it is no handshake on any route of ours.
   */
  takesBody({ method, url, headers }: IncomingMessage): boolean {
    if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) return true;
    return method === 'POST' && this.#find(pathOf(url ?? ''))?.allow.includes('POST') === true;
  }

  #find(path: string): Route | undefined {
    return this.#exact.get(path) ?? this.#below.find((route) => path.startsWith(route.path));
  }
}

function isAllowed({ allow, answersHead }: Route, method = ''): boolean {
  return allow.split(', ').includes(method) || (method === 'HEAD' && answersHead === true);
}

/** Puts on what every plain HTTP answer carries. The 101 answer to a WebSocket handshake carries none of it. */
function allowAnyOrigin(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Vary', 'Origin');
  if (request.headers.origin) response.setHeader('Access-Control-Allow-Origin', '*');
}

/** Answers OPTIONS; `allow` is the methods of a known path. */
function answerOptions(request: IncomingMessage, response: ServerResponse, allow: string | undefined): void {
  if (allow !== undefined) response.setHeader('Allow', allow);
  if (request.headers.origin) {
    response.setHeader('Vary', ['Origin', 'Access-Control-Request-Method', 'Access-Control-Request-Headers']);
    const post = allow?.includes('POST') === true ? 'POST,' : '';
    response.setHeader('Access-Control-Allow-Methods', `GET,HEAD,${post}OPTIONS`);
    const requested = request.headers['access-control-request-headers'];
    if (requested) response.setHeader('Access-Control-Allow-Headers', requested);
  }
  response.writeHead(204).end();
}

/** Scheme and host that a request target may start with when the client takes this server for a proxy. */
const absolute = /^https?:\/\/[^/?]*/i;

/** The path of a request target, as it is spelled: percent escapes are not decoded, so they match no route. */
export function pathOf(target: string): string {
  const path = target.replace(absolute, '');
  const query = path.indexOf('?');
  return query === -1 ? path : path.slice(0, query);
}

/** What follows the first `?` of a request target; empty without one. */
export function queryOf(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? '' : target.slice(query + 1);
}
