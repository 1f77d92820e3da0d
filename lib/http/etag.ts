// Answers that a client may keep: sent with a tag, and not sent again to a client that has them. Used by routes whose
// bytes do not change while the process runs.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { respond } from './respond.ts';

/** Answers with bytes, or with 304 when the client has them. `etag` comes with its quotes; `bytes` are not written to. */
export function sendUnlessKnown(
  request: IncomingMessage,
  response: ServerResponse,
  etag: string,
  contentType: string,
  bytes: Uint8Array,
): void {
  response.setHeader('ETag', etag);
  if (matches(request.headers['if-none-match'], etag)) response.writeHead(304).end();
  else respond(response, 200, contentType, bytes);
}

/** Weak comparison of an `If-None-Match` list, as RFC 9110 section 13.1.2 asks. */
function matches(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false;
  return list.split(',').some((item) => {
    const tag = item.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}
