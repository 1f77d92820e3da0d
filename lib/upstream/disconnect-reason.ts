// Why an attempt or a connection ended, as a closed list: it becomes a metric label and an operator's first hint.
// Pure classification of what sockets, TLS and ws report; what to do about it is the reconnect plan's.

import { detailMaxChars } from './limits.ts';

/**
 * - `dns`: the host name has no address, or no name server answered
 * - `unreachable`: no TCP connection (refused, no route, timed out)
 * - `tls`: certificate or TLS handshake
 * - `refused`: an HTTP answer other than 101, redirects included
 * - `handshake`: the answer was not a valid WebSocket handshake, or the connection ended before it was complete
 * - `handshake_timeout`: not open in time
 * - `closed`: the relay sent a close frame
 * - `dropped`: the connection ended without one
 * - `protocol`: the relay broke the WebSocket protocol
 * - `oversize`: a message over `frameMaxBytes`, or in more pieces than `fragmentsMax` and the bounds beside it
 * - `silent`: no answer to a ping
 * - `nothing_new`: it was open and brought nothing new, so that another relay has its turn
 * - `requested`: our own `reconnect()`
 */
export const disconnectReasons = [
  'dns',
  'unreachable',
  'tls',
  'refused',
  'handshake',
  'handshake_timeout',
  'closed',
  'dropped',
  'protocol',
  'oversize',
  'silent',
  'nothing_new',
  'requested',
] as const;
export type DisconnectReason = (typeof disconnectReasons)[number];

const unreachableCodes = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENFILE',
  'ENOBUFS',
  'EPERM',
  'ETIMEDOUT',
]);
const oversizeCodes = new Set([
  'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
  'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
  'WS_ERR_TOO_MANY_BUFFERED_PARTS',
]);
// OpenSSL has some eighty names for a certificate it does not like; these are their common parts.
const tlsCode =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO)|CERT|CRL|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE/;

/** The reason behind an error before the WebSocket was open. */
export function reasonOfHandshakeError(error: Error): DisconnectReason {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'getaddrinfo') return 'dns';
  if (code === undefined) return 'handshake';
  if (unreachableCodes.has(code)) return 'unreachable';
  return tlsCode.test(code) ? 'tls' : 'handshake';
}

/** The reason behind an error on an open WebSocket. */
export function reasonOfStreamError(error: Error): DisconnectReason {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (oversizeCodes.has(code)) return 'oversize';
  return code.startsWith('WS_ERR_') ? 'protocol' : 'dropped';
}

/** What an error says, for a log: its code, when it has one, and its message, cut to `detailMaxChars`. */
export function detailOfError(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  // OpenSSL names a line of its own source here, and the usual cause is a wss:// address of a relay without TLS.
  if (code === 'EPROTO' && error.message.includes('wrong version number'))
    return 'EPROTO: this port does not speak TLS: write ws:// if the relay has none';
  // When every address of a host failed, the message is empty and the parts say what happened.
  const message = error.message || (error instanceof AggregateError ? messages(error) : '');
  return cut(code === undefined || message.includes(code) ? message : `${code}: ${message}`);
}

/** The reason and detail of a `close` event of ws, for which no error came before. */
export function reasonOfClose(code: number, reason: Uint8Array): { why: DisconnectReason; detail: string } {
  // 1006 never travels: ws reports it when the socket ended without a close frame.
  if (code === 1006) return { why: 'dropped', detail: 'connection ended without a close frame' };
  const text = Buffer.from(reason.buffer, reason.byteOffset, reason.byteLength).toString('utf8');
  return { why: 'closed', detail: cut(text === '' ? `code ${code}` : `code ${code}: ${text}`) };
}

/** The detail of an HTTP answer that is not a WebSocket handshake. */
export function detailOfAnswer(
  status: number | undefined,
  text: string | undefined,
  location: string | undefined,
): string {
  const target = location === undefined ? '' : `, redirects to ${location} (not followed)`;
  return cut(`HTTP ${status} ${text ?? ''}`.trimEnd() + target);
}

function messages(error: AggregateError): string {
  return error.errors.map((part) => (part instanceof Error ? part.message : String(part))).join('; ');
}

function cut(text: string): string {
  return text.length > detailMaxChars ? `${text.slice(0, detailMaxChars - 1)}…` : text;
}
