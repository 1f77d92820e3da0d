// A log with its reader, for what is promised of every `LogReader`: the writer itself, or a replica that is told of each
// block as another thread is told, by a copy.

import type { Block } from '../../lib/log/block.ts';
import type { LogReader } from '../../lib/log/event-log.ts';
import { LevelLog } from '../../lib/log/level-log.ts';
import { type LogFollower, LogReplica } from '../../lib/log/log-replica.ts';
import type { LevelLogOptions } from '../../lib/log/opened-log.ts';
import { fakeCompressor, payloadsOf, unfake } from '../support/events.ts';

export type OpenOptions = Partial<LevelLogOptions> & { readonly dataDir: string };

/** A log that is written, and what reads it. */
export interface ReadLog {
  readonly log: LevelLog;
  readonly reader: LogReader;
  append(block: Block): Promise<void>;
  /** Makes everything known to the reader that the writer has told. */
  catchUp(): void;
  /** Closes the reader, which is the writer too unless it is a replica. */
  closeReader(): Promise<void>;
  /** Closes both. Idempotent. */
  close(): Promise<void>;
}

function withDefaults(options: OpenOptions): LevelLogOptions {
  return { retentionBytes: 0, tailBytesMax: 0, fsync: false, compressor: fakeCompressor, ...options };
}

export async function openWriter(options: OpenOptions): Promise<ReadLog> {
  const log = await LevelLog.open(withDefaults(options));
  return {
    log,
    reader: log,
    append: (block) => log.append(block),
    catchUp: () => {},
    closeReader: () => log.close(),
    close: () => log.close(),
  };
}

/** As {@link openWriter}, with a replica as the reader. */
export interface ReplicatedLog extends ReadLog {
  readonly reader: LogReplica;
  /** What the writer has told and the replica has not applied yet. */
  readonly waiting: (() => void)[];
}

export async function openReplica(options: OpenOptions): Promise<ReplicatedLog> {
  const waiting: (() => void)[] = [];
  const catchUp = (): void => {
    for (const apply of waiting.splice(0)) apply();
  };
  const follower: LogFollower = {
    compacted(compacted, count) {
      const copy = structuredClone(compacted);
      waiting.push(() => replica.compacted(copy, count));
    },
    trimming: (throughUs) => void waiting.push(() => replica.trimming(throughUs)),
    suspend() {
      catchUp();
      return replica.suspend();
    },
    resume: () => replica.resume(structuredClone(log.replicaStart)),
  };
  const full = withDefaults(options);
  const log = await LevelLog.open({ ...full, follower });
  const replica = await LogReplica.open(
    { ...full, catchUp, damaged: (table) => log.tables.distrust(table) },
    structuredClone(log.replicaStart),
  );
  return {
    log,
    reader: replica,
    waiting,
    catchUp,
    async append(block) {
      await log.append(block);
      const copy = structuredClone(block);
      waiting.push(() => replica.append(copy));
    },
    closeReader: () => replica.close(),
    async close() {
      await replica.close();
      await log.close();
    },
  };
}

/** Texts of all events after `timeUs`, as a subscriber finds them: memory first, then the log. */
export async function textsAfter(
  reader: LogReader,
  timeUs: number,
  encoding: 'json' | 'zstd' = 'json',
  bytesMax = 50_000,
): Promise<string[]> {
  const texts: string[] = [];
  for (let at = timeUs; at < reader.lastTimeUs; ) {
    const recent = reader.recentAfter(at);
    const { slices, throughUs } =
      recent === undefined
        ? await reader.read(at, encoding, bytesMax)
        : {
            slices: [{ index: recent.index, messages: encoding === 'json' ? recent.json : recent.zstd }],
            throughUs: recent.index.lastTimeUs,
          };
    for (const { index, messages } of slices) {
      const payloads = payloadsOf(messages, encoding === 'json' ? 0x81 : 0x82);
      if (payloads.length !== index.count) throw new Error(`${payloads.length} messages of ${index.count}`);
      for (const [event, payload] of payloads.entries()) {
        if (index.timeUs[event] <= at) continue;
        texts.push(encoding === 'json' ? Buffer.from(payload).toString() : unfake(payload));
      }
    }
    if (throughUs <= at) throw new Error(`the read after ${at} ends at ${throughUs}`);
    at = throughUs;
  }
  return texts;
}
