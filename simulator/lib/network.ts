// A synthetic network: accounts with real repositories that post, like, follow, rename themselves and leave, as a
// sequence of frames that follows from the seed and from what callers have its accounts do. Owns who acts when, and the
// messages; writes, records, trees and CBOR live beside it. Unless it is given a clock, the time in its frames is
// simulated.

import { tidOf } from '../../lib/event/tid.ts';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { firstSigningKey, identify, SyntheticAccount } from './account.ts';
import { type AccountRecord, AccountRegister, type KeyOperations } from './account-register.ts';
import { type AccountStatus, type ChosenAct, checkWrites, unknownAccount } from './chosen-act.ts';
import { CollectionMix, defaultWeights } from './collection-mix.ts';
import { encodeMessage } from './frame-encoder.ts';
import type { RepoWrite } from './repo-builder.ts';
import { defaultFirstSeq } from './sequence-plan.ts';
import { deriveSigningKey } from './signing-key.ts';
import { expectedOps, type SyntheticFrame } from './synthetic-frame.ts';
import { WritePlanner } from './write-planner.ts';

/** Shares of the frames that are no commits, in [0, 1) together. */
export interface FrameShares {
  readonly identity: number;
  readonly account: number;
  readonly sync: number;
  /** An account joins: an identity, an account, a first commit and a sync frame. */
  readonly join: number;
}

/** What a network looks like. Everything has a default but the seed. */
export interface NetworkOptions {
  readonly seed: string;
  /** Accounts that act, most of them seldom. Default 64. */
  readonly accounts?: number;
  readonly mix?: CollectionMix;
  readonly shares?: Partial<FrameShares>;
  /** Sequence of the first frame. Default {@link defaultFirstSeq}. */
  readonly firstSeq?: number;
  /** Simulated moment of the first frame. Default 2026-01-01. */
  readonly startTimeMs?: number;
  /** Dates frames by a clock instead of simulated time; the bytes are then no longer the same for a seed. */
  readonly nowMs?: () => number;
  /** Mean step of simulated time between frames. Default 2,000: 500 frames a second. */
  readonly stepUs?: number;
  /** Records that a repository holds before its first frame: sets the size of proofs. Default 150. */
  readonly historyRecords?: number;
  /** Records from which on an account only deletes: bounds memory, with `accounts`. Default 1,500. */
  readonly recordsMax?: number;
}

/** An account of the network. */
export interface AccountName {
  readonly did: string;
  readonly handle: string;
}

const defaultStartTimeMs = Date.UTC(2026, 0, 1);
const defaultShares: FrameShares = { identity: 0.005, account: 0.004, sync: 0.003, join: 0.001 };
const statuses: readonly AccountStatus[] = ['deactivated', 'takendown', 'suspended', 'deleted'];

type Step = (seq: number, time: string) => SyntheticFrame | Promise<SyntheticFrame>;

/** Yields the frames of a network, one after the other. */
export class SyntheticNetwork {
  readonly #seed: string;
  readonly #slots: number;
  readonly #shares: FrameShares;
  readonly #historyRecords: number;
  readonly #stepUs: number;
  readonly #nowMs: (() => number) | undefined;
  readonly #random: SeededRandom;
  readonly #planner: WritePlanner;
  readonly #accounts: (SyntheticAccount | undefined)[];
  readonly #generations: number[];
  /** Frames that follow from an earlier one, in order. */
  readonly #pending: Step[] = [];
  /** What callers chose; before everything else. */
  readonly #chosen: Step[] = [];
  readonly #register = new AccountRegister();
  #timeUs: number;
  #nextSeq: number;

  constructor(options: NetworkOptions) {
    this.#seed = options.seed;
    this.#slots = options.accounts ?? 64;
    this.#shares = { ...defaultShares, ...options.shares };
    const recordsMax = options.recordsMax ?? 1500;
    this.#historyRecords = Math.min(options.historyRecords ?? 150, recordsMax);
    this.#stepUs = options.stepUs ?? 2000;
    this.#nowMs = options.nowMs;
    this.#timeUs = (options.startTimeMs ?? defaultStartTimeMs) * 1000;
    this.#nextSeq = options.firstSeq ?? defaultFirstSeq;
    this.#random = new SeededRandom(options.seed, 'network');
    this.#accounts = Array.from({ length: this.#slots });
    this.#generations = Array.from({ length: this.#slots }, () => 0);
    this.#planner = new WritePlanner({
      seed: options.seed,
      mix: options.mix ?? new CollectionMix(defaultWeights()),
      recordsMax,
      someDid: (random) => {
        const slot = random.int(this.#slots);
        return identify(this.#seed, slot, this.#generations[slot]).did;
      },
    });
  }

