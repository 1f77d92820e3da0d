// One life of what reads a relay: its link, and ingest on a log. A daemon alone has one for as long as it runs, a node of a cluster
// one for each turn as the writer.

import type { Compressor } from '../codec/compressor.ts';
import type { CodedError } from '../errors.ts';
import { Clock } from '../event/clock.ts';
import type { TrustedTime } from '../event/trusted-time.ts';
import type { CommitKeeper } from '../ingest/commit-keeper.ts';
import { EarlierReader } from '../ingest/earlier-frames.ts';
import { Ingest } from '../ingest/ingest.ts';
import type { IngestTotals } from '../ingest/ingest-totals.ts';
import { type LinkTiming, RelayLink } from '../ingest/relay-link.ts';
import type { FrameChecks, Verification } from '../ingest/verification.ts';
import type { Block } from '../log/block.ts';
import type { EventLog } from '../log/event-log.ts';
import type { Logger } from '../logger.ts';
import { packageVersion } from '../package.ts';
import type { Relay } from '../upstream/relay-url.ts';

/** What it needs, and whom it tells. */
export interface IntakeOptions {
  readonly relays: readonly Relay[];
  readonly totals: IngestTotals;
  readonly compressor: Compressor;
  readonly time: TrustedTime;
  readonly logger: Logger;
  readonly timing: Partial<LinkTiming>;
  /** As of `IngestOptions`. */
  readonly windowMs: number;
  readonly keeper: CommitKeeper | undefined;
  readonly verification: Verification | undefined;
  readonly checks: FrameChecks | undefined;
  readonly disconnects: RelayLink['disconnects'];
  /** As `BlockQueueOptions`. */
  readonly publish: (block: Block) => Promise<void> | undefined;
  readonly written: (seconds: number) => void;
  readonly stalled: (why: CodedError | undefined) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * A link that has not been started yet, and its clock.
 * @param earlierReader of that log. @throws CodedError `LOG_CORRUPT`, `LOG_READ_FAILED`.
 */
export async function openRelayIntake(
  options: IntakeOptions,
  log: EventLog,
  earlierReader: EarlierReader = new EarlierReader(log),
): Promise<{ link: RelayLink; clock: Clock }> {
  const { relays, totals, compressor, time, logger, timing, windowMs, disconnects } = options;
  const { publish, written, stalled, failed, keeper, verification, checks } = options;
  const userAgent = `slipstream/${packageVersion()}`;
  const clock = new Clock(log.clockUs, () => time.nowMs());
  const earlier = await earlierReader.read();
  // Frames come as often as blocks are made of them.
  const resting = { restMs: windowMs, ...timing };
  const link = new RelayLink({ relays, userAgent, totals, logger, timing: resting, disconnects });
  link.ingest = new Ingest({
    ...{ log, earlier, clock, compressor, totals, link, windowMs, keeper, verification, checks },
    ...{ publish, written, stalled, failed },
  });
  return { link, clock };
}

/** Stores what was taken; nothing comes any more. */
export async function endRelayIntake(link: RelayLink): Promise<void> {
  await link.stop();
  await link.ingest.stop();
}
