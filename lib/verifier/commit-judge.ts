// What a frame of an account comes to: the check of it, its place in the account's chain, a second look at what would be refuted, and
// what the coverage ledger is told. When it is judged, and what waits for what, is the caller's: batch-check.ts beside the stream,
// held-check.ts before it.

import { Frame } from '../decode/frame.ts';
import { type Reason, verdictOf } from '../event/verdict.ts';
import type { KeyResolver } from '../identity/key-resolver.ts';
import { type ChainLink, nextStep } from '../verify/chain.ts';
import { CommitCheck, type CommitFinding, type KeyLack } from '../verify/commit-check.ts';
import { isSigned, linkOf } from '../verify/commit-link.ts';
import { blocksMax, isWithinLimits } from '../verify/opinion-limits.ts';
import type { SignatureChecker } from '../verify/signature.ts';
import type { VerifyingKey } from '../verify/verifying-key.ts';
import type { AccountStates } from './account-states.ts';
import { type Appealed, Appeals } from './appeals.ts';
import type { Incident } from './verifier-messages.ts';

/** A {@link KeyResolver}. */
export type JudgeKeys = Pick<KeyResolver, 'peek' | 'recheck' | 'keysAt'>;

export interface JudgeOptions {
  readonly keys: JudgeKeys;
  readonly states: AccountStates;
  readonly signatures: SignatureChecker;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** A frame that is judged: whose it is, and which. */
export interface Case {
  readonly did: string;
  /** The relay's number of it. */
  readonly seq: number;
  /** When it came, in milliseconds since 1970. */
  readonly seenMs: number;
  /** States after it are of this batch. */
  readonly batch: number;
}

/** What would be refuted, and is looked at again. */
export interface Doubt {
  /** What is said of it by whoever does not wait. */
  readonly meanwhile: 'key_awaited' | 'too_late' | 'limited';
  /** Never rejects; undefined when too many are being looked at, or when it is more than an honest commit can be. */
  readonly appeal: Promise<Appealed> | undefined;
}

/** For findings that are not signed: nothing of it is read. */
const noLink: ChainLink = {
  ...{ rev: '', revTimeUs: 0, data: new Uint8Array(0), since: '', prevData: new Uint8Array(0) },
  isSync: false,
};

/** See the file comment. */
export class CommitJudge {
  readonly #options: JudgeOptions;
  readonly #tell: (incident: Incident) => void;
  readonly #check: CommitCheck;
  readonly #appeals: Appeals;
  readonly #frame = new Frame();

  /** @param tell told of what belongs into the ledger. */
  constructor(options: JudgeOptions, tell: (incident: Incident) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#check = new CommitCheck(options.signatures);
    this.#appeals = new Appeals(options.keys, options.signatures, options.nowMs);
  }

  /** Checks a commit or a sync, whose account's state is loaded, with the key that is in memory. A doubt is no step of the account yet. */
  judge(bytes: Uint8Array, of: Case): Reason | Doubt {
    const frame = this.#frame;
    frame.read(bytes);
    const key: VerifyingKey | KeyLack = this.#options.keys.peek(of.did) ?? 'key_awaited';
    const finding = this.#check.check(frame, key);
    if (verdictOf(finding === 'whole' ? 'continuous' : finding) !== 'refuted')
      return this.#step(of, finding, linkOf(frame, this.#check, finding));
    // Each further look would take as long as this one.
    if (!isWithinLimits(frame) || this.#check.blocks > blocksMax)
      return { meanwhile: 'limited', appeal: undefined };
    const wrongKey = typeof key === 'string' ? undefined : key;
    const appeal = this.#appeals.open(bytes, of.did, finding, wrongKey, of.seenMs);
    if (appeal === undefined) return { meanwhile: 'limited', appeal };
    return { meanwhile: finding === 'bad_signature' ? 'key_awaited' : 'too_late', appeal };
  }

  /** The account goes on without an answer: as unchecked, for that reason. */
  pass(of: Case, reason: Doubt['meanwhile']): Reason {
    return this.#step(of, reason, noLink);
  }

  /** What an appeal came to is the answer. @param isLate the account has gone on meanwhile. */
  decide(of: Case, { finding, link }: Appealed, isLate: boolean): Reason {
    const { states } = this.#options;
    if (finding !== 'whole' && verdictOf(finding) === 'refuted') {
      const detail = `${finding} ${of.did} ${link.rev}`;
      this.#tell({ reason: 'refuted_commit', fromSeq: of.seq, toSeq: of.seq, detail });
      return finding;
    }
    const state = states.of(of.did);
    const isOvertaken = isLate && isSigned(finding) && state !== undefined && link.rev <= state.rev;
    return isOvertaken ? 'after_unchecked' : this.#step(of, finding, link);
  }

  /** The account's next step, and a row of the ledger when it does not go on from the one before. */
  #step({ did, seq, batch }: Case, finding: CommitFinding, link: ChainLink): Reason {
    const { states, nowMs } = this.#options;
    const before = states.of(did);
    const { reason, state } = nextStep(before, finding, link, nowMs() * 1000);
    if (state !== undefined && state !== before) states.set(did, state, nowMs() * 1000, batch);
    if (reason === 'gap' || reason === 'fork') {
      const detail = `${reason} ${did} ${before?.rev} ${link.rev}`;
      this.#tell({ reason: 'broken_chain', fromSeq: seq, toSeq: seq, detail });
    }
    return reason;
  }
}
