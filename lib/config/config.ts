// Command line and environment in, one checked configuration out, or an error that says what to correct. It opens nothing,
// and leaves URLs and files to the stages that use them. The daemon's shell calls it before anything starts.
import { UsageError } from '../errors.ts';
import type { ListenAddress } from '../listen-address.ts';
import type { LogFormat, LogLevel } from '../logger.ts';
import { shown } from './command-line.ts';
import type { Setting } from './setting.ts';
import { foreignVariables, type GivenText, type GivenTexts, readEnvironment } from './setting-sources.ts';
import {
  Problem,
  parseBoolean,
  parseBytes,
  parseChoice,
  parseCollections,
  parseDuration,
  parseFloat64,
  parseHosts,
  parseInteger,
  parseLimits,
  parseList,
  parseListenAddress,
  parseNetworks,
  parseText,
  parseUrl,
} from './setting-value.ts';
import { type SettingName, type SettingValues, settingNames, settings } from './settings.ts';

/** Everything that an operator decides, checked. */
export interface Config {
  /** Relays as they were written, in the order to try; at least one. */
  readonly relayUrls: readonly string[];
  /** Upstream sequence to start after, in place of the stored one. */
  readonly overrideRelayCursor: number | undefined;
  /** How long events gather before they are stored and sent together, in milliseconds. */
  readonly windowMs: number;
  readonly listen: ListenAddress;
  readonly metricsListen: ListenAddress;
  /** The operator's own page, which the status page links to. */
  readonly aboutUrl: string | undefined;
  readonly dataDir: string;
  /** Age at which events go, in milliseconds; 0: no limit, and then `retentionBytes` is one. */
  readonly retentionMs: number;
  /** Bytes of events from which on the oldest go; 0: no limit, and then `retentionMs` is one. */
  readonly retentionBytes: number;
  readonly fsync: boolean;
  /** How much of commits is kept for proofs; undefined: none. */
  readonly proofs: ProofsConfig | undefined;
  /** What several machines share; undefined for one alone. */
  readonly cluster: ClusterConfig | undefined;
  /** Threads that serve subscribers; 0: none but the one that does everything, undefined: as many as fit the machine. */
  readonly workers: number | undefined;
  /** Subscribers at a time. */
  readonly subscribersMax: number;
  /** Subscribers at a time of one client address; 0: no limit. */
  readonly subscribersPerAddressMax: number;
  /** Events a second to one client address; 0: no limit. */
  readonly maxSubRate: number;
  /** How long a subscriber that is behind may take nothing, in milliseconds; 0: no limit. */
  readonly stallTimeoutMs: number;
  /** Addresses and CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Dictionary files, the first the one that events are stored with; none: the one that comes with the package. */
  readonly zstdDictionaryPaths: readonly string[];
  readonly zstdLevel: number;
  readonly compressor: SettingValues['compressor'];
  /** Whether commits are checked, beside the stream. */
  readonly verify: SettingValues['verify'];
  /** Of the directory that keys of accounts come from. */
  readonly plcUrl: string;
  /** Whether the directory's export stream is followed. */
  readonly plcStream: boolean;
  /** Hosts of did:web accounts that may be asked; undefined: all. */
  readonly webHosts: readonly string[] | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** What the operator should know, a line each: settings given that do nothing, or more than they did in v1. */
  readonly notices: readonly string[];
}

/** What is kept for proofs. */
export interface ProofsConfig {
  /** Undefined: whatever its age. */
  readonly ageMsMax: number | undefined;
  readonly bytesMax: number;
  /** NSIDs and prefixes; none: all. */
  readonly collections: readonly string[];
}

/** What a node of a cluster does: serve subscribers, write when it is elected, or both. */
export type NodeRole = 'both' | 'ingest' | 'serve';

/** How a node finds the log that it shares with others. */
export interface ClusterConfig {
  /** NATS servers, as they were written; at least one. */
  readonly urls: readonly string[];
  /** Letters, digits, `-` and `_`. */
  readonly name: string;
  readonly role: NodeRole;
  readonly credsPath: string | undefined;
  readonly caPath: string | undefined;
  readonly replicas: number;
  /** What the stream may take on the disk of each server. */
  readonly streamBytes: number;
}

