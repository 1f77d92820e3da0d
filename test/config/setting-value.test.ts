import { describe, expect, test } from 'vitest';
import {
  Problem,
  parseBoolean,
  parseBytes,
  parseChoice,
  parseDuration,
  parseFloat64,
  parseInteger,
  parseList,
  parseListenAddress,
  parseNetworks,
  parseText,
} from '../../lib/config/setting-value.ts';
import { formatListenAddress } from '../../lib/listen-address.ts';

describe('durations', () => {
  // Values as Go's time.ParseDuration gives them.
  test.each([
    ['0', 0],
    ['+0', 0],
    ['0s', 0],
    ['300ms', 300],
    ['15s', 15_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1.s', 1000],
    ['+5s', 5000],
    ['24h', 86_400_000],
    ['1h15m30.918s', 4_530_918],
    ['1500us', 1.5],
    ['1500µs', 1.5],
    ['1500μs', 1.5],
    ['2000000ns', 2],
    ['10m10m', 1_200_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  test.each([
    ['24', 'write "24h", "24m" or "24s"'],
    ['1.5', 'write "1.5h"'],
    ['7d', 'write "168h"'],
    ['-1h', 'is negative'],
    ['', 'is not a duration'],
    ['h', 'is not a duration'],
    ['.s', 'is not a duration'],
    ['1h 30m', 'is not a duration'],
    ['1H', 'is not a duration'],
    ['1h30', 'is not a duration'],
    ['1e3s', 'is not a duration'],
    [' 1h', 'is not a duration'],
  ])('%j is refused', (text, why) => {
    expect(parseDuration(text)).toMatchObject({ why: expect.stringContaining(why) });
  });
});

describe('bytes', () => {
  test.each([
    ['0', 0],
    ['1234', 1234],
    ['1B', 1],
    ['10GiB', 10 * 2 ** 30],
    ['500MB', 5e8],
    ['500 MB', 5e8],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['64kb', 64_000],
    ['64KiB', 65_536],
    ['2tb', 2e12],
    ['1TiB', 2 ** 40],
  ])('%s', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each([
    ['10G', 'write "10GiB" or "10GB"'],
    ['10m', 'write "10MiB" or "10MB"'],
    ['10 gigs', 'write "10GiB"'],
    ['-1', 'is negative'],
    ['', 'is not a number of bytes'],
    ['GiB', 'is not a number of bytes'],
    ['1,5GiB', 'is not a number of bytes'],
    ['1  GiB', 'is not a number of bytes'],
    ['0x10', 'is not a number of bytes'],
  ])('%j is refused', (text, why) => {
    expect(parseBytes(text)).toMatchObject({ why: expect.stringContaining(why) });
  });
});

describe('listen addresses', () => {
  test.each([
    [':6008', undefined, 6008],
    ['127.0.0.1:6008', '127.0.0.1', 6008],
    ['localhost:0', 'localhost', 0],
    ['[::1]:65535', '::1', 65_535],
    ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
    ['my-host.example.org:80', 'my-host.example.org', 80],
  ])('%s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
    expect(formatListenAddress({ host, port })).toBe(text);
  });

  test.each([
    ['6008', 'write ":6008"'],
    ['::1:6008', 'write "[::1]:6008"'],
    [':65536', 'has a port beyond 65535'],
    ['', 'is not an address'],
    [':', 'is not an address'],
    [':http', 'is not an address'],
    ['localhost', 'is not an address'],
    ['http://localhost:6008', 'is not an address'],
    ['a b:1', 'is not an address'],
    ['[abc]:1', 'has no IPv6 address'],
  ])('%j is refused', (text, why) => {
    expect(parseListenAddress(text)).toMatchObject({ why: expect.stringContaining(why) });
  });
});

describe('networks', () => {
  test('are addresses and ranges of both versions', () => {
    const networks = ['10.0.0.0/8', '192.0.2.1', '0.0.0.0/0', '::1', 'fd00::/8', '2001:db8::1/128'];
    expect(parseNetworks(networks.join(', '))).toEqual(networks);
  });

  test.each([
    ['10.0.0.0/33', 'has 10.0.0.0/33, which is no'],
    ['::/129', 'has ::/129, which is no'],
    ['10.0.0', 'is not an address'],
    ['10.0.0.0/', 'is not an address'],
    ['10.0.0.0/8/8', 'is not an address'],
    ['10.0.0.0/-1', 'is not an address'],
    ['[::1]', 'is not an address'],
    ['fe80::1%eth0', 'is not an address'],
    ['localhost', 'is not an address'],
    ['', 'has an empty entry'],
    ['10.0.0.1,', 'has an empty entry'],
  ])('%j is refused', (text, why) => {
    expect(parseNetworks(text)).toMatchObject({ why: expect.stringContaining(why) });
  });
});

describe('other kinds', () => {
  test.each([
    [parseInteger, '-1', -1],
    [parseInteger, '+7', 7],
    [parseInteger, '9007199254740991', Number.MAX_SAFE_INTEGER],
    [parseFloat64, '0.5', 0.5],
    [parseFloat64, '5e3', 5000],
    [parseFloat64, '.5', 0.5],
    [parseBoolean, 'true', true],
    [parseBoolean, '1', true],
    [parseBoolean, 'T', true],
    [parseBoolean, 'False', false],
    [parseBoolean, '0', false],
    [parseText, 'a b', 'a b'],
  ])('%o reads %s', (parse, text, value) => {
    expect(parse(text)).toBe(value);
  });

  test.each([
    [parseInteger, '1.5'],
    [parseInteger, '1_000'],
    [parseInteger, ''],
    [parseInteger, '9007199254740992'],
    [parseFloat64, 'NaN'],
    [parseFloat64, '1e999'],
    [parseFloat64, ''],
    [parseBoolean, 'yes'],
    [parseBoolean, ''],
    [parseText, ''],
    [parseList, 'a,,b'],
    [parseList, ''],
  ])('%o refuses %j', (parse, text) => {
    expect(parse(text)).toBeInstanceOf(Problem);
  });

  test('lists are split at commas and trimmed', () => {
    expect(parseList('wss://a.example, wss://b.example/x?y=z')).toEqual([
      'wss://a.example',
      'wss://b.example/x?y=z',
    ]);
  });

  test('a choice is exact', () => {
    expect(parseChoice('wasm', ['auto', 'wasm'])).toBe('wasm');
    expect(parseChoice('WASM', ['auto', 'wasm'])).toMatchObject({ why: 'is none of auto, wasm' });
  });
});
