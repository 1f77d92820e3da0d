// Bounds of the plain HTTP side of both listeners, with their units. A client that sends slowly, reads nothing or never asks
// is gone after these. server.ts makes servers that keep them.

import { seenUrlBytesMax, type UrlLimits } from './long-url.ts';

/** What a name or a value in a head takes of the heap beside its text, however short: 75 bytes were measured. */
export const headTextBytes = 80;

/** What a server allows a client that is not (or not yet) a subscriber. */
export interface HttpLimits extends UrlLimits {
  /** Its fields, of two texts each ({@link headTextBytes}). Apache allows as many. */
  readonly headFieldsMax: number;
  /** From the first byte of a request to its last, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Between two requests of a connection, in milliseconds. Longer than a balancer keeps one, or it sends into our end. */
  readonly keepAliveMs: number;
  /** Without a byte in either direction, in milliseconds: ends answers that nobody reads. */
  readonly idleTimeoutMs: number;
  /** How often the timeout of requests is looked at, in milliseconds. */
  readonly checkIntervalMs: number;
  /** Requests answered on one connection. */
  readonly requestsPerSocketMax: number;
  /** Connections that are no subscribers. Each may hold one request head. */
  readonly socketsMax: number;
  /** Connections that linger behind their last answer, beside those. */
  readonly lingeringMax: number;
}

/** Of the public listener: ten thousand DIDs in a URL are legal, and take 480 KB with their colons escaped. */
export const publicHttpLimits: HttpLimits = {
  urlBytesMax: 1024 * 1024,
  // As node:http has it, and what it sees of a URL.
  headBytesMax: 16 * 1024 + seenUrlBytesMax,
  headFieldsMax: 100,
  requestTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  idleTimeoutMs: 30_000,
  checkIntervalMs: 5_000,
  requestsPerSocketMax: 1_000,
  socketsMax: 1_024,
  // As many as a crowd has that is refused at once.
  lingeringMax: 16_384,
};

/** Of the metrics listener: scrapers are few. */
export const metricsHttpLimits: HttpLimits = {
  ...publicHttpLimits,
  urlBytesMax: seenUrlBytesMax,
  socketsMax: 64,
  lingeringMax: 64,
};
