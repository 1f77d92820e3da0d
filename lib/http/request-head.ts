// The head of a request once node:http has read it: what it takes of the heap, and how it is let go of. A URL may be a megabyte, and
// node:http keeps the newest request of a connection until the next one.

import type { IncomingMessage } from 'node:http';
import { headTextBytes } from './http-limits.ts';

/** Bytes of the heap. */
export function headBytesOf({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + text.length + headTextBytes, url.length);
}

/** Nobody asks for it any more. */
export function forgetHead(request: IncomingMessage): void {
  request.url = '';
  request.rawHeaders = [];
  request.headers = {};
}
