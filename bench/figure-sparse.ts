// Replay for readers of very little: one rare collection, three quiet accounts, what points at three others. The whole
// log has to be answered for, few of its blocks have to be read. Measured on logs of growing size, to the last event that is wanted; how many that
// are is known from the frames. Also what the log and its index take on the disk.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DidHasher } from '../lib/event/did-hash.ts';
import { hashDids, hashSubjects } from '../lib/fanout/hash-lists.ts';
import { openDatabase } from '../lib/level/database.ts';
import {
  blockKey,
  blockKeysEnd,
  descriptionKey,
  parts,
  readBlockKey,
  readHead,
} from '../lib/log/block-format.ts';
import { storeFolder } from '../lib/log/log-files.ts';
import { type ReadFilter, SegmentIndex, wants } from '../lib/log/segment-index.ts';
import { SubjectFilter } from '../lib/log/subject-filter.ts';
import { type ExpectedFrame, eventsOf } from '../simulator/lib/synthetic-frame.ts';
import { replay, sampleOf } from './load.ts';
import { TemporaryDirectory } from './processes.ts';
import { type RelayFrames, startCursor } from './relay-frames.ts';
import { type Figure, figureOf, type Measured, type Sample, short } from './report.ts';
import { Relay, type Server, type ServerKind } from './servers.ts';
import type { Session } from './session.ts';
import { subjectEventsOf } from './subject-events.ts';

/** Largest log; the others are a quarter and a sixteenth of it. */
const usualEvents = 4_000_000;
const logShares = [1 / 16, 1 / 4, 1];
const quickLogShares = [1];
/** Larger logs take the baseline too long to fill: its cost is a scan, so it grows with the log. */
const baselineEventsMax = 1_000_000;
/** One event of the rare collection in each round through these frames. */
const frameOptions = { frames: 10_000, accounts: 2_000, historyRecords: 10 };
const quickFrameOptions = { frames: 500, accounts: 100, historyRecords: 5 };
/** Replays of a round; the baseline's are long enough alone. */
const repeats = 3;
const wantedAccounts = 3;
const memtableBytes = 1024 * 1024;

/** What a reader wants, as the wire, the frames and the index of the log see it. */
interface Wanted {
  readonly name: string;
  readonly query: string;
  count(frame: ExpectedFrame): number;
  readFilter(hasher: DidHasher): ReadFilter;
  /** Whether the baseline can be asked for it. */
  readonly isPlain: boolean;
}

/** Sparse replays of both kinds on logs of each size, and the size of the logs. */
export async function sparseFigures(session: Session): Promise<Figure[]> {
  const frames = await session.makeFrames(session.quick ? quickFrameOptions : frameOptions);
  const wanted = [rareCollection(frames), quietAccounts(frames), await quietSubjects(frames)];
  const figures: Figure[] = [];
  const largest = session.events(usualEvents, 16_000);
  for (const share of session.quick ? quickLogShares : logShares)
    figures.push(...(await sizeFigures(session, frames, wanted, largest * share)));
  return figures;
}

