// `/`, `/status/…` and `/status.json`: the page for browsers, its files, and the report that it draws. It makes no
// report; it is asked for the last one, which in a worker thread is the one that the main thread has sent. Passed to the
// public listener by lib/worker.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { respond, respondError, respondUnlessKnown } from '../http/respond.ts';
import { allowGetAndHead, type Route, welcome } from '../http/routes.ts';
import { prefersHtml } from './page-choice.ts';
import { type PageFile, readPageFiles } from './page-files.ts';
import type { StatusReport } from './status-report.ts';

/**
 * What the page may do: run its own files, zstd in WebAssembly among them, and talk to servers. Nothing that an event or a report says can become a
 * script, whatever the page's code does with it.
 */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

/** A copy is used only after it has been checked by its tag: an update of the daemon is seen at once. */
const filesCacheControl = 'no-cache';
const reportCacheControl = 'public, max-age=1';
const retryAfterSeconds = 1;

/**
 * @param report the last report; undefined before there is one.
 * @param zstdFiles the decoder, which the page fetches when it is asked to show compressed events.
 * @throws CodedError HTTP_PAGE_MISSING when the package is incomplete.
 */
export function statusRoutes(
  report: () => StatusReport | undefined,
  zstdFiles: ReadonlyMap<string, URL>,
): Route[] {
  const { index, assets } = readPageFiles(zstdFiles);
  let last: StatusReport | undefined;
  let lastBytes: Uint8Array = new Uint8Array();
  return [
    {
      path: welcome.path,
      allow: welcome.allow,
      answersHead: true,
      handle(request, response) {
        if (!prefersHtml(request.headers.accept)) return welcome.handle(request, response, '');
        response.appendHeader('Vary', 'Accept');
        sendFile(request, response, index);
      },
    },
    {
      path: '/status/',
      allow: allowGetAndHead,
      handle(request, response, name) {
        const file = assets.get(name);
        if (file === undefined) respondError(response, 404, 'Not Found');
        else sendFile(request, response, file);
      },
    },
    {
      path: '/status.json',
      allow: allowGetAndHead,
      handle(_request, response) {
        response.setHeader('Access-Control-Allow-Origin', '*');
        const current = report();
        if (current === undefined) {
          response.setHeader('Retry-After', retryAfterSeconds);
          return respondError(response, 503, 'Service Unavailable');
        }
        // Written once however many pages ask.
        if (current !== last) lastBytes = Buffer.from(`${JSON.stringify(current)}\n`);
        last = current;
        response.setHeader('Cache-Control', reportCacheControl);
        response.setHeader('X-Content-Type-Options', 'nosniff');
        respond(response, 200, 'application/json; charset=UTF-8', lastBytes);
      },
    },
  ];
}

function sendFile(request: IncomingMessage, response: ServerResponse, file: PageFile): void {
  response.setHeader('Cache-Control', filesCacheControl);
  response.setHeader('Content-Security-Policy', contentSecurityPolicy);
  response.setHeader('Referrer-Policy', 'no-referrer');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  respondUnlessKnown(request, response, file.etag, file.contentType, file.bytes);
}
