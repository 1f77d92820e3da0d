// Cross-origin headers of every plain HTTP answer, and the answer to OPTIONS: the v1 wire's, byte for byte. The 101
// answer to a WebSocket handshake carries none of them.

import type { IncomingMessage, ServerResponse } from 'node:http';

/** Puts on what every answer carries. */
export function allowAnyOrigin(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('Vary', 'Origin');
  if (request.headers.origin) response.setHeader('Access-Control-Allow-Origin', '*');
}

/** Answers OPTIONS; `allow` is the methods of a known path. */
export function answerOptions(
  request: IncomingMessage,
  response: ServerResponse,
  allow: string | undefined,
): void {
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