async function sizeFigures(
  session: Session,
  frames: RelayFrames,
  wanted: readonly Wanted[],
  aboutEvents: number,
): Promise<Figure[]> {
  const backlog = frames.framesFor(aboutEvents);
  const events = frames.eventsOf(backlog);
  const size = `${short(aboutEvents)} events`;
  await using directory = await TemporaryDirectory.make();
  await using plainDirectory = await TemporaryDirectory.make();
  const figures: Figure[] = [];
  const hasBaseline = aboutEvents <= baselineEventsMax;
  {
    await using ours = await filled(session, 'node', frames, backlog, directory.path);
    await using baseline = hasBaseline
      ? await filled(session, 'baseline', frames, backlog, plainDirectory.path)
      : undefined;
    for (const one of wanted) {
      const matches = frames.countOf(backlog, one.count);
      const name = `${one.name} in ${size}`;
      session.note(`${name}: ${matches} of ${events} are wanted, those without a collection included`);
      const measured = await session.alternate(
        name,
        () => sparseReplay(ours, one, matches, events, repeats),
        one.isPlain ? baseline && (() => sparseReplay(baseline, one, matches, events, 1)) : undefined,
      );
      figures.push(figureOf(name, 'ms', 'lower', measured));
    }
  }
  const log = await measureLog(join(directory.path, storeFolder), wanted);
  for (const [at, { name }] of wanted.entries()) {
    const percent = (log.blocksRead[at] / log.blocks) * 100;
    figures.push(figureOf(`  blocks read, ${name}`, '% of log', 'lower', once(percent, log.events)));
  }
  const perEvent = (bytes: number): Sample => ({ value: bytes / events, events, bytes });
  figures.push(
    figureOf(`  log on disk, ${size}`, 'bytes/event', 'lower', {
      ours: [perEvent(directoryBytes(directory.path))],
      baseline: hasBaseline ? [perEvent(directoryBytes(plainDirectory.path))] : [],
    }),
    figureOf(
      '  of it segment indexes',
      'bytes/event',
      'lower',
      once(log.segmentBytes / log.events, log.events),
    ),
    figureOf('  of it subjects', 'bytes/event', 'lower', once(log.subjectBytes / log.events, log.events)),
  );
  return figures;
}

function once(value: number, events: number): Measured {
  return { ours: [{ value, events }], baseline: [] };
}

async function filled(
  session: Session,
  kind: ServerKind,
  frames: RelayFrames,
  backlog: number,
  dataDir: string,
): Promise<Server> {
  const events = frames.eventsOf(backlog);
  session.progress(`filling a log with ${short(events)} events (${kind})`);
  await using relay = await Relay.start(frames, { backlog });
  const server = await session.start(kind, { relay, dataDir, cursor: startCursor });
  await server.stored(events);
  return server;
}

async function sparseReplay(
  server: Server,
  { query }: Wanted,
  matches: number,
  logEvents: number,
  times: number,
): Promise<Sample> {
  const load = await replay(server, `cursor=0&${query}`, matches, times);
  // Of the log: what skipping saves is the point.
  const perLog = { ...load, messages: logEvents * times };
  return sampleOf(perLog, (load.seconds * 1000) / times);
}

/** The collection with the fewest events, at least one. Events without a collection pass its filter, as in v1. */
function rareCollection(frames: RelayFrames): Wanted {
  const counts = new Map<string, number>();
  for (const frame of frames.once()) {
    for (const { collection } of frame.ops) counts.set(collection, (counts.get(collection) ?? 0) + 1);
  }
  const [rare] = rarest(counts, 1);
  return {
    name: 'rare collection',
    query: `wantedCollections=${rare}`,
    count: (frame) =>
      frame.kind === 'commit'
        ? frame.ops.filter(({ collection }) => collection === rare).length
        : eventsOf(frame),
    readFilter: () => ({ wantsCollection: (collection) => collection === rare }),
    isPlain: true,
  };
}

/** The accounts with the fewest events, at least one each. */
function quietAccounts(frames: RelayFrames): Wanted {
  const counts = new Map<string, number>();
  for (const frame of frames.once()) {
    const events = eventsOf(frame);
    if (events > 0) counts.set(frame.did, (counts.get(frame.did) ?? 0) + events);
  }
  const dids = rarest(counts, wantedAccounts);
  return {
    name: `${wantedAccounts} DIDs`,
    query: dids.map((did) => `wantedDids=${did}`).join('&'),
    count: (frame) => (dids.includes(frame.did) ? eventsOf(frame) : 0),
    readFilter: (hasher) => ({ didHashes: hashDids(new Set(dids), hasher) }),
    isPlain: true,
  };
}

