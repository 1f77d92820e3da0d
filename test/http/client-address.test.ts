// Which address a request counts for: spoofed headers, chains of proxies, and the forms that addresses come in.

import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { ClientAddresses } from '../../lib/http/client-address.ts';

function addressOf(trusted: string[], remoteAddress: string | undefined, forwardedFor?: string): string {
  const headers = forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor };
  return new ClientAddresses(trusted).of({
    headers,
    socket: { remoteAddress },
  } as unknown as IncomingMessage);
}

describe('without trusted proxies', () => {
  it.each([
    ['192.0.2.1', undefined, '192.0.2.1'],
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['127.0.0.1', '203.0.113.9', '127.0.0.1'],
    ['::ffff:192.0.2.1', '203.0.113.9', '192.0.2.1'],
    [undefined, '203.0.113.9', ''],
  ])('%s with X-Forwarded-For %s is %s', (remote, header, address) => {
    expect(addressOf([], remote, header)).toBe(address);
  });
});

describe('behind trusted proxies', () => {
  const trusted = ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', '2001:db8:ffff::1'];
  it.each([
    // One that is not trusted says what it likes.
    ['203.0.113.1', '198.51.100.1', '203.0.113.1'],
    ['fc00::1', '198.51.100.1', 'fc00:0:0:0::/64'],
    ['10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['::ffff:10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['192.0.2.7', '198.51.100.1', '198.51.100.1'],
    ['192.0.2.8', '198.51.100.1', '192.0.2.8'],
    ['fd12::1', '198.51.100.1', '198.51.100.1'],
    // What a client has put in front of its own address is not reached.
    ['10.1.2.3', '198.51.100.66, 198.51.100.1', '198.51.100.1'],
    ['10.1.2.3', '10.9.9.9,198.51.100.1,fd00::5 , 10.0.0.2', '198.51.100.1'],
    ['10.1.2.3', '198.51.100.1, ::ffff:10.0.0.2', '198.51.100.1'],
    // All the way is trusted: a machine inside.
    ['10.1.2.3', '10.0.0.9, 10.0.0.2', '10.0.0.9'],
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['10.1.2.3', '', '10.1.2.3'],
    // What is no address ends the walk at the last good one.
    ['10.1.2.3', 'unknown', '10.1.2.3'],
    ['10.1.2.3', '198.51.100.1, nonsense, 10.0.0.2', '10.0.0.2'],
    ['10.1.2.3', '198.51.100.1,', '10.1.2.3'],
    ['10.1.2.3', '198.51.100.1, , 10.0.0.2', '10.0.0.2'],
    ['10.1.2.3', 'nonsense, 198.51.100.1', '198.51.100.1'],
    ['10.1.2.3', '198.51.100.256', '10.1.2.3'],
    ['10.1.2.3', '198.51.100.1:99:1', '10.1.2.3'],
    // Ports and brackets.
    ['10.1.2.3', '198.51.100.1:4711', '198.51.100.1'],
    ['10.1.2.3', '[2001:db8::1]:4711', '2001:db8:0:0::/64'],
    ['10.1.2.3', '[2001:db8::1]', '2001:db8:0:0::/64'],
    ['10.1.2.3', '198.51.100.1, 10.0.0.2:80', '198.51.100.1'],
  ])('%s with X-Forwarded-For %j is %s', (remote, header, address) => {
    expect(addressOf(trusted, remote, header)).toBe(address);
  });

  it('looks at no more than 32 of them', () => {
    const chain = (length: number): string => ['198.51.100.1', ...Array(length).fill('10.0.0.2')].join(',');
    expect(addressOf(trusted, '10.1.2.3', chain(31))).toBe('198.51.100.1');
    expect(addressOf(trusted, '10.1.2.3', chain(32))).toBe('10.0.0.2');
  });

  it('may trust everyone', () => {
    expect(addressOf(['0.0.0.0/0', '::/0'], '203.0.113.1', '198.51.100.1')).toBe('198.51.100.1');
  });

  it('may be written as IPv4 in IPv6', () => {
    expect(addressOf(['::ffff:10.0.0.0/104'], '10.1.2.3', '198.51.100.1')).toBe('198.51.100.1');
    expect(addressOf(['::ffff:10.0.0.0/104'], '11.1.2.3', '198.51.100.1')).toBe('11.1.2.3');
  });
});

describe('an IPv6 address', () => {
  it.each([
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::5:6:7', '2001:db8:0:0::/64'],
    ['2001:db8::3:4:5:6:7', '2001:db8:0:3::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    // Only ::ffff:0:0/96 is IPv4 in disguise.
    ['::fffe:192.0.2.1', '0:0:0:0::/64'],
    ['1::ffff:192.0.2.1', '1:0:0:0::/64'],
  ])('%s counts as %s', (address, counted) => {
    expect(addressOf([], address)).toBe(counted);
  });
});
