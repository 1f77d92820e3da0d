// What writes the log of this daemon, as the rest of it sees it: a relay's link, or a node of a cluster.

import type { CoverageFinding } from '../event/coverage.ts';
import type { LevelLog } from '../log/level-log.ts';
import type { ClusterReport, LinkState } from '../monitor/link-state.ts';
import type { Relay } from '../upstream/relay-url.ts';
import { ClusterNode } from './cluster-node.ts';
import { endRelayIntake, type IntakeOptions, openRelayIntake } from './relay-intake.ts';
import type { SharedLog } from './shared-log.ts';

/** See the file comment. */
export interface Intake {
  readonly link: LinkState;
  readonly cluster: ClusterReport | undefined;
  /** Now, in microseconds, on the clock that events are stamped with. */
  readonly nowUs: () => number;
  /** The stored upstream sequence of a relay: where it is gone on. */
  readonly positionOf: (relay: Relay) => number | undefined;
  start(): void;
  /** Stores what was taken. */
  stop(): Promise<void>;
  readonly cover: (finding: CoverageFinding) => void;
}

/**
 * @param shared what a node of a cluster has of it.
 * @param cursor of a daemon alone: sequence to start after, in place of the stored one.
 */
export async function openIntake(
  options: IntakeOptions,
  log: LevelLog,
  shared: SharedLog | undefined,
  cursor: number | undefined,
): Promise<Intake> {
  return shared === undefined ? aloneIntake(options, log, cursor) : nodeIntake(options, log, shared);
}

async function aloneIntake(
  options: IntakeOptions,
  log: LevelLog,
  cursor: number | undefined,
): Promise<Intake> {
  const { link, clock } = await openRelayIntake(options, log);
  if (cursor !== undefined) link.ingest.overridePosition(options.relays[0], cursor);
  return {
    link,
    cluster: undefined,
    nowUs: () => clock.nowUs(),
    positionOf: (relay) => link.ingest.positionOf(relay),
    start: () => link.upstream.start(),
    stop: () => endRelayIntake(link),
    cover: (finding) => link.ingest.cover(finding),
  };
}

function nodeIntake(options: IntakeOptions, log: LevelLog, shared: SharedLog): Intake {
  const { engine, identity, emptySequence, role } = shared;
  const { streamId } = identity;
  const node = new ClusterNode({ role, engine, streamId, emptySequence, log, intake: options });
  return {
    link: node.link,
    cluster: node,
    nowUs: () => Math.max(options.time.nowMs() * 1000, log.clockUs),
    positionOf: ({ numbering }) => log.positions.get(numbering),
    start: () => node.start(),
    stop: () => node.stop(),
    cover: (finding) => node.cover(finding),
  };
}
