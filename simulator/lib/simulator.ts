// The package's entry: a local network for tests, with its relay in this process. What its accounts do is chosen by the
// caller, made up at a rate, or both. It owns the order of what is chosen; frames are the network's, sockets the relay's.

import type { AccountStatus, ChosenAct, ChosenWrite } from './chosen-act.ts';
import { CollectionMix, defaultWeights } from './collection-mix.ts';
import { type DirectoryOptions, DirectoryServer } from './directory-server.ts';
import { type AccountName, SyntheticNetwork } from './network.ts';
import { NetworkHistory } from './network-history.ts';
import type { RecordValue } from './record-context.ts';
import type { CutKind } from './relay-connection.ts';
import type { RelayFaults } from './relay-faults.ts';
import { RelayServer } from './relay-server.ts';
import type { SyntheticFrame } from './synthetic-frame.ts';

export type { AccountStatus, ChosenWrite } from './chosen-act.ts';
export type { DirectoryFaults, DirectoryOptions, DirectoryServer } from './directory-server.ts';
export type { AccountName } from './network.ts';
export type { RecordValue } from './record-context.ts';
export type { CutKind } from './relay-connection.ts';
export type { RelayFaults } from './relay-faults.ts';

/** What a network looks like. Everything has a default. */
export interface LocalNetworkOptions {
  /** The same seed and the same calls give the same frames, byte for byte. Default `1`. */
  readonly seed?: string;
  /** Default 8. */
  readonly accounts?: number;
  /** Made-up frames a second; Infinity for as many as the fastest reader takes. Default 0: only what you call for. */
  readonly rate?: number;
  /** Made-up frames that are there before the first reader comes. Default 0. */
  readonly backlog?: number;
  /** Weights of the collections that made-up frames write to. Default: as the real network. */
  readonly mix?: Readonly<Record<string, number>>;
  /** What the relay does wrong. Default: nothing. */
  readonly faults?: Partial<RelayFaults>;
  /** Default: one that is free. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Sequence of the first frame. Default 30,000,000,001: as wide as the real relay's. */
  readonly firstSeq?: number;
  /** Dates frames by the clock, in place of simulated time from 2026-01-01 on; bytes then differ from run to run. */
  readonly wallClock?: boolean;
  /** Records that each repository has before its first frame. Default 20. */
  readonly historyRecords?: number;
  /** Records from which on an account only deletes. Default 1,500. */
  readonly recordsMax?: number;
  /** Bytes of frames kept for readers with a cursor. Default 256 MiB. */
  readonly historyBytesMax?: number;
}

/** A record as it was written. */
export interface WrittenRecord {
  readonly uri: string;
  readonly did: string;
  readonly collection: string;
  readonly rkey: string;
  /** Undefined for a deletion. */
  readonly cid: string | undefined;
  readonly rev: string;
  /** Sequence of the frame. */
  readonly seq: number;
}

/** A network and its relay. `await using` closes it. */
export class LocalNetwork implements AsyncDisposable {
  readonly #network: SyntheticNetwork;
  readonly #history: NetworkHistory;
  readonly #relay: RelayServer;
  readonly #directories: DirectoryServer[] = [];
  /** Chosen acts are carried out one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(network: SyntheticNetwork, history: NetworkHistory, relay: RelayServer) {
    this.#network = network;
    this.#history = history;
    this.#relay = relay;
  }

  /** See {@link startNetwork}. */
  static async start(options: LocalNetworkOptions): Promise<LocalNetwork> {
    const { firstSeq, historyBytesMax, recordsMax, port, host, faults } = options;
    const network = new SyntheticNetwork({
      seed: options.seed ?? '1',
      accounts: options.accounts ?? 8,
      historyRecords: options.historyRecords ?? 20,
      mix: new CollectionMix(options.mix ?? defaultWeights()),
      ...(recordsMax === undefined ? {} : { recordsMax }),
      ...(options.wallClock ? { nowMs: Date.now } : {}),
    });
    const history = new NetworkHistory(network, {
      ...(firstSeq === undefined ? {} : { firstSeq }),
      ...(historyBytesMax === undefined ? {} : { historyBytesMax }),
    });
    const relay = await RelayServer.listen({
      source: history,
      framesPerSecond: options.rate ?? 0,
      backlogFrames: options.backlog ?? 0,
      ...(port === undefined ? {} : { port }),
      ...(host === undefined ? {} : { host }),
      ...(faults === undefined ? {} : { faults }),
    });
    return new LocalNetwork(network, history, relay);
  }

  /** `ws://host:port`; the stream is at `/xrpc/com.atproto.sync.subscribeRepos`. */
  get url(): string {
    return this.#relay.url;
  }

  /** The accounts that there are. The first one acts where no other is named. */
  get accounts(): readonly AccountName[] {
    return this.#network.accounts();
  }

