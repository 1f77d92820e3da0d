// The calls of Jetstream v2 that need an archive, which this server has not: each is answered in the form of that API, so that a
// client knows why. It owns their names.

import { respondXrpcError, whenItsTurn } from './respond.ts';
import type { Route } from './routes.ts';

const calls = [
  'planSnapshot',
  'getSegment',
  'getBlock',
  'listSegments',
  'importTimestamps',
  'getImportStatus',
] as const;

/** One for each call. */
export function archiveRoutes(): Route[] {
  return calls.map((call) => ({
    path: `/xrpc/network.bsky.jetstream.${call}`,
    allow: 'OPTIONS, GET, HEAD, POST',
    handle(request, response) {
      // A body is not looked at.
      request.resume();
      if (request.method === 'POST') response.shouldKeepAlive = false;
      const message = `${call} is not implemented: this server keeps a window of the stream and no archive; subscribeEvents has what it keeps`;
      whenItsTurn(response, () => respondXrpcError(response, 501, 'MethodNotImplemented', message));
    },
  }));
}
