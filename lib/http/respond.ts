// The ways a plain HTTP answer begins and ends. HEAD gets the headers alone. Used by every route.

import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Calls `answer` when nothing else is being answered on the connection. Before that, what takes long would do nothing but
 * fill memory for a client that sends requests and reads no answers.
 */
export function whenItsTurn(response: ServerResponse, answer: () => void): void {
  // A moment later the one before is gone, with what it had on the socket.
  if (response.socket === null) response.once('socket', () => setImmediate(answer));
  else answer();
}

/**
 * The answer to a request that asked for an upgrade: node:http has taken its parser off the socket by then, so that the
 * answer has to be put on by hand. It ends the connection with its end, and the server's idle timeout bounds it.
 */
export function upgradeResponse(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once('finish', () => {
    response.detachSocket(socket);
    socket.destroySoon();
  });
  // With its parser node:http has taken off what it does then.
  socket.on('timeout', socket.destroy);
  // What the client goes on to send is read and dropped: unread bytes would turn the end into a reset.
  socket.resume();
  return response;
}

const errorStatuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What node:http answers, as bytes, where there is no request: it could not be parsed, or has not come in time. */
export function errorAnswer({ code = '' }: NodeJS.ErrnoException): string {
  const status = errorStatuses[code] ?? 400;
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`;
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

/** Longest message of an XRPC error, in bytes: clients read 1,024 of the answer, and JSON can write a byte as six. */
const xrpcMessageBytesMax = 900;

/** Answers with an XRPC error, which any page may read. HEAD gets the headers alone. */
export function respondXrpcError(
  response: ServerResponse,
  status: number,
  error: string,
  message: string,
): void {
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Cache-Control', 'no-store');
  let end = Math.min(message.length, xrpcMessageBytesMax);
  const excess = (): number => Buffer.byteLength(JSON.stringify(message.slice(0, end))) - xrpcMessageBytesMax;
  for (let more = excess(); more > 0; more = excess()) end -= Math.ceil(more / 6);
  const body = JSON.stringify({ error, message: message.slice(0, end) });
  respond(response, status, 'application/json', body);
}

/**
 * Answers with bytes that do not change while the process runs, or with 304 when the client has them. `etag` comes with
 * its quotes; `bytes` are not written to.
 */
export function respondUnlessKnown(
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

const oneRange = /^bytes=([0-9]*)-([0-9]*)$/;

/** The same, or a part of it where the client asks for one range: a download goes on where it was cut off. */
export function respondBytes(
  request: IncomingMessage,
  response: ServerResponse,
  etag: string,
  contentType: string,
  bytes: Uint8Array,
): void {
  const { range, 'if-range': ifRange, 'if-none-match': known } = request.headers;
  // Of GET alone: RFC 9110, section 14.2.
  const [, first = '', last = ''] = (request.method === 'GET' && oneRange.exec(range ?? '')) || [];
  response.setHeader('Accept-Ranges', 'bytes');
  const isWhole = first === '' && last === '';
  if (isWhole || (ifRange !== undefined && ifRange !== etag) || matches(known, etag)) {
    respondUnlessKnown(request, response, etag, contentType, bytes);
    return;
  }
  response.setHeader('ETag', etag);
  const { length } = bytes;
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1);
  if (start >= end) {
    response.setHeader('Content-Range', `bytes */${length}`);
    respond(response, 416, contentType, '');
    return;
  }
  response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${length}`);
  respond(response, 206, contentType, bytes.subarray(start, end));
}

/** Weak comparison of an `If-None-Match` list, as RFC 9110 section 13.1.2 asks. */
function matches(list: string | undefined, etag: string): boolean {
  if (list === undefined) return false;
  return list.split(',').some((item) => {
    const tag = item.trim();
    return tag === '*' || tag === etag || tag === `W/${etag}`;
  });
}
