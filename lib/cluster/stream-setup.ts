// The first thing a node does: finds the streams of its cluster in the engine, or makes them, and refuses what is not safe for a log.
// Nothing is ever changed that is there.

import { randomBytes } from 'node:crypto';
import { didHashKeyBytes } from '../event/did-hash.ts';
import { unavailable, unsafe } from './cluster-errors.ts';
import type { NatsEngine } from './nats-engine.ts';
import {
  blockStream,
  type ClusterSettings,
  checkStream,
  identityOf,
  leaseStream,
  namesOf,
  type StreamConfig,
  type StreamIdentity,
} from './stream-layout.ts';

const retryMs = 250;

/** What {@link setUpStream} is asked. */
export interface SetupOptions {
  readonly settings: ClusterSettings;
  /** How long nodes keep events, in milliseconds; 0: no limit. */
  readonly retentionMs: number;
  /** Whether this node has a log: then the stream has to be there. */
  readonly hasLog: boolean;
  /** How long the engine is waited for. */
  readonly waitMs: number;
}

/**
 * Finds the streams, or makes them.
 * @throws CodedError `CLUSTER_ENGINE_UNAVAILABLE`, `CLUSTER_ENGINE_UNSAFE`.
 */
export async function setUpStream(engine: NatsEngine, options: SetupOptions): Promise<StreamIdentity> {
  const { settings, retentionMs, hasLog, waitMs } = options;
  const names = namesOf(settings.name);
  const own = {
    streamId: randomBytes(8).toString('hex'),
    didHashKey: randomBytes(didHashKeyBytes),
  };
  const wanted = blockStream(names, settings, retentionMs, own);
  const deadlineMs = performance.now() + waitMs;
  const found = await ensure(engine, wanted, settings.role !== 'serve', deadlineMs, () => {
    if (!hasLog) return;
    throw unsafe(
      `the stream ${names.stream} is gone, and this node has a log of it: it is not made again over that`,
    );
  });
  checkStream(found, wanted);
  const lease = leaseStream(names, settings.replicas);
  const foundLease = await ensure(engine, lease, settings.role !== 'serve', deadlineMs, () => {});
  // It is read where it is led, and never from a copy.
  checkStream({ ...foundLease, allow_direct: undefined }, lease);
  return identityOf(found);
}

/** @param absent called before it is made. */
async function ensure(
  engine: NatsEngine,
  wanted: StreamConfig,
  mayCreate: boolean,
  deadlineMs: number,
  absent: () => void,
): Promise<StreamConfig> {
  const name = String(wanted.name);
  for (;;) {
    const found = await engine.streamConfig(name);
    if (found !== undefined && found !== null) return found;
    if (found === null) absent();
    if (found === null && mayCreate && (await engine.createStream(wanted))) continue;
    if (performance.now() > deadlineMs) {
      const why = found === null ? 'cannot be made' : 'is not answered for';
      throw unavailable(`the stream ${name} ${why}${engine.refusal}`);
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
