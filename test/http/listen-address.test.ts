// Spellings of listen addresses.

import { describe, expect, it } from 'vitest';
import { formatListenAddress, parseListenAddress } from '../../lib/http/listen-address.ts';

describe('parseListenAddress', () => {
  it.each([
    [':6008', undefined, 6008],
    [':0', undefined, 0],
    ['127.0.0.1:6008', '127.0.0.1', 6008],
    ['localhost:65535', 'localhost', 65_535],
    ['[::1]:6008', '::1', 6008],
    ['[fe80::1%eth0]:6008', 'fe80::1%eth0', 6008],
    ['0.0.0.0:80', '0.0.0.0', 80],
  ])('takes %s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
    expect(formatListenAddress({ host, port })).toBe(text);
  });

  it.each([
    '',
    '6008',
    'localhost',
    ':',
    'localhost:',
    ':65536',
    ':http',
    ':-1',
    '::1:6008',
    '[::1]',
    '[]:1',
    '[x]:1',
    'a:b:1',
    'http://a:1',
    ':6008/',
  ])('refuses %j', (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({ code: 'HTTP_BAD_LISTEN_ADDRESS' }),
    );
  });
});
