// Checks the frames of one batch after the other, and answers when they are checked or when time is up, whichever comes first. It owns
// what waits for what: for a key a few milliseconds, for a second look until time is up, and late commits for nobody. What a commit
// is found to be is lib/verify.

import { Frame, frameTypes } from '../decode/frame.ts';
import { notAsked, numberOf, type Reason, verdictOf } from '../event/verdict.ts';
import type { KeyResolver } from '../identity/key-resolver.ts';
import { type ChainLink, nextStep } from '../verify/chain.ts';
import { CommitCheck, type KeyLack } from '../verify/commit-check.ts';
import { isSigned, linkOf } from '../verify/commit-link.ts';
import type { SignatureChecker } from '../verify/signature.ts';
import type { VerifyingKey } from '../verify/verifying-key.ts';
import type { AccountStates } from './account-states.ts';
import { type Appealed, Appeals } from './appeals.ts';
import { type FrameBatch, type Incident, monotonicMs } from './verifier-messages.ts';

/** How long before time is up nobody waits for keys any more: that of the checks of an usual batch, twice. */
const checkMs = 8;
/** Commits between two looks at the clock, 2 ms. */
const timedEvery = 8;

/** A {@link KeyResolver}. */
export type BatchKeys = Pick<KeyResolver, 'peek' | 'keyAtHand' | 'doubt' | 'recheck' | 'keysAt'>;

export interface BatchCheckOptions {
  readonly keys: BatchKeys;
  readonly states: AccountStates;
  readonly signatures: SignatureChecker;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly incident: (incident: Incident) => void;
  /** Whether another batch waits: then what is late is not checked at all. */
  readonly isBehind: () => boolean;
}

/** See the file comment. */
export class BatchCheck {
  readonly #options: BatchCheckOptions;
  readonly #check: CommitCheck;
  readonly #appeals: Appeals;
  readonly #frame = new Frame();

  constructor(options: BatchCheckOptions) {
    this.#options = options;
    this.#check = new CommitCheck(options.signatures);
    this.#appeals = new Appeals(options.keys, options.signatures, options.nowMs);
  }

