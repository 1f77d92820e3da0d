import { expect, test } from 'vitest';
import { isPublicAddress } from '../lib/ip-address.ts';

test.each(['192.0.43.8', '1.1.1.1', '2606:4700::1', '::ffff:1.1.1.1'])('%s is public', (text) => {
  expect(isPublicAddress(text)).toBe(true);
});

test.each([
  ...[
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
  ],
  ...[
    '255.255.255.255',
    '192.0.2.1',
    '198.18.0.1',
    '240.0.0.1',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fd00::1',
    'ff02::1',
  ],
  ...[
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '2002:7f00:1::',
    '64:ff9b::7f00:1',
    '2001:db8::1',
    '2001::1',
    'localhost',
    '',
  ],
])('%s is not', (text) => {
  expect(isPublicAddress(text)).toBe(false);
});
