// `GET /xrpc/network.bsky.jetstream.getZstdDictionary`: dictionaries in the form of the second wire, as a whole, in part, or not at
// all when the client has them. Their bytes and identity come from a `DictionarySource`, whose first is the current one.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { eachQueryPair } from '../wire/query-pairs.ts';
import type { DictionarySource } from './dictionary-routes.ts';
import { respondBytes, respondXrpcError } from './respond.ts';
import { allowGetAndHead, queryOf, type Route } from './routes.ts';

/** An id names the same bytes for ever; which one is current may change with the next start of the server. */
const cacheControls = { byId: 'public, max-age=31536000, immutable', current: 'public, max-age=300' };
const exposedHeaders = 'ETag, X-Zstd-Dictionary-Id';
const integer = /^[+-]?[0-9]+$/;

/** See the file comment. */
export function v2DictionaryRoute(source: DictionarySource): Route {
  const lastModified = new Date().toUTCString();
  return {
    path: '/xrpc/network.bsky.jetstream.getZstdDictionary',
    allow: allowGetAndHead,
    handle(request, response) {
      const text = idIn(queryOf(request.url ?? ''));
      const currentId = source.list().at(0)?.id;
      if (text !== undefined && !integer.test(text)) {
        respondXrpcError(response, 400, 'InvalidRequest', `the id is no integer: ${text}`);
        return;
      }
      const id = text === undefined ? currentId : Number(text);
      const bytes = id === undefined ? undefined : source.get(id);
      if (id === undefined || bytes === undefined) {
        const advice = currentId === undefined ? 'there is none' : `the current one is ${currentId}`;
        respondXrpcError(response, 404, 'DictionaryNotFound', `no such zstd dictionary: ${advice}`);
        return;
      }
      send(request, response, { id, bytes, lastModified, isNamed: text !== undefined });
    },
  };
}

interface Sent {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly lastModified: string;
  /** Whether the request has the id. */
  readonly isNamed: boolean;
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  { id, bytes, lastModified, isNamed }: Sent,
): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
  response.setHeader('Cache-Control', isNamed ? cacheControls.byId : cacheControls.current);
  response.setHeader('X-Zstd-Dictionary-Id', String(id));
  response.setHeader('Last-Modified', lastModified);
  if (isOutdated(request, etagOf(id), lastModified)) {
    const message = `what the request names is not here: this is dictionary ${id}, since ${lastModified}`;
    respondXrpcError(response, 412, 'PreconditionFailed', message);
    return;
  }
  const { 'if-none-match': known, 'if-modified-since': since } = request.headers;
  if (known === undefined && since !== undefined && Date.parse(since) >= Date.parse(lastModified)) {
    response.setHeader('ETag', etagOf(id));
    response.writeHead(304).end();
    return;
  }
  respondBytes(request, response, etagOf(id), 'application/octet-stream', bytes);
}

/** Whether a client has a part of something else: RFC 9110, section 13.2.2. What is no time is ignored. */
function isOutdated({ headers }: IncomingMessage, etag: string, lastModified: string): boolean {
  const { 'if-match': wanted, 'if-unmodified-since': since } = headers;
  if (wanted !== undefined) return !wanted.split(',').some((tag) => ['*', etag].includes(tag.trim()));
  return since !== undefined && Date.parse(since) < Date.parse(lastModified);
}

function etagOf(id: number): string {
  return `"zstd-dict-${id}"`;
}

/** The first value of `id`. */
function idIn(rawQuery: string): string | undefined {
  let first: string | undefined;
  eachQueryPair(rawQuery, (name, value) => {
    if (name === 'id') first ??= value;
  });
  return first;
}