/**
 * The configuration of what the command line gave and the environment adds. A flag beats `SLIPSTREAM_` and `JETSTREAM_`
 * variables, which must agree where both are set. Throws UsageErrors of CONFIG_ codes.
 * @param flags what `settingsCommand` has parsed. @param role what the command is for.
 */
export function configOf(
  flags: GivenTexts,
  env: Readonly<Record<string, string | undefined>>,
  role: NodeRole = 'both',
): Config {
  const given: GivenTexts = new Map([...flags, ...readEnvironment(env, flags)]);
  const values = Object.fromEntries(
    settingNames.map((name) => [name, readValue(name, given.get(name))]),
  ) as unknown as SettingValues;
  checkCombinations(values);
  const cluster = clusterOf(values, role);
  const notices = [...noticesOf(given), ...foreignVariables(env).map(foreignNotice)];
  if (cluster !== undefined && cluster.replicas < 3) notices.push(fewReplicas);
  return { ...toConfig(values, notices), cluster };
}

function readValue(name: SettingName, given: GivenText | undefined): unknown {
  const setting: Setting = settings[name];
  const text = given?.text ?? setting.default;
  if (text === undefined) return undefined;
  const source = given?.source ?? `--${name}`;
  const value = parseValue(setting, text);
  if (value instanceof Problem)
    throw new UsageError('CONFIG_BAD_VALUE', `${source}: ${shown(text)} ${value.why}`);
  if (typeof value === 'number' && !isInRange(setting, value)) {
    throw new UsageError(
      'CONFIG_OUT_OF_RANGE',
      `${source}: ${shown(text)} is out of range: give ${setting.range}`,
    );
  }
  return value;
}

function parseValue(setting: Setting, text: string): unknown {
  switch (setting.kind) {
    case 'urls':
    case 'paths':
      return parseList(text);
    case 'networks':
      return parseNetworks(text);
    case 'url':
      return parseUrl(text);
    case 'address':
      return parseListenAddress(text);
    case 'duration':
      return parseDuration(text);
    case 'bytes':
      return parseBytes(text);
    case 'limits':
      return parseLimits(text);
    case 'hosts':
      return parseHosts(text);
    case 'collections':
      return parseCollections(text);
    case 'integer':
      return parseInteger(text);
    case 'float':
      return parseFloat64(text);
    case 'boolean':
      return parseBoolean(text);
    case 'choice':
      return parseChoice(text, setting.choices ?? []);
    case 'path':
      return parseText(text);
  }
}

function isInRange({ min = -Infinity, max = Infinity, zeroOrMin = false }: Setting, value: number): boolean {
  return (value >= min && value <= max) || (zeroOrMin && value === 0);
}

/** Throws for values that are each right and wrong together. */
function checkCombinations(values: SettingValues): void {
  const refuse = (message: string): never => {
    throw new UsageError('CONFIG_COMBINATION', message);
  };
  const { 'listen-addr': listen, 'metrics-listen-addr': metrics, 'ws-url': urls } = values;
  if (overlaps(listen, metrics)) {
    refuse(`--listen-addr and --metrics-listen-addr both take port ${listen.port}: give one of them another`);
  }
  if (values['override-relay-cursor'] >= 0 && urls.length > 1) {
    refuse(
      `--override-relay-cursor is a sequence of one relay, and --ws-url names ${urls.length} relays: name only the one it belongs to`,
    );
  }
  if (values['event-ttl'] === 0 && values['retention-bytes'] === 0) {
    refuse('--event-ttl 0 and --retention-bytes 0 keep events until the disk is full: limit one of them');
  }
}

/** Of proofs: eight segments of useful sizes, and what a day of the network is far from. */
const proofMsMin = 10_000;
const proofBytesMin = 64 * 2 ** 20;
const proofBytesUsual = 10 * 2 ** 30;

const fewReplicas =
  'Fewer than 3 --stream-replicas: the log does not survive the loss of a NATS server, and stops with it.';

