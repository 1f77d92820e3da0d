// The table of plain HTTP routes: path and method to a handler, with the v1 wire's answers for what is not there. What
// the routes do is in their own files; public-listener.ts puts them together.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { allowAnyOrigin, answerOptions } from './cors.ts';
import { respondError } from './respond.ts';

/** One path, or all below one that ends in `/`. */
export interface Route {
  readonly path: string;
  /** The value of an `Allow` header; what is not in it is answered with 405. */
  readonly allow: string;
  /** Answers a request whose method is allowed; `rest` is what follows a `path` that ends in `/`. */
  handle(request: IncomingMessage, response: ServerResponse, rest: string): void;
}

/** Only GET, as the v1 wire words it. */
export const allowGet = 'OPTIONS, GET';
/** GET and HEAD. */
export const allowGetAndHead = 'OPTIONS, GET, HEAD';

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
    if (request.method === 'OPTIONS') {
      answerOptions(request, response, route?.allow);
    } else if (route === undefined) {
      respondError(response, 404, 'Not Found');
    } else if (!route.allow.split(', ').includes(request.method ?? '')) {
      response.setHeader('Allow', route.allow);
      respondError(response, 405, 'Method Not Allowed');
    } else {
      route.handle(request, response, path.slice(route.path.length));
    }
  }

  #find(path: string): Route | undefined {
    return this.#exact.get(path) ?? this.#below.find((route) => path.startsWith(route.path));
  }
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
