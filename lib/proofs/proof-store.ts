// Blocks of commits on disk, for as long and as many bytes as was asked for: a ring of segments, the oldest of which goes as a whole.
// It owns where a segment ends, and what goes. What is lost of it, by a kill or a damage, is missing and nothing else: the log has the
// events. What waits to be written is proof-queue.ts, what is done with blocks is proof-desk.ts.

import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.ts';
import { type ProofRow, ProofSegment, timeOfSegment } from './proof-segment.ts';

const folder = 'proofs';
/** Segments that the time, and the bytes, are divided into: what goes is up to one of them late, or early. */
const segmentsPerRing = 8;
const segmentBytesMin = 4 * 1024 * 1024;
const segmentMsMin = 1000;
/** Of those that are not written any more, kept open for readers. */
const openMax = 2;
/** Files that it has open at the most. */
export const proofFilesMax = 80 * (openMax + 1);
/** After a write that failed: the disk is full, or worse. */
const restMs = 10_000;

/** How much is kept. */
export interface ProofLimits {
  /** Undefined: whatever its age. */
  readonly ageMsMax: number | undefined;
  readonly bytesMax: number;
}

/** What readers of other threads ask, too. */
export interface ProofReader {
  /** The commit whose event has that time. Never rejects. */
  blocksAt(timeUs: number): Promise<KeptBlocks>;
}

/** What is there; can cross threads. */
export interface KeptBlocks {
  /** As they came; undefined when they are not there, or cannot be read. */
  readonly blocks: Uint8Array | undefined;
  /** From when on there is something; Infinity when there is nothing. */
  readonly oldestUs: number;
}

/** See the file comment. One process at a time: who opens it has the log open. */
export class ProofStore implements ProofReader {
  /** Reads that failed, and segments that were lost for that. */
  failures = 0;
  readonly #folder: string;
  readonly #limits: ProofLimits;
  readonly #segmentBytes: number;
  readonly #segmentMs: number;
  readonly #nowMs: () => number;
  /** Oldest first; the last is written. */
  #segments: ProofSegment[];
  /** Whether nothing more is written to the last. */
  #isSealed = true;
  /** Those that readers have opened, the one that was asked last comes last. */
  readonly #read = new Set<ProofSegment>();
  #newestUs = 0;
  #restsUntilMs = 0;

  private constructor(dataDir: string, limits: ProofLimits, segments: ProofSegment[], nowMs: () => number) {
    this.#folder = join(dataDir, folder);
    this.#limits = limits;
    this.#segments = segments;
    this.#segmentBytes = Math.max(segmentBytesMin, limits.bytesMax / segmentsPerRing);
    this.#segmentMs = Math.max(segmentMsMin, (limits.ageMsMax ?? Infinity) / segmentsPerRing);
    this.#nowMs = nowMs;
  }

  /**
   * @param lastTimeUs of the log: what begins later is of another one. @param nowMs the time that events are stamped with.
   * @throws CodedError `PROOFS_OPEN_FAILED`.
   */
  static async open(
    dataDir: string,
    limits: ProofLimits,
    lastTimeUs: number,
    nowMs: () => number,
  ): Promise<ProofStore> {
    const location = join(dataDir, folder);
    try {
      await mkdir(location, { recursive: true });
      const times = (await readdir(location)).map(timeOfSegment).filter((timeUs) => timeUs !== undefined);
      const segments = times.toSorted((a, b) => a - b).map((fromUs) => new ProofSegment(location, fromUs));
      for (const segment of segments) await segment.measure();
      const future = segments.findIndex(({ fromUs }) => fromUs > lastTimeUs);
      const others = future === -1 ? [] : segments.splice(future);
      for (const segment of others) await segment.remove();
      const store = new ProofStore(dataDir, limits, segments, nowMs);
      store.#newestUs = lastTimeUs;
      store.#isSealed = segments.length === 0;
      await store.#trim();
      await store.#begin();
      return store;
    } catch (cause) {
      const message = `cannot use ${location}, where proofs are kept: ${(cause as Error).message}`;
      throw new CodedError('PROOFS_OPEN_FAILED', message, { cause });
    }
  }