function clusterOf(values: SettingValues, role: NodeRole): ClusterConfig | undefined {
  const { 'nats-url': urls = [], 'cluster-name': name } = values;
  const refuse = (message: string): never => {
    throw new UsageError('CONFIG_COMBINATION', message);
  };
  if (urls.length === 0) {
    if (role !== 'both') refuse(`"slipstream ${role}" is one of several machines: give --nats-url`);
    if ((values['nats-creds'] ?? values['nats-ca']) !== undefined)
      refuse('--nats-creds and --nats-ca are for the servers of --nats-url: give it, too');
    return undefined;
  }
  if (!/^[\w-]{1,32}$/.test(name)) {
    throw new UsageError(
      'CONFIG_BAD_VALUE',
      `--cluster-name: ${shown(name)} is not 1 to 32 letters, digits, - and _`,
    );
  }
  if (values['override-relay-cursor'] >= 0)
    refuse('--override-relay-cursor is for one machine alone: the place at the relay is in the shared log');
  return {
    urls,
    name,
    role,
    credsPath: values['nats-creds'],
    caPath: values['nats-ca'],
    replicas: values['stream-replicas'],
    streamBytes: values['stream-bytes'],
  };
}

function overlaps(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false;
  const everywhere = (host: string | undefined): boolean =>
    host === undefined || host === '0.0.0.0' || host === '::';
  return one.host === other.host || everywhere(one.host) || everywhere(other.host);
}

function foreignNotice(variable: string): string {
  return `${shown(variable).slice(1, -1)} is not a setting of this daemon, and is ignored.`;
}

function noticesOf(given: GivenTexts): string[] {
  const notices: string[] = [];
  for (const [name, { source }] of given) {
    const setting: Setting = settings[name];
    if (setting.group === 'No effect') notices.push(`${source} has no effect. ${setting.help}`);
    if (/^(--zstd-dictionary-path|JETSTREAM_ZSTD_DICTIONARY_PATH)$/.test(source)) {
      notices.push(
        `${source} is used here, unlike in Jetstream v1: events are compressed with that dictionary.`,
      );
    }
  }
  return notices;
}

function proofsOf({
  proofs,
  'proof-collections': collections = [],
}: SettingValues): ProofsConfig | undefined {
  const { ms, bytes } = proofs;
  const refuse = (why: string): never => {
    throw new UsageError('CONFIG_COMBINATION', why);
  };
  if (ms === undefined && bytes === undefined)
    return collections.length > 0
      ? refuse('--proof-collections says of which events proofs are kept: say with --proofs for how long')
      : undefined;
  if ((ms ?? proofMsMin) < proofMsMin || (bytes ?? proofBytesMin) < proofBytesMin)
    throw new UsageError(
      'CONFIG_OUT_OF_RANGE',
      '--proofs: give at least 10s, or at least 64MiB, or 0 for none',
    );
  return { ageMsMax: ms, bytesMax: bytes ?? proofBytesUsual, collections };
}

function toConfig(values: SettingValues, notices: readonly string[]): Omit<Config, 'cluster'> {
  const cursor = values['override-relay-cursor'];
  return {
    relayUrls: values['ws-url'],
    overrideRelayCursor: cursor < 0 ? undefined : cursor,
    windowMs: values.window,
    listen: values['listen-addr'],
    metricsListen: values['metrics-listen-addr'],
    aboutUrl: values['about-url'],
    dataDir: values['data-dir'],
    retentionMs: values['event-ttl'],
    retentionBytes: values['retention-bytes'],
    fsync: values.fsync,
    proofs: proofsOf(values),
    workers: values.workers,
    subscribersMax: values['max-subscribers'],
    subscribersPerAddressMax: values['max-subscribers-per-address'],
    maxSubRate: values['max-sub-rate'],
    stallTimeoutMs: values['stall-timeout'],
    trustedProxies: values['trusted-proxies'] ?? [],
    zstdDictionaryPaths: values['zstd-dictionary'] ?? [],
    zstdLevel: values['zstd-level'],
    compressor: values.compressor,
    verify: values.verify,
    plcUrl: values['plc-url'],
    plcStream: values['plc-stream'],
    webHosts: values['did-web'].names,
    logLevel: values['log-level'],
    logFormat: values['log-format'],
    notices,
  };
}
