// Checks the frames of one batch after the other, and answers when they are checked or when time is up, whichever comes first. It owns
// what waits for what: for a key a few milliseconds, for a second look until time is up, and late commits for nobody. What a commit
// is found to be is lib/verify.

import { Frame, frameTypes } from '../decode/frame.ts';
import { notAsked, numberOf, type Reason } from '../event/verdict.ts';
import type { KeyResolver } from '../identity/key-resolver.ts';
import { type Case, CommitJudge, type JudgeKeys, type JudgeOptions } from './commit-judge.ts';
import { type FrameBatch, type Incident, monotonicMs } from './verifier-messages.ts';

/** How long before time is up nobody waits for keys any more: that of the checks of an usual batch, twice. */
const checkMs = 8;
/** Commits between two looks at the clock, 2 ms. */
const timedEvery = 8;

/** A {@link KeyResolver}. */
export type BatchKeys = JudgeKeys & Pick<KeyResolver, 'keyAtHand' | 'doubt'>;

export interface BatchCheckOptions extends JudgeOptions {
  readonly keys: BatchKeys;
  readonly incident: (incident: Incident) => void;
  /** Whether another batch waits: then what is late is not checked at all. */
  readonly isBehind: () => boolean;
}

/** See the file comment. */
export class BatchCheck {
  readonly #options: BatchCheckOptions;
  readonly #judge: CommitJudge;
  readonly #frame = new Frame();

  constructor(options: BatchCheckOptions) {
    this.#options = options;
    this.#judge = new CommitJudge(options, options.incident);
  }

  /**
   * Checks a batch; the one before has to be done. Resolves when the next may begin.
   * @param answer called once, with the number of a reason for each frame: after a batch's `answerByMs` with `too_late` for the rest. Not
   * `isDone` while there is more to do for the batch.
   */
  async run(batch: FrameBatch, answer: (reasons: Uint8Array, isDone: boolean) => void): Promise<void> {
    const { states, nowMs, isBehind } = this.#options;
    const { bytes, ends, answerByMs } = batch;
    if (batch.hasSkipped) states.skipped(nowMs() * 1000);
    const reasons = new Uint8Array(ends.length).fill(notAsked);
    const changes: Promise<void>[] = [];
    const cases = this.#open(batch, reasons, changes);
    await Promise.all(changes);
    let isAnswered = false;
    const answerOnce = (isDone: boolean): void => {
      if (isAnswered) return;
      isAnswered = true;
      answer(reasons, isDone);
    };
    await this.#prepare(cases, answerByMs - checkMs);
    const appeals: Promise<void>[] = [];
    let checked = 0;
    let start = 0;
    for (const [at, end] of ends.entries()) {
      const frame = bytes.subarray(start, end);
      start = end;
      const of = cases[at];
      if (of === undefined) continue;
      if (checked++ % timedEvery === 0 && monotonicMs() > answerByMs) {
        answerOnce(false);
        if (isBehind()) {
          states.skipped(nowMs() * 1000);
          break;
        }
      }
      const appeal = this.#checkFrame(frame, of, (reason) => {
        reasons[at] = numberOf(reason);
      });
      if (appeal !== undefined) appeals.push(appeal);
    }
    if (appeals.length > 0 && !isAnswered) await within(Promise.all(appeals), answerByMs);
    answerOnce(true);
  }

  /** The case of each commit and sync, whose reason is to be found. @param changes of accounts, which have to be heard first. */
  #open(batch: FrameBatch, reasons: Uint8Array, changes: Promise<void>[]): (Case | undefined)[] {
    const { bytes, ends, number } = batch;
    const { keys } = this.#options;
    const frame = this.#frame;
    const tooLate = numberOf('too_late');
    const seenMs = this.#options.nowMs();
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
      return { did, seq: frame.seq, seenMs, batch: number };
    });
  }

  /** Has states and keys in memory, but waits for keys only until then. */
  async #prepare(cases: readonly (Case | undefined)[], untilMs: number): Promise<void> {
    const { keys, states } = this.#options;
    const accounts = new Set(cases.flatMap((of) => of?.did ?? []));
    const asked = [...accounts].filter((did) => keys.peek(did) === undefined);
    const answers = Promise.all(asked.map((did) => keys.keyAtHand(did)));
    await states.load(accounts);
    // Those that lie on the disk are here after a turn or two.
    if (asked.length > 0) await within(answers, Math.max(untilMs, monotonicMs() + 1));
  }

  /** @param found told of the reason: at once, and again when an appeal has changed it. The appeal, if there is one. */
  #checkFrame(bytes: Uint8Array, of: Case, found: (reason: Reason) => void): Promise<void> | undefined {
    const judge = this.#judge;
    const judged = judge.judge(bytes, of);
    if (typeof judged === 'string') {
      found(judged);
      return undefined;
    }
    // The next commit of the account does not wait for it.
    found(judge.pass(of, judged.meanwhile));
    return judged.appeal?.then((appealed) => found(judge.decide(of, appealed, true)));
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