  /**
   * The next frame. One call at a time: the next begins when the promise of the last is fulfilled.
   * @param seq its sequence; the one after the last by default.
   */
  async next(seq: number = this.#nextSeq): Promise<SyntheticFrame> {
    this.#nextSeq = seq + 1;
    const simulatedUs = this.#timeUs + 1 + this.#random.int(2 * this.#stepUs);
    this.#timeUs =
      this.#nowMs === undefined ? simulatedUs : Math.max(this.#timeUs + 1, Math.floor(this.#nowMs() * 1000));
    const time = new Date(this.#timeUs / 1000).toISOString();
    const step = this.#chosen.shift() ?? this.#pending.shift() ?? (await this.#chooseStep());
    return step(seq, time);
  }

  /**
   * Has an account do something in the next frame; `made` is told of that frame. One call at a time, and none of `next`
   * meanwhile. @throws CodedError `SIMULATOR_ACCOUNT_UNKNOWN`, `SIMULATOR_ACCOUNT_INACTIVE`, `SIMULATOR_WRITE_INVALID`;
   * then no frame changes.
   */
  async choose(act: ChosenAct, made: (frame: SyntheticFrame) => void): Promise<void> {
    const slot = this.#slotOf(act.did);
    const account = await this.#accountAt(slot);
    if (act.kind === 'commit') await checkWrites(account, act.writes);
    this.#chosen.push(async (seq, time) => {
      const frame = await this.#carryOut(act, account, slot, seq, time);
      made(frame);
      return frame;
    });
  }

  /** The accounts that there are, by slot. */
  accounts(): AccountName[] {
    return this.#generations.map((generation, slot) => {
      const { did, handle } = this.#accounts[slot] ?? identify(this.#seed, slot, generation);
      return { did, handle };
    });
  }

  /** Milliseconds of the newest frame. */
  get timeMs(): number {
    return Math.floor(this.#timeUs / 1000);
  }

  /** Records in all repositories: with the history, what the network holds in memory. */
  get recordCount(): number {
    return this.#accounts.reduce((total, account) => total + (account?.recordCount ?? 0), 0);
  }

  /** Public key of an account that a frame was about, as `did:key:…`. */
  signingKeyOf(did: string): string | undefined {
    return this.#register.get(did)?.keys.at(-1)?.key;
  }

  /** What a directory knows of an account. */
  async recordOf(did: string): Promise<AccountRecord | undefined> {
    const slot = this.#findSlot(did);
    if (slot >= 0 && this.#register.get(did) === undefined) {
      const { handle } = identify(this.#seed, slot, this.#generations[slot]);
      const key = await firstSigningKey(this.#seed, slot, this.#generations[slot]);
      this.#register.open(did, handle, key.did());
    }
    return this.#register.get(did);
  }

  /** Accounts that something was seen of, those that are gone included. */
  readonly records = (): Iterable<AccountRecord> => this.#register.all();

  get operations(): KeyOperations {
    return this.#register;
  }

  #findSlot(did: string): number {
    return this.#generations.findIndex(
      (generation, at) => (this.#accounts[at] ?? identify(this.#seed, at, generation)).did === did,
    );
  }

  #slotOf(did: string): number {
    const slot = this.#findSlot(did);
    if (slot < 0) throw unknownAccount(did);
    return slot;
  }

  #carryOut(
    act: ChosenAct,
    account: SyntheticAccount,
    slot: number,
    seq: number,
    time: string,
  ): SyntheticFrame | Promise<SyntheticFrame> {
    if (act.kind === 'commit') {
      const keyed = act.writes.map((write, index): RepoWrite => {
        return { ...write, rkey: write.rkey ?? tidOf(this.#timeUs - 200 + index, account.clockId) };
      });
      return this.#commitFrame(account, keyed, seq, time);
    }
    if (act.kind === 'account') {
      if (act.status === 'deleted') this.#vacate(slot);
      return this.#accountFrame(account, act.status, seq, time);
    }
    if (act.kind === 'key') return this.#rotateKey(account, seq, time);
    account.handle = act.handle ?? account.handle;
    this.#register.rename(account.did, account.handle);
    return this.#identityFrame(account, true, seq, time);
  }

  /** From now on it signs with another key, of the other curve. */
  async #rotateKey(account: SyntheticAccount, seq: number, time: string): Promise<SyntheticFrame> {
    const count = this.#register.get(account.did)?.keys.length ?? 1;
    const curve = count % 2 === 0 ? 'secp256k1' : 'p256';
    account.useKey(await deriveSigningKey(this.#seed, `${account.did}/${count}`, curve));
    this.#register.addKey(account.did, { key: account.key.did(), fromMs: this.timeMs });
    return this.#identityFrame(account, true, seq, time);
  }

  async #chooseStep(): Promise<Step> {
    const { identity, account, sync, join } = this.#shares;
    let draw = this.#random.float();
    const slot = this.#chooseSlot();
    if (draw < join) {
      return this.#join(slot);
    }
    const actor = await this.#accountAt(slot);
    draw -= join;
    if (draw >= 0 && draw < account) {
      return this.#changeStatus(actor, slot);
    }
    draw -= account;
    if (!actor.active) {
      return (seq, time) => this.#accountFrame(actor, undefined, seq, time);
    }
    if (draw >= 0 && draw < identity) {
      return (seq, time) => this.#identityFrame(actor, this.#random.chance(0.5), seq, time);
    }
    draw -= identity;
    if (draw >= 0 && draw < sync) {
      return (seq, time) => this.#syncFrame(actor, seq, time);
    }
    return (seq, time) => this.#commitFrame(actor, this.#planner.plan(actor, this.#timeUs), seq, time);
  }

  /** Few accounts write most: the square puts half of all frames on a quarter of the slots and more. */
  #chooseSlot(): number {
    return Math.floor(this.#slots * this.#random.float() ** 2);
  }

  async #accountAt(slot: number): Promise<SyntheticAccount> {
    const known = this.#accounts[slot];
    if (known !== undefined) {
      return known;
    }
    const account = await this.#openAccount(slot);
    const writes = this.#planner.planHistory(account, this.#historyRecords, this.#timeUs);
    await account.repo.addHistory(writes, tidOf(this.#timeUs - 60_000_000, account.clockId));
    for (const write of writes) {
      account.note(write);
    }
    return account;
  }

  async #openAccount(slot: number): Promise<SyntheticAccount> {
    const account = await SyntheticAccount.create(this.#seed, slot, this.#generations[slot]);
    this.#accounts[slot] = account;
    this.#register.open(account.did, account.handle, account.key.did());
    return account;
  }

  /** Puts a new account into a slot; the one before falls silent. */
  async #join(slot: number): Promise<Step> {
    this.#generations[slot]++;
    const account = await this.#openAccount(slot);
    this.#pending.push(
      (seq, time) => this.#accountFrame(account, undefined, seq, time),
      (seq, time) =>
        this.#commitFrame(account, this.#planner.planHistory(account, 1, this.#timeUs), seq, time),
      (seq, time) => this.#syncFrame(account, seq, time),
    );
    return (seq, time) => this.#identityFrame(account, true, seq, time);
  }

  #changeStatus(account: SyntheticAccount, slot: number): Step {
    const status = account.active ? this.#random.pick(statuses) : undefined;
    if (status === 'deleted') this.#vacate(slot);
    return (seq, time) => this.#accountFrame(account, status, seq, time);
  }

  /** The account of a slot is gone; the next that acts there is another one. */
  #vacate(slot: number): void {
    this.#generations[slot]++;
    this.#accounts[slot] = undefined;
  }

  #identityFrame(account: SyntheticAccount, withHandle: boolean, seq: number, time: string): SyntheticFrame {
    const { did, handle } = account;
    const bytes = encodeMessage('#identity', withHandle ? { did, seq, time, handle } : { did, seq, time });
    return { seq, bytes, kind: 'identity', did, rev: '', ops: [] };
  }

  /** @param status why it is not active; undefined makes it active. */
  #accountFrame(
    account: SyntheticAccount,
    status: string | undefined,
    seq: number,
    time: string,
  ): SyntheticFrame {
    const { did } = account;
    account.active = status === undefined;
    const body = { did, seq, time, active: account.active };
    const bytes = encodeMessage('#account', status === undefined ? body : { ...body, status });
    return { seq, bytes, kind: 'account', did, rev: '', ops: [] };
  }

  async #syncFrame(account: SyntheticAccount, seq: number, time: string): Promise<SyntheticFrame> {
    const { did } = account;
    const rev = this.#newRev(account);
    const { car } = await account.repo.resign(rev);
    const bytes = encodeMessage('#sync', { did, seq, time, rev, blocks: car });
    return { seq, bytes, kind: 'none', did, rev, ops: [] };
  }

  async #commitFrame(
    account: SyntheticAccount,
    writes: readonly RepoWrite[],
    seq: number,
    time: string,
  ): Promise<SyntheticFrame> {
    const { did, repo } = account;
    const { cid, rev, since, prevData, ops, car } = await repo.commit(writes, this.#newRev(account));
    for (const write of writes) {
      account.note(write);
      if (write.collection === 'app.bsky.feed.post' && write.action === 'create') {
        const uri = `at://${did}/app.bsky.feed.post/${write.rkey}`;
        this.#planner.rememberPost({ uri, cid: repo.cidAt(`app.bsky.feed.post/${write.rkey}`) ?? '' });
      }
    }
    const body = { seq, repo: did, rev, since, time, commit: cid, blocks: car, ops, blobs: [] };
    const flags = { rebase: false, tooBig: false };
    const bytes = encodeMessage('#commit', { ...body, ...flags, ...(prevData === null ? {} : { prevData }) });
    return { seq, bytes, kind: 'commit', did, rev, ops: expectedOps(ops) };
  }

  #newRev(account: SyntheticAccount): string {
    return tidOf(this.#timeUs - 50, account.clockId);
  }
}
