// Checks one frame after the other and counts what is found. It remembers where each account is, in bounded memory, and asks for a
// second opinion on what would be called refuted or incomplete. What it found is a plain object; report.ts makes text of it.

import { Frame, frameTypes } from '../../lib/decode/frame.ts';
import { type Reason, reasonNames, type Verdict, verdictOf, verdicts } from '../../lib/event/verdict.ts';
import { type AccountState, nextStep } from '../../lib/verify/chain.ts';
import { CommitCheck, type CommitFinding } from '../../lib/verify/commit-check.ts';
import { linkOf } from '../../lib/verify/commit-link.ts';
import type { Opinion } from '../../lib/verify/second-opinion.ts';
import { SignatureChecker, type SignatureEngine } from '../../lib/verify/signature.ts';
import { isSameKey, type VerifyingKey } from '../../lib/verify/verifying-key.ts';
import type { KeySource } from './document-files.ts';

/** Accounts that are remembered, about 300 bytes each; the one that was silent longest is seen for the first time again. */
const accountsMax = 500_000;
/** Keys that are kept ready, 3.5 KB each. */
const keysMax = 20_000;
/** Second opinions that are asked for, 3 ms each. */
const opinionsMax = 10_000;
/** Frames, and bytes of them, whose keys are looked for at a time. */
const windowFrames = 256;
const windowBytesMax = 32 * 1024 * 1024;

/** A commit that is listed. */
export interface ListedCommit {
  readonly seq: number;
  readonly did: string;
  readonly rev: string;
  readonly reason: Reason;
  /** What `@atproto/repo` and `@atproto/crypto` say; absent when they were not asked. */
  readonly secondOpinion?: Opinion;
}

/** What was found in a recording. */
export interface RecordingReport {
  readonly frames: number;
  /** Commits and syncs: what is signed. */
  readonly checked: number;
  /** Identity and account events, and what is not known. */
  readonly otherFrames: number;
  readonly accounts: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** In the order of the verdicts; those that were found. */
  readonly reasons: readonly { verdict: Verdict; reason: Reason; commits: number }[];
  readonly refuted: readonly ListedCommit[];
  /** Refuted or incomplete here, and not by the second opinion. */
  readonly disputed: number;
  /** Signed by a key that the account had at that time, and has no more. */
  readonly earlierKeys: number;
  readonly seconds: number;
  /** What did the arithmetic of signatures. */
  readonly engine: SignatureEngine;
}

/** See the file comment. */
export class RecordingCheck {
  readonly #keys: KeySource;
  readonly #listedMax: number;
  readonly #check: CommitCheck;
  readonly #frame = new Frame();
  readonly #states = new Map<string, AccountState | undefined>();
  readonly #known = new Map<string, VerifyingKey>();
  readonly #counts = new Map<Reason, number>();
  readonly #refuted: ListedCommit[] = [];
  readonly #startMs = performance.now();
  readonly #engine: SignatureEngine;
  #frames = 0;
  #checked = 0;
  #accounts = 0;
  #opinions = 0;
  #disputed = 0;
  #earlierKeys = 0;

  private constructor(keys: KeySource, listedMax: number, signatures: SignatureChecker) {
    this.#keys = keys;
    this.#listedMax = listedMax;
    this.#check = new CommitCheck(signatures);
    this.#engine = signatures.engine;
  }

  /** @param listedMax refuted commits that are listed; all are counted. */
  static async create(keys: KeySource, listedMax: number): Promise<RecordingCheck> {
    return new RecordingCheck(keys, listedMax, await SignatureChecker.load());
  }

  /** Checks all frames, in order. */
  async checkAll(frames: AsyncIterable<Uint8Array>): Promise<RecordingReport> {
    let window: Uint8Array[] = [];
    let windowBytes = 0;
    for await (const frame of frames) {
      window.push(Uint8Array.from(frame));
      windowBytes += frame.length;
      if (window.length < windowFrames && windowBytes < windowBytesMax) continue;
      await this.#checkWindow(window);
      window = [];
      windowBytes = 0;
    }
    await this.#checkWindow(window);
    return this.#report();
  }

