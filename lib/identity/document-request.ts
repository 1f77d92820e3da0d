// One HTTP request for a document of a stranger or of a directory: bounded in time and size, no redirects, and, where the host is a
// stranger's, only to public addresses. When to ask, and what an answer means, is key-resolver.ts.

import { lookup as lookUp } from 'node:dns';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { CodedError } from '../errors.ts';
import { addressIn, isPublicAddress } from '../ip-address.ts';

/** What a request is allowed. */
export interface RequestLimits {
  readonly timeoutMs: number;
  readonly bytesMax: number;
  /** Whether the host may only be at public addresses. They are looked at when the connection is made, so that a name cannot change its mind. */
  readonly isPublicOnly: boolean;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
  /** What `Retry-After` says in seconds, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** How long ago it left its source, as caches on the way say by `Age`, in milliseconds. */
  readonly ageMs: number;
}

/**
 * Asks for a document. Any status is an answer.
 * @param host what to name as the host, if it is not that of the URL.
 * @throws CodedError `IDENTITY_UNREACHABLE`, retryable: no connection, no answer in time, too long an answer, no public address.
 */
export async function requestDocument(url: URL, limits: RequestLimits, host?: string): Promise<Answer> {
  try {
    const response = await open(url, limits, host);
    const body = await readBody(response, limits.bytesMax);
    return {
      status: response.statusCode as number,
      body,
      retryAfterMs: millisecondsIn(response.headers['retry-after']),
      ageMs: millisecondsIn(response.headers.age) ?? 0,
    };
  } catch (cause) {
    const text = `cannot get ${url.origin}: ${(cause as Error).message}`;
    throw new CodedError('IDENTITY_UNREACHABLE', text, { cause, retryable: true });
  }
}

/** Of a header in seconds. */
function millisecondsIn(text: string | undefined): number | undefined {
  const seconds = Number(text);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function open(url: URL, { timeoutMs, isPublicOnly }: RequestLimits, host?: string): Promise<IncomingMessage> {
  // No name is looked up for an address, so none would be refused.
  if (isPublicOnly && addressIn(url.hostname) !== undefined) throw new Error('an address in place of a name');
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const options = {
    signal: AbortSignal.timeout(timeoutMs),
    headers: { accept: 'application/json', ...(host === undefined ? {} : { host }) },
    ...(isPublicOnly ? { lookup: lookUpPublic } : {}),
  };
  return new Promise((resolve, reject) => {
    request(url, options, resolve).on('error', reject).end();
  });
}

async function readBody(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > bytesMax) throw new Error(`the answer has more than ${bytesMax} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** As dns.lookup, without addresses that are not public. */
const lookUpPublic: LookupFunction = (hostname, options, callback) => {
  lookUp(hostname, { ...options, all: true }, (error, addresses) => {
    const usable = error === null ? addresses.filter(({ address }) => isPublicAddress(address)) : [];
    if (usable.length === 0) {
      callback(error ?? new Error(`${hostname} has no public address`), '');
    } else if (options.all === true) {
      callback(null, usable);
    } else {
      callback(null, usable[0].address, usable[0].family);
    }
  });
};
