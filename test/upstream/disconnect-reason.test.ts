// Errors, close codes and HTTP answers, sorted into the closed list of reasons.

import { expect, test } from 'vitest';
import {
  detailOfAnswer,
  detailOfError,
  reasonOfClose,
  reasonOfHandshakeError,
  reasonOfStreamError,
} from '../../lib/upstream/disconnect-reason.ts';
import { detailMaxChars } from '../../lib/upstream/limits.ts';

function coded(code: string, syscall?: string): Error {
  return Object.assign(new Error('what happened'), { code, syscall });
}

test.each([
  [coded('ENOTFOUND', 'getaddrinfo'), 'dns'],
  [coded('EAI_AGAIN', 'getaddrinfo'), 'dns'],
  [coded('ECONNREFUSED', 'connect'), 'unreachable'],
  [coded('ETIMEDOUT', 'connect'), 'unreachable'],
  [coded('EPROTO', 'write'), 'tls'],
  [coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'tls'],
  [coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'tls'],
  [coded('CERT_HAS_EXPIRED'), 'tls'],
  [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), 'tls'],
  [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'tls'],
  [coded('ECONNRESET'), 'handshake'],
  [coded('HPE_INVALID_CONSTANT'), 'handshake'],
  [new Error('Invalid Sec-WebSocket-Accept header'), 'handshake'],
])('before it is open: %s is %s', (error, reason) => {
  expect(reasonOfHandshakeError(error)).toBe(reason);
});

test.each([
  [coded('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'), 'oversize'],
  [coded('WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH'), 'oversize'],
  [coded('WS_ERR_TOO_MANY_BUFFERED_PARTS'), 'oversize'],
  [coded('WS_ERR_INVALID_OPCODE'), 'protocol'],
  [coded('EPIPE'), 'dropped'],
  [new Error('no code'), 'dropped'],
])('once it is open: %s is %s', (error, reason) => {
  expect(reasonOfStreamError(error)).toBe(reason);
});

test('close codes', () => {
  expect(reasonOfClose(1006, Buffer.alloc(0)).why).toBe('dropped');
  expect(reasonOfClose(1005, Buffer.alloc(0))).toEqual({ why: 'closed', detail: 'code 1005' });
  expect(reasonOfClose(1008, Buffer.from('too slow'))).toEqual({
    why: 'closed',
    detail: 'code 1008: too slow',
  });
});

test('details carry the code once and are cut', () => {
  expect(detailOfError(coded('ECONNRESET'))).toBe('ECONNRESET: what happened');
  expect(detailOfError(Object.assign(new Error('connect ECONNREFUSED ::1'), { code: 'ECONNREFUSED' }))).toBe(
    'connect ECONNREFUSED ::1',
  );
  const several = new AggregateError([new Error('connect A'), new Error('connect B')]);
  expect(detailOfError(Object.assign(several, { code: 'ECONNREFUSED' }))).toBe(
    'ECONNREFUSED: connect A; connect B',
  );
  expect(detailOfError(new Error('x'.repeat(5000)))).toHaveLength(detailMaxChars);
  const openSsl =
    'write EPROTO 40:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../a.c:78:\n';
  expect(detailOfError(Object.assign(new Error(openSsl), { code: 'EPROTO' }))).toBe(
    'EPROTO: this port does not speak TLS: write ws:// if the relay has none',
  );
});

test('HTTP answers', () => {
  expect(detailOfAnswer(503, 'Service Unavailable', undefined)).toBe('HTTP 503 Service Unavailable');
  expect(detailOfAnswer(404, '', undefined)).toBe('HTTP 404');
  expect(detailOfAnswer(301, 'Moved', `https://x/${'y'.repeat(5000)}`)).toHaveLength(detailMaxChars);
});