  /**
   * Checks a batch; the one before has to be done. Resolves when the next may begin.
   * @param answer called once, with the number of a reason for each frame: after a batch's `answerByMs` with `too_late` for the rest.
   */
  async run(batch: FrameBatch, answer: (reasons: Uint8Array) => void): Promise<void> {
    const { states, nowMs, isBehind } = this.#options;
    const { bytes, ends, answerByMs } = batch;
    if (batch.hasSkipped) states.skipped(nowMs() * 1000);
    const reasons = new Uint8Array(ends.length).fill(notAsked);
    const changes: Promise<void>[] = [];
    const dids = this.#open(batch, reasons, changes);
    await Promise.all(changes);
    let isAnswered = false;
    const answerOnce = (): void => {
      if (isAnswered) return;
      isAnswered = true;
      answer(reasons);
    };
    await this.#prepare(dids, answerByMs - checkMs);
    const appeals: Promise<void>[] = [];
    let checked = 0;
    let start = 0;
    for (const [at, end] of ends.entries()) {
      const frame = bytes.subarray(start, end);
      start = end;
      const did = dids[at];
      if (did === undefined) continue;
      if (checked++ % timedEvery === 0 && monotonicMs() > answerByMs) {
        answerOnce();
        if (isBehind()) {
          states.skipped(nowMs() * 1000);
          break;
        }
      }
      const appeal = this.#checkFrame(frame, did, batch.number, (reason) => {
        reasons[at] = numberOf(reason);
      });
      if (appeal !== undefined) appeals.push(appeal);
    }
    if (appeals.length > 0 && !isAnswered) await within(Promise.all(appeals), answerByMs);
    answerOnce();
  }

  /** The account of each commit and sync, whose reason is to be found. @param changes of accounts, which have to be heard first. */
  #open({ bytes, ends }: FrameBatch, reasons: Uint8Array, changes: Promise<void>[]): (string | undefined)[] {
    const { keys } = this.#options;
    const frame = this.#frame;
    const tooLate = numberOf('too_late');
    let start = 0;
    return Array.from(ends, (end, at) => {
      frame.read(bytes.subarray(start, end));
      start = end;
      const did = textOf(frame.bytes, frame.didStart, frame.didEnd);
      if (frame.type === frameTypes.identity) {
        const timeMs = Date.parse(textOf(frame.bytes, frame.timeStart, frame.timeEnd));
        // The next commit comes soon, and should not have to wait.
        const ask = (): void => void keys.keyAtHand(did);
        changes.push(keys.doubt(did, Number.isNaN(timeMs) ? undefined : timeMs).then(ask));
        return undefined;
      }
      if (frame.type !== frameTypes.commit && frame.type !== frameTypes.sync) return undefined;
      reasons[at] = tooLate;
      return did;
    });
  }

  /** Has states and keys in memory, but waits for keys only until then. */
  async #prepare(dids: readonly (string | undefined)[], untilMs: number): Promise<void> {
    const { keys, states } = this.#options;
    const accounts = new Set(dids.filter((did) => did !== undefined));
    const asked = [...accounts].filter((did) => keys.peek(did) === undefined);
    const answers = Promise.all(asked.map((did) => keys.keyAtHand(did)));
    await states.load(accounts);
    // Those that lie on the disk are here after a turn or two.
    if (asked.length > 0) await within(answers, Math.max(untilMs, monotonicMs() + 1));
  }

  /** @param found told of the reason: at once, and again when an appeal has changed it. The appeal, if there is one. */
  #checkFrame(
    bytes: Uint8Array,
    did: string,
    batch: number,
    found: (reason: Reason) => void,
  ): Promise<void> | undefined {
    const frame = this.#frame;
    frame.read(bytes);
    const { seq } = frame;
    const key: VerifyingKey | KeyLack = this.#options.keys.peek(did) ?? 'key_awaited';
    const finding = this.#check.check(frame, key);
    if (verdictOf(finding === 'whole' ? 'continuous' : finding) !== 'refuted') {
      found(this.#step(did, finding, linkOf(frame, this.#check, finding), seq, batch));
      return undefined;
    }
    const meanwhile = finding === 'bad_signature' ? 'key_awaited' : 'too_late';
    const appeal = this.#appeals.open(bytes, did, finding, typeof key === 'string' ? undefined : key);
    const instead = appeal === undefined ? 'limited' : meanwhile;
    found(this.#step(did, instead, linkOf(frame, this.#check, instead), seq, batch));
    return appeal?.then((appealed) => found(this.#decide(appealed, did, seq, batch)));
  }

  #decide({ finding, link }: Appealed, did: string, seq: number, batch: number): Reason {
    const { incident, states } = this.#options;
    if (finding !== 'whole' && verdictOf(finding) === 'refuted') {
      const detail = `${finding} ${did} ${link.rev}`;
      incident({ reason: 'refuted_commit', fromSeq: seq, toSeq: seq, detail });
      return finding;
    }
    const state = states.of(did);
    // A later commit of the account did not wait for it.
    const isOvertaken = isSigned(finding) && state !== undefined && link.rev <= state.rev;
    return isOvertaken ? 'after_unchecked' : this.#step(did, finding, link, seq, batch);
  }

  /** The account's next step, and a row of the ledger when it does not go on from the one before. */
  #step(
    did: string,
    finding: Parameters<typeof nextStep>[1],
    link: ChainLink,
    seq: number,
    batch: number,
  ): Reason {
    const { states, nowMs, incident } = this.#options;
    const before = states.of(did);
    const { reason, state } = nextStep(before, finding, link, nowMs() * 1000);
    if (state !== undefined && state !== before) states.set(did, state, nowMs() * 1000, batch);
    if (reason === 'gap' || reason === 'fork') {
      const detail = `${reason} ${did} ${before?.rev} ${link.rev}`;
      incident({ reason: 'broken_chain', fromSeq: seq, toSeq: seq, detail });
    }
    return reason;
  }
}

/** Resolves when the work is done, or at that moment of {@link monotonicMs}. */
async function within(work: Promise<unknown>, untilMs: number): Promise<void> {
  const ms = untilMs - monotonicMs();
  if (ms <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
