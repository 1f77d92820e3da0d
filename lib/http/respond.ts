// The ways a plain HTTP answer ends. HEAD gets the headers alone. Used by every route.

import type { ServerResponse } from 'node:http';

/**
 * Calls `answer` when nothing else is being answered on the connection. Before that, what takes long would do nothing but
 * fill memory for a client that sends requests and reads no answers.
 */
export function whenItsTurn(response: ServerResponse, answer: () => void): void {
  // A moment later the one before is gone, with what it had on the socket.
  if (response.socket === null) response.once('socket', () => setImmediate(answer));
  else answer();
}

/** Answers with text or bytes; `bytes` are shared and not written to. */
export function respond(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Uint8Array,
): void {
  response.setHeader('Content-Type', contentType);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.writeHead(status);
  response.end(body);
}

/** Answers with plain text, as the v1 wire labels it. */
export function respondText(response: ServerResponse, status: number, text: string): void {
  respond(response, status, 'text/plain; charset=UTF-8', text);
}

/** Answers with JSON and a newline. */
export function respondJson(response: ServerResponse, status: number, value: unknown): void {
  respond(response, status, 'application/json; charset=UTF-8', `${JSON.stringify(value)}\n`);
}

/** Answers with an error in the v1 wire's form; HEAD gets no body and no description of one. */
export function respondError(response: ServerResponse, status: number, message: string): void {
  if (response.req.method === 'HEAD') response.writeHead(status).end();
  else respondJson(response, status, { message });
}
