// The errors of a cluster's node. Each text says what to do about it. `docs/cluster.md` has a runbook for each.

import { CodedError, UsageError } from '../errors.ts';

/** Another writer has the place of our next block: this one's turn is over, and nothing is lost. */
export function fenced(sequence: number): CodedError {
  return new CodedError(
    'CLUSTER_FENCED',
    `another node has written message ${sequence} of the stream: this one follows it; nothing needs doing`,
  );
}

/** Nobody answers for the stream. It goes on by itself. */
export function unavailable(what: string): CodedError {
  return new CodedError(
    'CLUSTER_ENGINE_UNAVAILABLE',
    `${what}: make sure that a majority of the NATS servers is running and that they can reach each other: a running daemon then continues by itself`,
    { retryable: true },
  );
}

/** The stream ends before what it had acknowledged, or has something else there. */
export function forked(what: string): CodedError {
  return new CodedError(
    'CLUSTER_STREAM_FORKED',
    `${what}: the NATS servers have lost what they had acknowledged; start the daemon again: it sets its own log aside and copies the stream; then look after the servers' disks`,
  );
}

/** The stream has let go of what this node needs next. */
export function tooOld(next: number, first: number): CodedError {
  return new CodedError(
    'CLUSTER_TOO_OLD',
    `the next message of this node is ${next} and the stream begins at ${first}: start the daemon again, and it copies the stream anew`,
  );
}

/** A message is missing in the middle of the stream. */
export function hole(next: number): CodedError {
  return new CodedError(
    'CLUSTER_STREAM_HOLE',
    `message ${next} is missing in the stream, and is not skipped: check the disks of the NATS servers; see docs/cluster.md`,
  );
}

/** The engine is not set up as the log needs it. */
export function unsafe(what: string): UsageError {
  return new UsageError('CLUSTER_ENGINE_UNSAFE', `${what}; see docs/cluster.md`);
}

/** The data directory has the log of something else. */
export function otherLog(dataDir: string): UsageError {
  return new UsageError(
    'CLUSTER_OTHER_LOG',
    `${dataDir} holds the log of another cluster, or of a single daemon: give an empty --data-dir, or the right --cluster-name; ` +
      'if the stream was deleted by hand, see docs/cluster.md',
  );
}
