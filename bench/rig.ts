// A server under live load with all that it needs: a relay whose rate can be changed, and a data directory. The peer is
// one too, with what it has already. Figures start one for each measurement and dispose of it.

import { TemporaryDirectory } from './processes.ts';
import { type RelayFrames, startCursor } from './relay-frames.ts';
import { Relay, type Server, type Target } from './servers.ts';
import type { Session, SideKind } from './session.ts';

/** What a rig starts with. */
export interface RigOptions {
  /** Events a second that the relay publishes from the start on; Infinity: as many as are taken. */
  readonly rate: number;
  /** Events that are there before; nearly all of them are stored when the rig is ready. */
  readonly backlog?: number;
  /** Default: those of the session. */
  readonly frames?: RelayFrames;
  /** Fan-out workers of our daemon, in place of those of the session. */
  readonly workers?: number;
}

/** What a server reads. */
export interface Feed {
  /** Events a second from now on. */
  setRate(events: number): Promise<void>;
  /** Events that have been published so far. */
  publishedEvents(): Promise<number>;
}

/** Of a backlog: the rest is on its way. */
const storedShare = 0.95;

/** See the file comment. */
export class Rig implements AsyncDisposable {
  readonly target: Target;
  readonly feed: Feed;
  readonly #server: Server | undefined;
  /** In the order in which they were opened. */
  readonly #parts: readonly AsyncDisposable[];

  private constructor(target: Target, feed: Feed, server: Server | undefined, parts: AsyncDisposable[]) {
    this.target = target;
    this.feed = feed;
    this.#server = server;
    this.#parts = parts;
  }

  /** @throws when it is to be the peer and there is none. */
  static async start(session: Session, kind: SideKind, options: RigOptions): Promise<Rig> {
    if (kind !== 'peer') return Rig.#startServer(session, kind, options);
    const { peer } = session;
    if (peer === undefined) throw new Error('there is no peer');
    await peer.setRate(options.rate);
    return new Rig(peer, peer, undefined, [peer]);
  }

  static async #startServer(
    session: Session,
    kind: Exclude<SideKind, 'peer'>,
    { rate, backlog, frames: own, workers }: RigOptions,
  ): Promise<Rig> {
    const frames = own ?? (await session.frames());
    const directory = await TemporaryDirectory.make();
    const start = {
      rate: frames.framesFor(rate),
      ...(backlog !== undefined && { backlog: frames.framesFor(backlog) }),
    };
    const relay = await Relay.start(frames, start);
    const server = await session.start(kind, {
      ...{ relay, dataDir: directory.path },
      ...(backlog !== undefined && { cursor: startCursor }),
      ...(workers !== undefined && { workers }),
    });
    await server.stored((backlog ?? 0) * storedShare);
    const feed: Feed = {
      setRate: (events) => relay.setRate(frames.framesFor(events)),
      publishedEvents: () => relay.publishedEvents(),
    };
    return new Rig(server, feed, server, [directory, relay, server]);
  }

  /** A metric of the server (`Server.metric`); NaN for the peer, whose metrics are not ours to name. */
  async metric(name: string): Promise<number> {
    return (await this.#server?.metric(name)) ?? Number.NaN;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of this.#parts.toReversed()) await part[Symbol.asyncDispose]();
  }
}
