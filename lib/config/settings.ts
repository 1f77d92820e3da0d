// The one table of what an operator can set: names, environment variables, kinds, bounds, defaults, words for the help.
// Everything that must list the settings reads this table; reading values is config.ts, flags and help are setting-sources.ts.
import { compressorPreferences } from '../codec/choose-compressor.ts';
import { compressionLevels } from '../codec/compressor.ts';
import { logFormats, logLevels } from '../logger.ts';
import type { KindValues, Setting } from './setting.ts';

const hourMs = 3_600_000;

/** What to do about signatures. */
const verifyModes = ['off', 'observe', 'enforce'] as const;

/**
 * Every setting, by the name of its flag. `JETSTREAM_` variables are those of Jetstream v1, whose flags all keep
 * working; ours exist for every setting.
 */
export const settings = {
  'ws-url': {
    kind: 'urls',
    group: 'Upstream',
    env: ['SLIPSTREAM_WS_URL', 'JETSTREAM_WS_URL'],
    default: 'wss://bsky.network',
    help: 'Relay or PDS to read from. Without a path it gets that of subscribeRepos. Separate several with commas, or repeat the flag: they are tried in turn when one fails. Replicas that number their frames alike are one entry, with | between them.',
  },
  'override-relay-cursor': {
    kind: 'integer',
    group: 'Upstream',
    env: ['SLIPSTREAM_OVERRIDE_RELAY_CURSOR', 'JETSTREAM_OVERRIDE_RELAY_CURSOR'],
    default: '-1',
    defaultShown: 'the stored sequence, else live',
    help: 'Upstream sequence to start after, in place of the stored one; 0: the oldest that the relay has. Events that the log already has come a second time. Use it for one start, then remove it. Below 0 it has no effect.',
  },
  window: {
    kind: 'duration',
    group: 'Upstream',
    env: ['SLIPSTREAM_WINDOW'],
    default: '16ms',
    min: 1,
    max: 250,
    range: '1ms to 250ms',
    help: 'How long events are collected before they are stored and sent together; on average an event waits half of it. Longer takes less CPU time, shorter delivers sooner.',
  },
  'listen-addr': {
    kind: 'address',
    group: 'Listeners',
    env: ['SLIPSTREAM_LISTEN_ADDR', 'JETSTREAM_LISTEN_ADDR'],
    default: ':6008',
    help: 'Address for subscribers: the /subscribe WebSocket and the public pages.',
  },
  'metrics-listen-addr': {
    kind: 'address',
    group: 'Listeners',
    env: ['SLIPSTREAM_METRICS_LISTEN_ADDR', 'JETSTREAM_METRICS_LISTEN_ADDR'],
    default: ':6009',
    help: 'Address for operators: Prometheus metrics and health. Do not expose it to the public.',
  },
  'about-url': {
    kind: 'url',
    group: 'Listeners',
    env: ['SLIPSTREAM_ABOUT_URL'],
    defaultShown: 'none',
    help: 'Your own page about this server: who runs it, and how to reach them. The status page links to it.',
  },
  'data-dir': {
    kind: 'path',
    group: 'Storage',
    env: ['SLIPSTREAM_DATA_DIR', 'JETSTREAM_DATA_DIR'],
    default: './data',
    help: 'Folder of the event log. Created if it does not exist.',
  },
  'event-ttl': {
    kind: 'duration',
    group: 'Storage',
    env: ['SLIPSTREAM_EVENT_TTL', 'JETSTREAM_EVENT_TTL'],
    default: '24h',
    min: 1000,
    max: 87_600 * hourMs,
    zeroOrMin: true,
    range: '0 (no limit), or 1s to 87600h',
    help: 'How long events are kept for playback. 0: as long as retention-bytes allows.',
  },
  'retention-bytes': {
    kind: 'bytes',
    group: 'Storage',
    env: ['SLIPSTREAM_RETENTION_BYTES'],
    default: '10GiB',
    min: 64 * 2 ** 20,
    max: Number.MAX_SAFE_INTEGER,
    zeroOrMin: true,
    range: '0 (no limit), or at least 64MiB',
    help: 'How much disk the data directory may take, give or take a seventh: the oldest events are deleted to make room, whatever event-ttl says. The default suits a disk of 25 GB that has other uses, too. 0: no limit.',
  },
  fsync: {
    kind: 'boolean',
    group: 'Storage',
    env: ['SLIPSTREAM_FSYNC'],
    default: 'false',
    help: 'Wait for the disk at every write. Without it a killed process loses nothing, but a power failure can cost the last seconds, which come again from the relay.',
  },
  proofs: {
    kind: 'limits',
    group: 'Storage',
    env: ['SLIPSTREAM_PROOFS'],
    default: '0',
    help: 'Keep the signed commits of events, for GET /proof: for how long (1h), how many bytes (500MB), or both (1h,500MB); without bytes 10GiB at most. They are stored beside the log, and retention-bytes does not count them: 5 KB per event, 8 GB per hour of the network. 0: none.',
  },
  'proof-collections': {
    kind: 'collections',
    group: 'Storage',
    env: ['SLIPSTREAM_PROOF_COLLECTIONS'],
    defaultShown: 'all',
    help: 'Collections whose commits are kept for proofs, by NSID or a prefix that ends in .*, separated by commas.',
  },
  workers: {
    kind: 'integer',
    group: 'Subscribers',
    env: ['SLIPSTREAM_WORKERS'],
    defaultShown: "none for the first 16 subscribers, then one less than the machine's cores, at most 4",
    min: 0,
    max: 64,
    range: '0 to 64',
    help: 'Threads that serve subscribers, from the start on. 0: all work in one thread.',
  },
  'max-subscribers': {
    kind: 'integer',
    group: 'Subscribers',
    env: ['SLIPSTREAM_MAX_SUBSCRIBERS'],
    default: '50000',
    min: 1,
    max: 1e6,
    range: '1 to 1000000',
    help: 'Subscribers at a time; further ones are answered with 503. Each takes a file descriptor: see ulimit -n.',
  },
  'max-subscribers-per-address': {
    kind: 'integer',
    group: 'Subscribers',
    env: ['SLIPSTREAM_MAX_SUBSCRIBERS_PER_ADDRESS'],
    default: '1000',
    min: 0,
    max: 1e6,
    range: '0 (no limit) to 1000000',
    help: 'Subscribers at a time of one client address, or of one /64 of IPv6; further ones are answered with 429. 0: no limit.',
  },
  'max-sub-rate': {
    kind: 'float',
    group: 'Subscribers',
    env: ['SLIPSTREAM_MAX_SUB_RATE', 'JETSTREAM_MAX_SUB_RATE'],
    default: '1000000',
    min: 0,
    max: 1e9,
    range: '0 (no limit) to 1e9',
    help: 'Events a second to one client address, over all its connections, playback included. The rest comes later; nothing is lost. 0: no limit (Jetstream v1 defaults to 5000).',
  },
  'stall-timeout': {
    kind: 'duration',
    group: 'Subscribers',
    env: ['SLIPSTREAM_STALL_TIMEOUT'],
    default: '60s',
    min: 1000,
    max: 24 * hourMs,
    zeroOrMin: true,
    range: '0 (never), or 1s to 24h',
    help: 'How long a subscriber that is behind may read nothing before it is disconnected. Slow ones that keep reading stay. 0: no limit.',
  },
  'trusted-proxies': {
    kind: 'networks',
    group: 'Subscribers',
    env: ['SLIPSTREAM_TRUSTED_PROXIES'],
    defaultShown: 'none',
    help: 'Addresses and CIDR ranges of proxies in front of this server, separated by commas: what they add to X-Forwarded-For is trusted. Without it, all clients behind a proxy count as one address.',
  },
  'nats-url': {
    kind: 'urls',
    group: 'Cluster',
    env: ['SLIPSTREAM_NATS_URL'],
    defaultShown: 'none: one machine, without NATS',
    help: 'NATS servers that keep the log for several machines: this one serves subscribers, and writes when it is elected; "slipstream ingest" and "slipstream serve" do one of the two. See docs/cluster.md.',
  },
  'cluster-name': {
    kind: 'path',
    group: 'Cluster',
    env: ['SLIPSTREAM_CLUSTER_NAME'],
    default: 'main',
    placeholder: '<NAME>',
    help: 'Which log of those servers: the same on all machines that share one.',
  },
  'nats-creds': {
    kind: 'path',
    group: 'Cluster',
    env: ['SLIPSTREAM_NATS_CREDS'],
    defaultShown: 'none',
    help: 'File with the credentials of a NATS user.',
  },
  'nats-ca': {
    kind: 'path',
    group: 'Cluster',
    env: ['SLIPSTREAM_NATS_CA'],
    defaultShown: 'those of the system',
    help: 'File with the certificate authorities that signed the certificates of the NATS servers.',
  },
  'stream-replicas': {
    kind: 'integer',
    group: 'Cluster',
    env: ['SLIPSTREAM_STREAM_REPLICAS'],
    default: '3',
    min: 1,
    max: 5,
    range: '1 to 5',
    help: 'NATS servers that have each event before it is sent. 3 survive the loss of one; 1 is for tests.',
  },
  'stream-bytes': {
    kind: 'bytes',
    group: 'Cluster',
    env: ['SLIPSTREAM_STREAM_BYTES'],
    default: '40GiB',
    min: 64 * 2 ** 20,
    max: Number.MAX_SAFE_INTEGER,
    range: 'at least 64MiB',
    help: 'How much disk the log may take on each NATS server, set when the stream is created: about 27 GB for a day of the network. A machine that is away for longer than that copies it anew.',
  },
  'zstd-dictionary': {
    kind: 'paths',
    group: 'Compression',
    env: ['SLIPSTREAM_ZSTD_DICTIONARY', 'JETSTREAM_ZSTD_DICTIONARY_PATH'],
    aliases: ['zstd-dictionary-path'],
    defaultShown:
      'that of Jetstream v1 once "slipstream dictionaries fetch" has downloaded it, else the one in the package',
    help: 'zstd dictionary that events are stored with. Up to 4 more, separated by commas or by repeating the flag, are for clients that ask with zstdDictionary=<id>.',
  },
  'zstd-level': {
    kind: 'integer',
    group: 'Compression',
    env: ['SLIPSTREAM_ZSTD_LEVEL'],
    default: String(compressionLevels.default),
    min: compressionLevels.min,
    max: compressionLevels.max,
    range: `${compressionLevels.min} to ${compressionLevels.max}`,
    help: 'Compression level. 5 saves 2 to 5 % more than 2, and takes up to four times as long. Events that come in bulk are compressed at 2 at most.',
  },
  compressor: {
    kind: 'choice',
    group: 'Compression',
    env: ['SLIPSTREAM_COMPRESSOR'],
    choices: compressorPreferences,
    default: 'auto',
    help: 'Which zstd: the one in Node, or WebAssembly, which takes 3 to 5 times as long; auto: the first of them that works.',
  },
  'log-level': {
    kind: 'choice',
    group: 'Logging',
    env: ['SLIPSTREAM_LOG_LEVEL'],
    choices: logLevels,
    default: 'info',
    help: 'Least important messages to write.',
  },
  'log-format': {
    kind: 'choice',
    group: 'Logging',
    env: ['SLIPSTREAM_LOG_FORMAT'],
    choices: logFormats,
    default: 'auto',
    help: 'JSON lines or lines for people; auto: for people on a terminal. Always on standard output.',
  },
  verify: {
    kind: 'choice',
    group: 'Verification',
    env: ['SLIPSTREAM_VERIFY'],
    choices: verifyModes,
    default: 'off',
    help: 'observe: a separate thread checks that each commit is what its account signed, with nothing left out; the result is stored with its events, for subscribers who ask for verified=true. Nothing is dropped, and no event waits longer than 20 ms. enforce: events wait until they are checked, and commits that two checks refute are dropped, as long as nearly all commits can be checked.',
  },
  'plc-url': {
    kind: 'url',
    group: 'Verification',
    env: ['SLIPSTREAM_PLC_URL'],
    default: 'https://plc.directory',
    help: 'With verify: the PLC directory, or a replica of it, that is asked for the keys of accounts, at most 25 times a second unless it is at an address of your own network.',
  },
  'plc-stream': {
    kind: 'boolean',
    group: 'Verification',
    env: ['SLIPSTREAM_PLC_STREAM'],
    default: 'true',
    help: 'With verify: follow the export stream of that directory, which reports every change of a key, or, if it has none, ask for its export once a minute. Without this, keys are read again after a day, and when an account announces a change.',
  },
  'did-web': {
    kind: 'hosts',
    group: 'Verification',
    env: ['SLIPSTREAM_DID_WEB'],
    default: 'on',
    help: 'With verify: whether the hosts of did:web accounts are asked for keys, only at public addresses and at most 16 times a second: on, off, or a list of hosts, by name or as *.example.com. Commits of other did:web accounts are unchecked.',
  },
  'worker-count': {
    kind: 'integer',
    group: 'No effect',
    env: ['SLIPSTREAM_WORKER_COUNT', 'JETSTREAM_WORKER_COUNT'],
    default: '100',
    help: 'One thread decodes, in relay order.',
  },
  'max-queue-size': {
    kind: 'integer',
    group: 'No effect',
    env: ['SLIPSTREAM_MAX_QUEUE_SIZE', 'JETSTREAM_MAX_QUEUE_SIZE'],
    default: '1000',
    help: 'Queues are bounded in bytes.',
  },
  'liveness-ttl': {
    kind: 'duration',
    group: 'No effect',
    env: ['SLIPSTREAM_LIVENESS_TTL', 'JETSTREAM_LIVENESS_TTL'],
    default: '15s',
    help: 'A silent relay is pinged and then left for another; the process keeps running.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** Every setting's name, in the order of the table. */
export const settingNames = Object.keys(settings) as SettingName[];

type ValueOf<S extends Setting> = S extends { kind: 'choice'; choices: readonly (infer C)[] }
  ? C
  : KindValues[S['kind']];

/** Values by name; undefined only for a setting without a default. */
export type SettingValues = {
  readonly [N in SettingName]: (typeof settings)[N] extends { default: string }
    ? ValueOf<(typeof settings)[N]>
    : ValueOf<(typeof settings)[N]> | undefined;
};