  /** Removes what an earlier process kept. */
  static async discard(dataDir: string): Promise<void> {
    await rm(join(dataDir, folder), { recursive: true, force: true });
  }

  /** As of {@link KeptBlocks}. */
  get oldestUs(): number {
    return this.#segments[0]?.fromUs ?? Infinity;
  }

  /** On the disk; of the segment that is written, its rows. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Whether it rests from a failure, and takes nothing. */
  get isResting(): boolean {
    return performance.now() < this.#restsUntilMs;
  }

  /**
   * Writes rows, all of them later than those before. Calls must not overlap. Never rejects.
   * @param fromUs the time of the first. @param throughUs of the last. @returns whether they are there.
   */
  async append(rows: ProofRow[], fromUs: number, throughUs: number): Promise<boolean> {
    try {
      const segment = await this.#segmentFor(fromUs);
      await segment.append(rows);
      this.#newestUs = throughUs;
      await this.#trim();
      return true;
    } catch {
      // What LevelDB wrote half stays behind in this segment: the next one begins anew.
      this.failures++;
      this.#isSealed = true;
      this.#restsUntilMs = performance.now() + restMs;
      return false;
    }
  }

  async blocksAt(timeUs: number): Promise<KeptBlocks> {
    const blocks = await this.#blocksAt(timeUs);
    return { blocks, oldestUs: this.oldestUs };
  }

  async #blocksAt(timeUs: number): Promise<Uint8Array | undefined> {
    const segment = this.#segments.findLast(({ fromUs }) => fromUs <= timeUs);
    if (segment === undefined) return undefined;
    try {
      return await segment.blocksAt(timeUs);
    } catch (error) {
      this.failures++;
      // Its description is damaged: nothing of it can be read.
      if (error instanceof CodedError && error.code === 'LOG_CORRUPT' && !segment.isOpen)
        await this.#lose(segment);
      return undefined;
    } finally {
      await this.#letGo(segment);
    }
  }

  async close(): Promise<void> {
    for (const segment of this.#segments) await segment.close().catch(() => undefined);
  }

  /** Opens what is written on, so that the first rows do not wait for it. One that cannot be opened is left for its readers to lose. */
  async #begin(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined || this.#isSealed) return;
    await last.open().catch(() => {
      this.failures++;
      this.#isSealed = true;
    });
  }

  async #segmentFor(fromUs: number): Promise<ProofSegment> {
    const last = this.#segments.at(-1);
    if (last !== undefined && !this.#isSealed) {
      const isFull = last.bytes >= this.#segmentBytes || fromUs - last.fromUs >= this.#segmentMs * 1000;
      if (!isFull) return last;
      await last.seal();
    }
    this.#isSealed = false;
    const next = new ProofSegment(this.#folder, fromUs);
    this.#segments = [...this.#segments, next];
    return next;
  }

  /** Takes away what is too old or too much. The last one stays: it is no larger than its part. */
  async #trim(): Promise<void> {
    const { ageMsMax, bytesMax } = this.#limits;
    const oldestUs = ageMsMax === undefined ? 0 : (this.#nowMs() - ageMsMax) * 1000;
    while (this.#segments.length > 1) {
      const [first, second] = this.#segments;
      if (second.fromUs > oldestUs && this.bytes <= bytesMax) return;
      await this.#lose(first);
    }
    // All of it, where nothing has come for as long.
    const [last] = this.#segments;
    if (last === undefined || this.#newestUs >= oldestUs) return;
    this.#isSealed = true;
    await this.#lose(last);
  }

  async #lose(segment: ProofSegment): Promise<void> {
    if (segment === this.#segments.at(-1)) this.#isSealed = true;
    this.#segments = this.#segments.filter((other) => other !== segment);
    this.#read.delete(segment);
    await segment.remove();
  }

  /** Few are open at a time, beside the one that is written. */
  async #letGo(segment: ProofSegment): Promise<void> {
    if (segment === this.#segments.at(-1) || !segment.isOpen) return;
    this.#read.delete(segment);
    this.#read.add(segment);
    for (const oldest of this.#read) {
      if (this.#read.size <= openMax) return;
      if (oldest.isRead) continue;
      this.#read.delete(oldest);
      await oldest.close().catch(() => undefined);
    }
  }
}