  /** Sequence of the newest frame. */
  get headSeq(): number {
    return this.#relay.headSeq;
  }

  /** Readers connected. */
  get readers(): number {
    return this.#relay.connections;
  }

  /** Fulfilled when that many readers are connected. */
  connected(readers = 1): Promise<void> {
    return this.#relay.readers(readers);
  }

  /** Writes a post. */
  post(text: string, did = this.accounts[0].did): Promise<WrittenRecord> {
    const createdAt = new Date(this.#network.timeMs).toISOString();
    return this.create('app.bsky.feed.post', { $type: 'app.bsky.feed.post', text, createdAt }, did);
  }

  /** Creates a record, under a new TID. For a key of your own there is {@link commit}. */
  async create(collection: string, record: RecordValue, did = this.accounts[0].did): Promise<WrittenRecord> {
    const [written] = await this.commit([{ action: 'create', collection, record }], did);
    return written;
  }

  /** Changes a record, given by its at-uri. */
  async update(uri: string, record: RecordValue): Promise<WrittenRecord> {
    const [did, collection, rkey] = partsOf(uri);
    const [written] = await this.commit([{ action: 'update', collection, rkey, record }], did);
    return written;
  }

  /** Deletes a record, given by its at-uri. */
  async delete(uri: string): Promise<WrittenRecord> {
    const [did, collection, rkey] = partsOf(uri);
    const [written] = await this.commit([{ action: 'delete', collection, rkey }], did);
    return written;
  }

  /**
   * Writes all of it in one commit, each to a record of its own. @throws CodedError `SIMULATOR_WRITE_INVALID`,
   * `SIMULATOR_ACCOUNT_UNKNOWN`, `SIMULATOR_ACCOUNT_INACTIVE`: nothing was published.
   */
  async commit(writes: readonly ChosenWrite[], did = this.accounts[0].did): Promise<WrittenRecord[]> {
    const { ops, rev, seq } = await this.#carryOut({ kind: 'commit', did, writes });
    return ops.map(({ collection, rkey, cid }) => {
      return { uri: `at://${did}/${collection}/${rkey}`, did, collection, rkey, cid, rev, seq };
    });
  }

  /**
   * The account signs with another key from now on, of the other curve, and an identity event says that something changed. Returns
   * its sequence.
   */
  async rotateKey(did = this.accounts[0].did): Promise<number> {
    return (await this.#carryOut({ kind: 'key', did })).seq;
  }

  /** Starts a directory, PLC and did:web, that knows the accounts. It ends with the network. */
  async startDirectory(options: DirectoryOptions = {}): Promise<DirectoryServer> {
    const directory = await DirectoryServer.listen(this.#network, options);
    this.#directories.push(directory);
    return directory;
  }

  /** Publishes an identity event; with a handle, the account is renamed. Returns its sequence. */
  async identity(did = this.accounts[0].did, handle?: string): Promise<number> {
    return (await this.#carryOut({ kind: 'identity', did, handle })).seq;
  }

  /**
   * Publishes an account event. One that is not active does not write; one that is deleted is no account any more, and
   * another one takes its turn. Returns its sequence.
   */
  async setStatus(did: string, status: AccountStatus | 'active'): Promise<number> {
    const reason = status === 'active' ? undefined : status;
    return (await this.#carryOut({ kind: 'account', did, status: reason })).seq;
  }

  /** Publishes made-up frames, whatever the rate. */
  publish(frames: number): Promise<void> {
    return this.#relay.publish(frames);
  }

  /** Made-up frames a second from now on. */
  setRate(framesPerSecond: number): void {
    this.#relay.setRate(framesPerSecond);
  }

  /** What the relay does wrong from now on. */
  setFaults(faults: Partial<RelayFaults>): void {
    this.#relay.setFaults(faults);
  }

  /** Ends every connection now. */
  dropConnections(kind: CutKind = 'end'): void {
    this.#relay.dropConnections(kind);
  }

  /** Ends every connection, the relay and directories. */
  async close(): Promise<void> {
    await Promise.all(this.#directories.splice(0).map((directory) => directory.close()));
    await this.#relay.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #carryOut(act: ChosenAct): Promise<SyntheticFrame> {
    const done = this.#last.then(async () => {
      const { promise, resolve } = Promise.withResolvers<SyntheticFrame>();
      await this.#history.choose(act, resolve);
      await this.#relay.publish(1);
      return promise;
    });
    this.#last = done.catch(() => {});
    return done;
  }
}

/** Starts a network with a relay that listens. `await using network = await startNetwork()` closes it at the end. */
export function startNetwork(options: LocalNetworkOptions = {}): Promise<LocalNetwork> {
  return LocalNetwork.start(options);
}

function partsOf(uri: string): [did: string, collection: string, rkey: string] {
  const [did = '', collection = '', rkey = ''] = uri.replace(/^at:\/\//, '').split('/');
  return [did, collection, rkey];
}
