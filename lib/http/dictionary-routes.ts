// Download of zstd dictionaries, so that a client needs nothing but the address of the server. Their bytes and identity
// come from a `DictionarySource`; lib/codec has one.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { respondError, respondJson, respondUnlessKnown } from './respond.ts';
import { allowGetAndHead, type Route } from './routes.ts';

/** What is told about a dictionary. */
export interface DictionaryDescription {
  readonly id: number;
  /** Its length. */
  readonly bytes: number;
  /** In lower-case hex. */
  readonly sha256: string;
  /** Whether events are stored with it. */
  readonly default: boolean;
}

/** Where dictionaries come from. */
export interface DictionarySource {
  list(): readonly DictionaryDescription[];
  /** The bytes of one, shared and never written to. */
  get(id: number): Uint8Array | undefined;
}

/** Spelling of an id in a path: decimal, without leading zeros. */
const idPattern = /^(0|[1-9][0-9]{0,9})$/;

/** An id names the same bytes for ever. */
const cacheControl = 'public, max-age=31536000, immutable';
const exposedHeaders = 'ETag, X-Zstd-Dictionary-Id';

/** `GET /dictionaries` and `GET /dictionaries/<id>`. */
export function dictionaryRoutes(source: DictionarySource): Route[] {
  return [
    {
      path: '/dictionaries',
      allow: allowGetAndHead,
      handle(_request, response) {
        response.setHeader('Access-Control-Allow-Origin', '*');
        const list = source.list().map(({ id, bytes, sha256, default: isDefault }) => {
          return { id, bytes, sha256, url: `/dictionaries/${id}`, default: isDefault };
        });
        respondJson(response, 200, list);
      },
    },
    {
      path: '/dictionaries/',
      allow: allowGetAndHead,
      handle(request, response, id) {
        response.setHeader('Access-Control-Allow-Origin', '*');
        const description = idPattern.test(id)
          ? source.list().find((entry) => entry.id === Number(id))
          : undefined;
        const bytes = description && source.get(description.id);
        if (bytes === undefined) respondError(response, 404, 'Not Found');
        else sendDictionary(request, response, description as DictionaryDescription, bytes);
      },
    },
  ];
}

function sendDictionary(
  request: IncomingMessage,
  response: ServerResponse,
  { id, sha256 }: DictionaryDescription,
  bytes: Uint8Array,
): void {
  response.setHeader('Cache-Control', cacheControl);
  response.setHeader('X-Zstd-Dictionary-Id', String(id));
  response.setHeader('Access-Control-Expose-Headers', exposedHeaders);
  respondUnlessKnown(request, response, `"${sha256}"`, 'application/octet-stream', bytes);
}
