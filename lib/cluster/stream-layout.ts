// What a cluster has in the engine: names, the settings of its two streams, and whether settings that are found there are safe for
// a log. Pure; in the words of NATS JetStream's API.

import { unsafe } from './cluster-errors.ts';
import { leaseTtlMs } from './engine.ts';

const msNs = 1_000_000;
const hourMs = 3_600_000;
/** The stream keeps events longer than nodes do, so that one that was away for less than that goes on. */
const extraMs = hourMs;
/** How long the engine knows ids again. */
const duplicateWindowMs = 120_000;
/** Oldest server: before it, seven security fixes are missing. */
const versionMin = [2, 14, 3] as const;
/** Smallest payload that servers have to take: a frame of the protocol's 5 MB is a message of 6 at most. */
export const payloadBytesMin = 8 * 1024 * 1024;

/** What an operator decides of a cluster; `lib/config` has it from the settings. */
export interface ClusterSettings {
  readonly urls: readonly string[];
  readonly name: string;
  readonly role: NodeRole;
  readonly credsPath: string | undefined;
  readonly caPath: string | undefined;
  readonly replicas: number;
  /** What the stream may take on each server's disk. */
  readonly streamBytes: number;
}

/** What a node does: serve subscribers, write when it is elected, or both. */
export type NodeRole = 'both' | 'ingest' | 'serve';

/** Names in the engine. */
export interface StreamNames {
  readonly stream: string;
  readonly subject: string;
  /** Where each message is repeated once it is stored. */
  readonly tail: string;
  /** Where nodes tell of themselves. */
  readonly node: string;
  readonly leaseStream: string;
  readonly leaseSubject: string;
}

/** What all nodes of a cluster share; kept with the stream. */
export interface StreamIdentity {
  readonly streamId: string;
  readonly didHashKey: Uint8Array;
}

/** As `$JS.API.STREAM.CREATE` takes it. */
export type StreamConfig = Readonly<Record<string, unknown>>;

const identityNames = { streamId: 'slipstream_id', didHashKey: 'slipstream_did_hash_key' };

/** Of a cluster of that name. */
export function namesOf(name: string): StreamNames {
  return {
    stream: `SLIPSTREAM_${name}`,
    subject: `slipstream.${name}.block`,
    tail: `slipstream.${name}.tail`,
    node: `slipstream.${name}.node`,
    leaseStream: `SLIPSTREAM_${name}_LEASE`,
    leaseSubject: `slipstream.${name}.lease`,
  };
}

/** Settings of a stream that is made new. @param retentionMs how long nodes keep events; 0: no limit. */
export function blockStream(
  names: StreamNames,
  settings: Pick<ClusterSettings, 'replicas' | 'streamBytes'>,
  retentionMs: number,
  { streamId, didHashKey }: StreamIdentity,
): StreamConfig {
  return {
    ...shared(names.stream, names.subject, settings.replicas),
    max_age: retentionMs === 0 ? 0 : (retentionMs + extraMs) * msNs,
    max_bytes: settings.streamBytes,
    duplicate_window: duplicateWindowMs * msNs,
    allow_direct: true,
    republish: { src: names.subject, dest: names.tail },
    metadata: {
      [identityNames.streamId]: streamId,
      [identityNames.didHashKey]: Buffer.from(didHashKey).toString('hex'),
    },
  };
}

/** Settings of the stream that holds the lease: one value, which expires. */
export function leaseStream(names: StreamNames, replicas: number): StreamConfig {
  return {
    ...shared(names.leaseStream, names.leaseSubject, replicas),
    max_age: leaseTtlMs * msNs,
    max_msgs_per_subject: 1,
    max_bytes: 1024 * 1024,
    duplicate_window: leaseTtlMs * msNs,
  };
}

function shared(name: string, subject: string, replicas: number): StreamConfig {
  return {
    ...{ name, subjects: [subject], storage: 'file', retention: 'limits', discard: 'old' },
    ...{ num_replicas: replicas, deny_delete: true, deny_purge: true },
  };
}

/**
 * Whether a stream that is there can keep the log. How long it keeps messages is the operator's to change; that it loses none before,
 * and refuses what is out of order, is not.
 * @throws UsageError `CLUSTER_ENGINE_UNSAFE`.
 */
export function checkStream(found: StreamConfig, wanted: StreamConfig): void {
  const name = String(wanted.name);
  const refuse = (what: string): never => {
    throw unsafe(`the stream ${name} ${what}`);
  };
  const must = ['subjects', 'storage', 'retention', 'discard', 'deny_delete', 'deny_purge', 'allow_direct'];
  for (const setting of [...must, 'republish']) {
    const [is, should] = [found[setting], wanted[setting]].map((value) => canonical(value ?? false));
    if (is !== should) refuse(`has ${setting} ${is}, and needs ${should}`);
  }
  for (const setting of ['mirror', 'sources', 'subject_transform', 'sealed', 'no_ack', 'persist_mode']) {
    const value = found[setting] ?? false;
    if (value !== false && value !== 'default') refuse(`has ${setting}, which a log cannot have`);
  }
  if ((found.compression ?? 'none') !== 'none') refuse('is compressed: set its compression to none');
  if (Number(found.max_msgs ?? -1) > 0) refuse(`keeps ${found.max_msgs} messages only: set max_msgs to -1`);
  if (Number(found.max_msg_size ?? -1) > 0) refuse('limits messages: set max_msg_size to -1');
  if (!(Number(found.max_bytes) > 0)) refuse('has no max_bytes: a full disk would stop the servers');
  if (found.num_replicas !== wanted.num_replicas) {
    refuse(
      `has ${found.num_replicas} replicas, and --stream-replicas says ${wanted.num_replicas}: make them alike`,
    );
  }
}

/** What the nodes share. @throws UsageError `CLUSTER_ENGINE_UNSAFE` for a stream of something else. */
export function identityOf(found: StreamConfig): StreamIdentity {
  const metadata = Object(found.metadata) as Record<string, unknown>;
  const streamId = String(metadata[identityNames.streamId]);
  const key = String(metadata[identityNames.didHashKey]);
  if (!/^[0-9a-f]{8,}$/.test(streamId) || !/^[0-9a-f]{16}$/.test(key))
    throw unsafe(`the stream ${found.name} was not made by Slipstream: give another --cluster-name`);
  return { streamId, didHashKey: Buffer.from(key, 'hex') };
}

/** @throws UsageError `CLUSTER_ENGINE_UNSAFE` for a server that is too old, or takes too little. */
export function checkServer(version: string, payloadBytesMax: number): void {
  const parts = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  const at = versionMin.findIndex((part, index) => parts[index] !== part);
  if (parts.length < 3 || (at >= 0 && parts[at] < versionMin[at]))
    throw unsafe(`the NATS server has version ${version}: at least ${versionMin.join('.')} is needed`);
  if (payloadBytesMax < payloadBytesMin) {
    throw unsafe(
      `the NATS server takes messages of ${payloadBytesMax} bytes: set max_payload: 8MB in its configuration`,
    );
  }
}

/** With the names of an object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    Object.prototype.toString.call(inner) === '[object Object]'
      ? Object.fromEntries(Object.entries(inner as object).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}