/** The accounts that the fewest new records point at, at least one each. */
async function quietSubjects(frames: RelayFrames): Promise<Wanted> {
  const created: (readonly string[])[][] = [...frames.once()].map(() => []);
  const counts = new Map<string, number>();
  for await (const { frame, operation, accounts } of subjectEventsOf(frames)) {
    if (operation !== 'create') continue;
    created[frame].push([...accounts]);
    for (const did of accounts) counts.set(did, (counts.get(did) ?? 0) + 1);
  }
  const dids = rarest(counts, wantedAccounts);
  const matches = new Map(
    [...frames.once()].map((frame, at) => [
      frame,
      created[at].filter((accounts) => accounts.some((did) => dids.includes(did))).length,
    ]),
  );
  return {
    name: `${wantedAccounts} subjects`,
    query: `wantedOperations=create&${dids.map((did) => `wantedSubjects=${did}`).join('&')}`,
    count: (frame) => matches.get(frame) ?? 0,
    readFilter: (hasher) => ({ subjectHashes: hashSubjects(new Set(dids), hasher) }),
    isPlain: false,
  };
}

function rarest(counts: ReadonlyMap<string, number>, count: number): string[] {
  const sorted = [...counts].sort(([, a], [, b]) => a - b);
  return sorted.slice(0, count).map(([name]) => name);
}

/** What a log's index says. */
interface LogShape {
  events: number;
  blocks: number;
  /** Bytes of the stored segment indexes, and of events without a collection. */
  segmentBytes: number;
  /** Bytes of what events point at, and of the segments' filters for it. */
  subjectBytes: number;
  /** Of the blocks, how many each of the readers has to read. */
  readonly blocksRead: number[];
}

/** Looks into a block store that no process has open. Reads its segment indexes and heads, not its payloads. */
async function measureLog(location: string, wanted: readonly Wanted[]): Promise<LogShape> {
  const db = await openDatabase(location, { writeBufferBytes: memtableBytes, createIfMissing: false });
  try {
    const description = JSON.parse(Buffer.from((await db.get(descriptionKey)) ?? []).toString());
    const hasher = new DidHasher(Buffer.from(description.didHashKey, 'hex'));
    const filters = wanted.map((one) => one.readFilter(hasher));
    const shape: LogShape = {
      events: 0,
      blocks: 0,
      segmentBytes: 0,
      subjectBytes: 0,
      blocksRead: filters.map(() => 0),
    };
    const addSegment = (segment: SegmentIndex, subjects: SubjectFilter | undefined): void => {
      shape.blocks += segment.count;
      for (const [at, filter] of filters.entries()) {
        const { subjectHashes } = filter;
        for (const [block, may] of segment.mayMatch(filter).entries()) {
          const isWanted = subjectHashes === undefined || subjects?.mayMatch(block, subjectHashes) !== false;
          if (may === wants.block && isWanted) shape.blocksRead[at]++;
        }
      }
    };
    let open = new SegmentIndex(0);
    let closed: SegmentIndex | undefined;
    const iterator = db.iterator({ gte: blockKey(0, parts.head), lt: blockKeysEnd });
    for (let entry = await iterator.next(); entry !== undefined; entry = await iterator.next()) {
      const { lastTimeUs, part } = readBlockKey(entry[0]) ?? { lastTimeUs: 0, part: parts.json };
      if (part === parts.head) {
        const { index } = readHead(entry[1]);
        open.add(index);
        shape.events += index.count;
        iterator.seek(blockKey(lastTimeUs, parts.segment));
      } else if (part === parts.segment) {
        shape.segmentBytes += entry[1].length;
        closed = SegmentIndex.read(entry[1]);
        open = new SegmentIndex(lastTimeUs);
      } else if (part === parts.withoutCollection) {
        shape.segmentBytes += entry[1].length;
      } else if (part === parts.subjects) {
        shape.subjectBytes += entry[1].length;
      } else if (part === parts.subjectFilter) {
        shape.subjectBytes += entry[1].length;
        addSegment(closed as SegmentIndex, SubjectFilter.read(entry[1]));
      }
    }
    await iterator.close();
    addSegment(open, undefined);
    return shape;
  } finally {
    await db.close();
  }
}

function directoryBytes(path: string): number {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