  /** Looks for all keys at a time, because they may come from far away. */
  async #checkWindow(window: readonly Uint8Array[]): Promise<void> {
    for (const bytes of window) await this.#hearChange(bytes);
    const asked = new Map<string, ReturnType<KeySource['keyOf']>>();
    for (const bytes of window) {
      const did = this.#open(bytes);
      if (did !== undefined && !this.#known.has(did) && !asked.has(did))
        asked.set(did, this.#keys.keyOf(did));
    }
    const keys = new Map(await Promise.all([...asked].map(async ([did, key]) => [did, await key] as const)));
    for (const [did, key] of keys)
      if (typeof key !== 'string') this.#remember(this.#known, did, key, keysMax);
    for (const bytes of window) {
      this.#frames++;
      const did = this.#open(bytes);
      if (did === undefined) continue;
      let finding = this.#check.check(this.#frame, this.#known.get(did) ?? keys.get(did) ?? 'key_unknown');
      if (finding === 'bad_signature') finding = await this.#tryOtherKeys(did);
      await this.#take(bytes, did, finding, this.#known.get(did));
    }
  }

  /** An identity event: the account may have another key. */
  async #hearChange(bytes: Uint8Array): Promise<void> {
    const frame = this.#frame;
    if (frame.read(bytes) !== undefined || frame.type !== frameTypes.identity) return;
    const did = textOf(bytes, frame.didStart, frame.didEnd);
    const timeMs = Date.parse(textOf(bytes, frame.timeStart, frame.timeEnd));
    this.#known.delete(did);
    await this.#keys.doubt?.(did, timeMs);
  }

  /** A key that does not fit may be out of date, or too new: the commit may be from before it was changed. */
  async #tryOtherKeys(did: string): Promise<CommitFinding> {
    const check = this.#check;
    const timeMs = check.revTimeUs / 1000;
    const { keys, lack } = (await this.#keys.keysAt?.(did, timeMs, timeMs)) ?? { keys: [], lack: undefined };
    for (const key of keys) {
      const finding = check.check(this.#frame, key);
      if (finding === 'bad_signature') continue;
      const newest = await this.#keys.recheck?.(did, timeMs);
      // An earlier one is good for the commits of its time alone.
      if (typeof newest === 'object' && isSameKey(newest, key))
        this.#remember(this.#known, did, newest, keysMax);
      else this.#earlierKeys++;
      return finding;
    }
    return lack ?? 'bad_signature';
  }

  /** Reads a frame; the account of one that can be checked. */
  #open(bytes: Uint8Array): string | undefined {
    const frame = this.#frame;
    frame.read(bytes);
    if (frame.type !== frameTypes.commit && frame.type !== frameTypes.sync) return undefined;
    return textOf(bytes, frame.didStart, frame.didEnd);
  }

  async #take(
    bytes: Uint8Array,
    did: string,
    finding: CommitFinding,
    key: VerifyingKey | undefined,
  ): Promise<void> {
    const frame = this.#frame;
    const { seq } = frame;
    const isSync = frame.type === frameTypes.sync;
    const link = linkOf(frame, this.#check, finding);
    if (!this.#states.has(did)) this.#accounts++;
    const { reason, state } = nextStep(this.#states.get(did), finding, link, Date.now() * 1000);
    this.#remember(this.#states, did, state, accountsMax);
    this.#checked++;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const isRefuted = verdictOf(reason) === 'refuted';
    if (!isRefuted && reason !== 'incomplete') return;
    const opinion = isSync ? undefined : await this.#secondOpinion(bytes, key);
    const isDisputed = isRefuted ? opinion !== 'refuted' && opinion !== 'limited' : opinion === 'whole';
    if (opinion !== undefined && isDisputed) this.#disputed++;
    if (!isRefuted || this.#refuted.length >= this.#listedMax) return;
    const listed = { seq, did, rev: link.rev, reason };
    this.#refuted.push(opinion === undefined ? listed : { ...listed, secondOpinion: opinion });
  }

  async #secondOpinion(bytes: Uint8Array, key: VerifyingKey | undefined): Promise<Opinion | undefined> {
    if (++this.#opinions > opinionsMax) return undefined;
    // Most recordings do without, and the packages take a quarter of a second to load.
    const { secondOpinion } = await import('../../lib/verify/second-opinion.ts');
    return secondOpinion(bytes, key);
  }

  #remember<T>(map: Map<string, T>, did: string, value: T, max: number): void {
    map.delete(did);
    map.set(did, value);
    if (map.size > max) map.delete(map.keys().next().value as string);
  }

  #report(): RecordingReport {
    const reasons = reasonNames
      .map((reason) => ({ verdict: verdictOf(reason), reason, commits: this.#counts.get(reason) ?? 0 }))
      .filter(({ commits }) => commits > 0);
    const sums = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
    for (const { verdict, commits } of reasons) sums[verdict] += commits;
    return {
      frames: this.#frames,
      checked: this.#checked,
      otherFrames: this.#frames - this.#checked,
      accounts: this.#accounts,
      verdicts: sums,
      reasons,
      refuted: this.#refuted,
      disputed: this.#disputed,
      earlierKeys: this.#earlierKeys,
      seconds: (performance.now() - this.#startMs) / 1000,
      engine: this.#engine,
    };
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
