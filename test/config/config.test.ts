import { describe, expect, test } from 'vitest';
import type { Config } from '../../lib/config/config.ts';
import { UsageError } from '../../lib/errors.ts';
import { readConfig } from '../support/config.ts';

type Environment = Record<string, string>;

function configOf(argv: string[], env: Environment = {}): Config {
  return readConfig(argv, env);
}

function errorOf(action: () => unknown): UsageError {
  try {
    action();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error('no failure');
}

/** Code and message of the failure, which must be one line without control characters. */
function failureOf(argv: string[], env: Environment = {}): string {
  const { code, message, exitCode } = errorOf(() => readConfig(argv, env));
  expect(exitCode).toBe(2);
  expect(message).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
  expect(message.length).toBeLessThan(400);
  return `${code} ${message}`;
}

const defaults: Config = {
  relayUrls: ['wss://bsky.network'],
  overrideRelayCursor: undefined,
  windowMs: 16,
  listen: { host: undefined, port: 6008 },
  metricsListen: { host: undefined, port: 6009 },
  aboutUrl: undefined,
  dataDir: './data',
  retentionMs: 86_400_000,
  retentionBytes: 10 * 2 ** 30,
  fsync: false,
  proofs: undefined,
  cluster: undefined,
  workers: undefined,
  subscribersMax: 50_000,
  subscribersPerAddressMax: 1000,
  maxSubRate: 1_000_000,
  stallTimeoutMs: 60_000,
  trustedProxies: [],
  zstdDictionaryPaths: [],
  zstdLevel: 2,
  compressor: 'auto',
  verify: 'off',
  plcUrl: 'https://plc.directory/',
  plcStream: true,
  webHosts: undefined,
  logLevel: 'info',
  logFormat: 'auto',
  notices: [],
};

/** A flag, a text for it, and what the configuration then holds. */
const flags: [string, string, Partial<Config>][] = [
  ['ws-url', 'ws://localhost:2480', { relayUrls: ['ws://localhost:2480'] }],
  ['ws-url', 'wss://a.example, wss://b.example', { relayUrls: ['wss://a.example', 'wss://b.example'] }],
  ['verify', 'observe', { verify: 'observe' }],
  ['plc-stream', 'false', { plcStream: false }],
  ['did-web', 'on', {}],
  ['did-web', 'off', { webHosts: [] }],
  ['did-web', 'a.example, *.B.example', { webHosts: ['a.example', '*.b.example'] }],
  ['plc-url', 'http://localhost:2582', { plcUrl: 'http://localhost:2582/' }],
  ['override-relay-cursor', '0', { overrideRelayCursor: 0 }],
  ['override-relay-cursor', '123456789012', { overrideRelayCursor: 123456789012 }],
  ['override-relay-cursor', '-1', {}],
  ['listen-addr', '127.0.0.1:0', { listen: { host: '127.0.0.1', port: 0 } }],
  ['metrics-listen-addr', '[::1]:9', { metricsListen: { host: '::1', port: 9 } }],
  ['about-url', 'https://a.example/x', { aboutUrl: 'https://a.example/x' }],
  ['data-dir', '/var/lib/x', { dataDir: '/var/lib/x' }],
  ['proofs', '0', {}],
  ['proofs', '1h', { proofs: { ageMsMax: 3_600_000, bytesMax: 10 * 2 ** 30, collections: [] } }],
  ['proofs', '500MB', { proofs: { ageMsMax: undefined, bytesMax: 5e8, collections: [] } }],
  ['proofs', '1h30m, 2GiB', { proofs: { ageMsMax: 5_400_000, bytesMax: 2 ** 31, collections: [] } }],
  ['event-ttl', '1h30m', { retentionMs: 5_400_000 }],
  ['event-ttl', '0', { retentionMs: 0 }],
  ['retention-bytes', '500MB', { retentionBytes: 5e8 }],
  ['retention-bytes', '0', { retentionBytes: 0 }],
  ['fsync', 'true', { fsync: true }],
  ['fsync', 'false', {}],
  ['workers', '0', { workers: 0 }],
  ['workers', '8', { workers: 8 }],
  ['max-subscribers', '7', { subscribersMax: 7 }],
  ['max-subscribers-per-address', '0', { subscribersPerAddressMax: 0 }],
  ['stall-timeout', '0', { stallTimeoutMs: 0 }],
  ['stall-timeout', '2m', { stallTimeoutMs: 120_000 }],
  ['trusted-proxies', '10.0.0.0/8, ::1', { trustedProxies: ['10.0.0.0/8', '::1'] }],
  ['max-sub-rate', '5000', { maxSubRate: 5000 }],
  ['max-sub-rate', '0.5', { maxSubRate: 0.5 }],
  ['zstd-dictionary', '/x.zdict, y.zdict', { zstdDictionaryPaths: ['/x.zdict', 'y.zdict'] }],
  ['zstd-level', '1', { zstdLevel: 1 }],
  ['compressor', 'wasm', { compressor: 'wasm' }],
  ['log-level', 'debug', { logLevel: 'debug' }],
  ['log-format', 'pretty', { logFormat: 'pretty' }],
];

const variableOf = (prefix: string, flag: string): string =>
  `${prefix}_${flag.toUpperCase().replaceAll('-', '_')}`;

describe('readConfig', () => {
  test('without anything is the defaults', () => {
    expect(configOf([])).toEqual(defaults);
    expect(configOf([], { PATH: '/bin', SLIPSTREAMX: '1', JETSTREAM: '1', SLIPSTREAM_DATA_DIR: '' })).toEqual(
      defaults,
    );
  });

  test.each(flags)('--%s %s, in every spelling and from our variable', (flag, text, expected) => {
    const config = { ...defaults, ...expected };
    expect(configOf([`--${flag}=${text}`])).toEqual(config);
    expect(configOf([`-${flag}=${text}`])).toEqual(config);
    expect(configOf([`--${flag}`, text])).toEqual(config);
    expect(configOf([`-${flag}`, text])).toEqual(config);
    expect(configOf([], { [variableOf('SLIPSTREAM', flag)]: text })).toEqual(config);
  });

  test.each([
    ['ws-url', 'wss://bsky.network/xrpc/com.atproto.sync.subscribeRepos', 'relayUrls'],
    ['listen-addr', ':7008', 'listen'],
    ['metrics-listen-addr', ':7009', 'metricsListen'],
    ['data-dir', '/data', 'dataDir'],
    ['event-ttl', '72h', 'retentionMs'],
    ['max-sub-rate', '5000', 'maxSubRate'],
    ['override-relay-cursor', '42', 'overrideRelayCursor'],
  ] as const)('v1: --%s and its JETSTREAM_ variable', (flag, text, field) => {
    const byFlag = configOf([`--${flag}`, text]);
    expect(byFlag[field]).not.toEqual(defaults[field]);
    expect(configOf([], { [variableOf('JETSTREAM', flag)]: text })).toEqual(byFlag);
  });

  test.each([
    ['worker-count', '50'],
    ['max-queue-size', '10'],
    ['liveness-ttl', '30s'],
  ])('v1: --%s changes nothing and says so', (flag, text) => {
    for (const config of [
      configOf([`--${flag}`, text]),
      configOf([], { [variableOf('JETSTREAM', flag)]: text }),
    ]) {
      expect(config).toEqual({ ...defaults, notices: [expect.stringMatching(/has no effect/)] });
    }
    expect(failureOf([`--${flag}`, 'many'])).toContain('CONFIG_BAD_VALUE');
  });

  test('v1: the dictionary path is used, and says so', () => {
    const expected = {
      ...defaults,
      zstdDictionaryPaths: ['/d'],
      notices: [expect.stringMatching(/is used here/)],
    };
    expect(configOf(['--zstd-dictionary-path', '/d'])).toEqual(expected);
    expect(configOf([], { JETSTREAM_ZSTD_DICTIONARY_PATH: '/d' })).toEqual(expected);
  });

  test('v1: what a container file usually sets', () => {
    const config = configOf([], {
      JETSTREAM_WS_URL: 'wss://relay.example/xrpc/com.atproto.sync.subscribeRepos',
      JETSTREAM_DATA_DIR: '/data',
      JETSTREAM_LISTEN_ADDR: ':6008',
      JETSTREAM_METRICS_LISTEN_ADDR: ':6009',
      JETSTREAM_LIVENESS_TTL: '15s',
      JETSTREAM_MAX_QUEUE_SIZE: '1000',
      JETSTREAM_WORKER_COUNT: '100',
      JETSTREAM_EVENT_TTL: '24h',
      JETSTREAM_MAX_SUB_RATE: '5000',
      JETSTREAM_OVERRIDE_RELAY_CURSOR: '-1',
    });
    expect(config).toMatchObject({ dataDir: '/data', maxSubRate: 5000, overrideRelayCursor: undefined });
    expect(config.notices).toHaveLength(3);
  });

  test('a boolean flag needs no value, and the last flag of several wins', () => {
    expect(configOf(['--fsync', '--data-dir', '/a', '--data-dir=/b'])).toEqual({
      ...defaults,
      fsync: true,
      dataDir: '/b',
    });
    expect(configOf(['--fsync', '--fsync=false']).fsync).toBe(false);
  });

  test('relays add up over repeated flags', () => {
    const argv = ['--ws-url', 'wss://a.example', '--ws-url=wss://b.example?x=1,wss://c.example'];
    expect(configOf(argv).relayUrls).toEqual(['wss://a.example', 'wss://b.example?x=1', 'wss://c.example']);
  });

  test('trusted proxies add up over repeated flags', () => {
    const argv = ['--trusted-proxies', '10.0.0.1', '--trusted-proxies=fd00::/8'];
    expect(configOf(argv).trustedProxies).toEqual(['10.0.0.1', 'fd00::/8']);
  });

  test('a flag wins over both variables, even when those disagree', () => {
    const env = { SLIPSTREAM_DATA_DIR: '/ours', JETSTREAM_DATA_DIR: '/theirs' };
    expect(configOf(['--data-dir', '/flag'], env).dataDir).toBe('/flag');
    expect(failureOf([], env)).toBe(
      'CONFIG_CONFLICT SLIPSTREAM_DATA_DIR="/ours" and JETSTREAM_DATA_DIR="/theirs" disagree: unset one, or give --data-dir',
    );
    expect(configOf([], { ...env, JETSTREAM_DATA_DIR: '/ours' }).dataDir).toBe('/ours');
  });

  test('JETSTREAM_ variables of a bot beside it are told and ignored, unless they are nearly ours', () => {
    const env = { JETSTREAM_URL: 'ws://localhost', JETSTREAM_BOT_TOKEN: 'x', JETSTREAM_ENDPOINT: 'x' };
    expect(configOf([], env).notices).toEqual(
      Object.keys(env).map((name) => `${name} is not a setting of this daemon, and is ignored.`),
    );
  });

  test('variables that Kubernetes adds for a service of that name are not ours', () => {
    const env = {
      SLIPSTREAM_SERVICE_HOST: '10.0.0.1',
      SLIPSTREAM_SERVICE_PORT: '6008',
      SLIPSTREAM_SERVICE_PORT_HTTP: '6008',
      SLIPSTREAM_PORT: 'tcp://10.0.0.1:6008',
      SLIPSTREAM_PORT_6008_TCP: 'tcp://10.0.0.1:6008',
      SLIPSTREAM_PORT_6008_TCP_PROTO: 'tcp',
      SLIPSTREAM_PORT_6008_TCP_PORT: '6008',
      SLIPSTREAM_PORT_6008_TCP_ADDR: '10.0.0.1',
      JETSTREAM_METRICS_SERVICE_HOST: '10.0.0.2',
    };
    expect(configOf([], env)).toEqual(defaults);
  });
});

describe('a failure is one line that says what to write', () => {
  test.each<[string[], string, string]>([
    [['--evnt-ttl', '1h'], 'CONFIG_UNKNOWN_FLAG', '(Did you mean --event-ttl?)'],
    [['--event_ttl=1h'], 'CONFIG_UNKNOWN_FLAG', '(Did you mean --event-ttl?)'],
    [['-evnt-ttl=1h'], 'CONFIG_UNKNOWN_FLAG', '(Did you mean --event-ttl?)'],
    [['--no-such-thing-at-all'], 'CONFIG_UNKNOWN_FLAG', "unknown option '--no-such-thing-at-all'"],
    [['--toString=1'], 'CONFIG_UNKNOWN_FLAG', '--toString'],
    [['--x\n\u2028y'], 'CONFIG_UNKNOWN_FLAG', '\\n\\u2028'],
    [['serve'], 'CONFIG_UNEXPECTED_ARGUMENT', 'got 1: serve'],
    [['-'], 'CONFIG_UNEXPECTED_ARGUMENT', 'got 1: -'],
    [[''], 'CONFIG_UNEXPECTED_ARGUMENT', 'got 1'],
    [['--fsync', 'maybe'], 'CONFIG_BAD_VALUE', 'is neither "true" nor "false"'],
    [['--data-dir'], 'CONFIG_MISSING_VALUE', '--data-dir needs a value: write --data-dir <PATH>'],
    [['--data-dir', '--fsync'], 'CONFIG_MISSING_VALUE', '"--fsync" follows it'],
    [['--data-dir='], 'CONFIG_BAD_VALUE', 'is empty'],
    [['--ws-url', 'wss://a,,wss://b'], 'CONFIG_BAD_VALUE', 'has an empty entry'],
    [['--event-ttl', '24'], 'CONFIG_BAD_VALUE', '--event-ttl: "24" has no unit: write "24h", "24m" or "24s"'],
    [['--event-ttl', '1ms'], 'CONFIG_OUT_OF_RANGE', 'give 0 (no limit), or 1s to 87600h'],
    [['--event-ttl', '99999h'], 'CONFIG_OUT_OF_RANGE', '1s to 87600h'],
    [['--retention-bytes', '10'], 'CONFIG_OUT_OF_RANGE', 'at least 64MiB'],
    [['--retention-bytes', '10G'], 'CONFIG_BAD_VALUE', 'write "10GiB" or "10GB"'],
    [['--max-sub-rate', '-1'], 'CONFIG_OUT_OF_RANGE', 'no limit'],
    [['--workers', '65'], 'CONFIG_OUT_OF_RANGE', 'give 0 to 64'],
    [['--max-subscribers', '0'], 'CONFIG_OUT_OF_RANGE', 'give 1 to 1000000'],
    [['--stall-timeout', '500ms'], 'CONFIG_OUT_OF_RANGE', 'give 0 (never), or 1s to 24h'],
    [
      ['--trusted-proxies', 'proxy.example'],
      'CONFIG_BAD_VALUE',
      'has proxy.example, which is not an address',
    ],
    [['--about-url', 'a.example'], 'CONFIG_BAD_VALUE', 'write one like "https://example.com"'],
    [['--plc-url', 'plc.directory'], 'CONFIG_BAD_VALUE', 'write one like "https://example.com"'],
    [['--about-url', 'javascript:alert(1)'], 'CONFIG_BAD_VALUE', 'is not an http or https URL'],
    [['--about-url', 'https://me:secret@a.example/'], 'CONFIG_BAD_VALUE', 'is shown to everybody'],
    [['--zstd-level', '10'], 'CONFIG_OUT_OF_RANGE', '1 to 6'],
    [['--zstd-level', '2.5'], 'CONFIG_BAD_VALUE', 'is not a whole number'],
    [['--compressor', 'native'], 'CONFIG_BAD_VALUE', '"native" is none of auto, node, wasm'],
    [['--listen-addr', '6008'], 'CONFIG_BAD_VALUE', 'write ":6008"'],
    [['--override-relay-cursor', '1.5'], 'CONFIG_BAD_VALUE', 'is not a whole number'],
    [['--data-dir', 'x'.repeat(5000), '--fsync=maybe'], 'CONFIG_BAD_VALUE', 'is neither "true" nor "false"'],
    [['--log-level', 'x'.repeat(5000)], 'CONFIG_BAD_VALUE', '…'],
  ])('%j', (argv, code, text) => {
    const failure = failureOf(argv);
    expect(failure).toMatch(new RegExp(`^${code} `));
    expect(failure).toContain(text);
  });

  test.each<[Environment, string, string]>([
    [{ JETSTREAM_COMPRESSOR: 'wasm' }, 'CONFIG_UNKNOWN_VARIABLE', '(Did you mean SLIPSTREAM_COMPRESSOR?)'],
    [{ JETSTREAM_EVENT_TTTL: '1h' }, 'CONFIG_UNKNOWN_VARIABLE', '(Did you mean JETSTREAM_EVENT_TTL?)'],
    [{ SLIPSTREAM_EVENT_TTTL: '1h' }, 'CONFIG_UNKNOWN_VARIABLE', '(Did you mean SLIPSTREAM_EVENT_TTL?)'],
    [{ SLIPSTREAM_NONSENSE_AT_ALL: '' }, 'CONFIG_UNKNOWN_VARIABLE', '"slipstream --help" lists all'],
    [{ SLIPSTREAM_PORT: '6008' }, 'CONFIG_UNKNOWN_VARIABLE', '"SLIPSTREAM_PORT"'],
    [{ SLIPSTREAM_: '' }, 'CONFIG_UNKNOWN_VARIABLE', '"SLIPSTREAM_"'],
    [{ SLIPSTREAM_FSYNC: 'yes' }, 'CONFIG_BAD_VALUE', 'SLIPSTREAM_FSYNC: "yes" is neither'],
    [{ JETSTREAM_EVENT_TTL: '7d' }, 'CONFIG_BAD_VALUE', 'JETSTREAM_EVENT_TTL: "7d" has the unit d'],
  ])('%j', (env, code, text) => {
    const failure = failureOf([], env);
    expect(failure).toMatch(new RegExp(`^${code} `));
    expect(failure).toContain(text);
  });

  test.each([
    [['--listen-addr', ':6009'], true],
    [['--listen-addr', '127.0.0.1:6009'], true],
    [['--listen-addr', '0.0.0.0:1', '--metrics-listen-addr', '127.0.0.1:1'], true],
    [['--listen-addr', '10.0.0.1:1', '--metrics-listen-addr', '127.0.0.1:1'], false],
    [['--listen-addr', ':0', '--metrics-listen-addr', ':0'], false],
  ])('both listeners on one port: %j', (argv, refused) => {
    if (refused)
      expect(failureOf(argv)).toMatch(/^CONFIG_COMBINATION .*--metrics-listen-addr both take port/);
    else expect(configOf(argv).notices).toEqual([]);
  });

  test('a sequence of one relay, with several relays', () => {
    const argv = ['--override-relay-cursor', '5', '--ws-url', 'wss://a.example,wss://b.example'];
    expect(failureOf(argv)).toMatch(/^CONFIG_COMBINATION .*names 2 relays/);
    expect(configOf(['--override-relay-cursor', '-5', ...argv.slice(2)]).overrideRelayCursor).toBeUndefined();
  });

  test('one of several machines', () => {
    const argv = ['--nats-url', 'nats://a.example', '--nats-url', 'tls://b.example'];
    const cluster = {
      ...{ urls: ['nats://a.example', 'tls://b.example'], name: 'main', role: 'both' },
      ...{ credsPath: undefined, caPath: undefined, replicas: 3, streamBytes: 40 * 2 ** 30 },
    };
    expect(configOf(argv)).toEqual({ ...defaults, cluster });
    expect(configOf([...argv, '--stream-replicas', '1']).notices).toEqual([
      expect.stringMatching(/^Fewer than 3/),
    ]);
    const env = { SLIPSTREAM_NATS_URL: 'a', SLIPSTREAM_CLUSTER_NAME: 'x-1_Y', SLIPSTREAM_NATS_CREDS: '/c' };
    expect(configOf([], env).cluster).toMatchObject({ urls: ['a'], name: 'x-1_Y', credsPath: '/c' });
    expect(failureOf([...argv, '--cluster-name', 'a.b'])).toMatch(/^CONFIG_BAD_VALUE --cluster-name/);
    expect(failureOf([...argv, '--override-relay-cursor', '5'])).toMatch(/^CONFIG_COMBINATION .*shared log/);
    expect(failureOf(['--nats-creds', '/c'])).toMatch(/^CONFIG_COMBINATION .*give it/);
  });

  test('no limit in time nor in bytes', () => {
    expect(failureOf(['--event-ttl', '0', '--retention-bytes', '0'])).toMatch(/^CONFIG_COMBINATION /);
  });
});
