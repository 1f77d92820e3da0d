// Replay of a whole log to one consumer on the same machine, from the newest blocks that the daemon holds in memory, and
// from LevelDB after a restart. The baseline has no such memory: its keys are iterated either way.

import { defaultDictionaryId } from '../lib/codec/dictionary.ts';
import { rateOf, replay, sampleOf } from './load.ts';
import type { Peer } from './peer.ts';
import { dropPageCache, TemporaryDirectory } from './processes.ts';
import { startCursor } from './relay-frames.ts';
import { type Figure, figureOf, type Sample } from './report.ts';
import { onSecondWire, Relay, type Server, type ServerKind } from './servers.ts';
import type { Session } from './session.ts';

/** Events that fit into 48 MiB of memory with room to spare. */
const memoryEventsMax = 40_000;
/** Replays of a round: enough for the 10 ms that processor time is counted in not to matter. */
const memoryRepeats = 25;
/** The baseline and a peer take longer. */
const plainRepeats = 4;
const baselineShare = 1 / 5;
/** Events a second at which a peer is given something to replay. */
const peerRate = 2_000;
const encodings = [
  { name: 'JSON', query: '' },
  { name: 'zstd', query: `&compress=true&zstdDictionary=${defaultDictionaryId}` },
] as const;

/** Replay from memory and from the disk, of both encodings. */
export async function replayFigures(session: Session): Promise<Figure[]> {
  return [...(await memoryFigures(session)), ...(await diskFigures(session))];
}

async function memoryFigures(session: Session): Promise<Figure[]> {
  const events = Math.min(session.events(memoryEventsMax, 5_000), memoryEventsMax);
  await using ours = await FilledLog.make(session, 'node', events);
  await using baseline = await FilledLog.make(session, 'baseline', events);
  const { peer } = session;
  const known = peer && (await peer.remember(peerRate, session.quick ? 2 : 20));
  if (known !== undefined) session.note(`replay: the peer replays ${known.events} events, ours ${events}`);
  const figures: Figure[] = [];
  for (const encoding of encodings) {
    const name = `replay from memory, ${encoding.name}`;
    const measured = await session.alternate(
      name,
      () => ours.replay(encoding.query, session.quick ? 4 : memoryRepeats),
      () => baseline.replay(encoding.query, session.quick ? 1 : plainRepeats),
      peer && known && (() => replayPeer(peer, known, encoding.query, session.quick ? 1 : plainRepeats)),
    );
    figures.push(figureOf(name, 'events/s', 'higher', measured));
  }
  return figures;
}

async function replayPeer(
  peer: Peer,
  { cursor, events }: { readonly cursor: number; readonly events: number },
  query: string,
  repeat: number,
): Promise<Sample> {
  const load = await replay(peer, `cursor=${cursor}${query}`, events, repeat);
  return sampleOf(load, rateOf(load));
}

async function diskFigures(session: Session): Promise<Figure[]> {
  const events = session.events(500_000, 20_000);
  await using ours = await FilledLog.make(session, 'node', events);
  await using baseline = await FilledLog.make(session, 'baseline', events * baselineShare);
  const figures: Figure[] = [];
  for (const encoding of encodings) {
    const name = `replay from LevelDB, ${encoding.name}`;
    const restarted = async (log: FilledLog): Promise<Sample> => {
      const dropped = await log.restart(!session.quick);
      session.note(`replay from LevelDB: page cache ${dropped ? 'emptied' : 'warm'} before each replay`);
      return log.replay(encoding.query, 1);
    };
    const measured = await session.alternate(
      name,
      () => restarted(ours),
      () => restarted(baseline),
    );
    figures.push(figureOf(name, 'events/s', 'higher', measured));
  }
  return figures;
}

/** A server whose log holds a known number of events, and its relay, which has no more. */
export class FilledLog implements AsyncDisposable {
  readonly #session: Session;
  readonly #kind: ServerKind;
  readonly #events: number;
  readonly #directory: TemporaryDirectory;
  readonly #relay: Relay;
  #server: Server;

  private constructor(
    session: Session,
    kind: ServerKind,
    events: number,
    directory: TemporaryDirectory,
    relay: Relay,
    server: Server,
  ) {
    this.#session = session;
    this.#kind = kind;
    this.#events = events;
    this.#directory = directory;
    this.#relay = relay;
    this.#server = server;
  }

  static async make(session: Session, kind: ServerKind, aboutEvents: number): Promise<FilledLog> {
    const frames = await session.frames();
    const backlog = frames.framesFor(aboutEvents);
    const events = frames.eventsOf(backlog);
    const directory = await TemporaryDirectory.make();
    const relay = await Relay.start(frames, { backlog });
    const server = await session.start(kind, { relay, dataDir: directory.path, cursor: startCursor });
    await server.stored(events);
    return new FilledLog(session, kind, events, directory, relay, server);
  }

  /** Starts the server anew on its data. Returns whether the page cache was emptied in between. */
  async restart(dropCache: boolean): Promise<boolean> {
    await this.#server.process.stop();
    const dropped = dropCache && dropPageCache();
    // Live: the baseline does not know its place, and the relay has nothing new.
    const options = { relay: this.#relay, dataDir: this.#directory.path };
    this.#server = await this.#session.start(this.#kind, options);
    return dropped;
  }

  /** Replays the whole log `repeat` times, to `readers` at once. */
  async replay(query: string, repeat: number, isSecondWire = false, readers = 1): Promise<Sample> {
    const target = isSecondWire ? onSecondWire(this.#server) : this.#server;
    const load = await replay(target, `cursor=0${query}`, this.#events, repeat, readers);
    return sampleOf(load, rateOf(load));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.process.stop();
    await this.#relay[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}
