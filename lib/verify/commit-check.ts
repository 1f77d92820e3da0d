// Checks one commit by itself: that it is what the frame says, that the account signed it, that the ops are what the signed tree
// has, and that undone they lead to the tree before. It knows no other commit: how it goes on from the last one is chain.ts.

import { CarIndex } from '../decode/car.ts';
import { type Frame, fieldBytesMax, frameTypes, opActions, opInts } from '../decode/frame.ts';
import { tidTimeUs } from '../event/tid.ts';
import type { ChainReason, Reason } from '../event/verdict.ts';
import { CommitView } from './commit-view.ts';
import { PartialTree, type Undoing } from './partial-tree.ts';
import type { SignatureChecker } from './signature.ts';
import { emptyTreeDigest } from './tree-digest.ts';
import { compareBytes, digestBytes, isSame, linkBytes } from './tree-link.ts';
import { TreeStopError } from './tree-stop.ts';
import type { VerifyingKey } from './verifying-key.ts';

/** What the protocol allows of one commit; we read more (lib/decode/frame.ts), because v1 does. */
const opsMax = 200;
const blocksBytesMax = 2_000_000;

/** Why there is no key to check with. */
export type KeyLack = Extract<Reason, 'key_awaited' | 'key_unknown' | 'lookup_failed' | 'limited' | 'no_key'>;

/** What the check of a commit found: `whole`, or why it is less. */
export type CommitFinding = 'whole' | Exclude<Reason, ChainReason>;

/** What undoes an op, and what the signed tree says against it. */
interface CheckedOp extends Undoing {
  readonly objection: 'op_not_in_tree' | 'deleted_in_tree' | undefined;
}

/** One frame after the other; keeps its scratch memory. Spans are of the frame's bytes, until its next `read`. */
export class CommitCheck {
  readonly #signatures: SignatureChecker;
  readonly #car = new CarIndex();
  readonly #commit = new CommitView();
  readonly #tree = new PartialTree();
  #ops: CheckedOp[] = [];
  /** Set by the ops: one is none that can be undone; one lacks its `prev`; there are several on one path. */
  #isOdd = false;
  #isLegacy = false;
  #isRepeated = false;

  constructor(signatures: SignatureChecker) {
    this.#signatures = signatures;
  }

  /** The revision that was signed, as text. Meaningful when the finding is not `refuted` and not `unchecked`. */
  get rev(): string {
    const { bytes, revStart, revEnd } = this.#commit;
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', revStart, revEnd);
  }

  /** The moment that the revision names, in microseconds since 1970. Meaningful as {@link rev} is. */
  get revTimeUs(): number {
    return tidTimeUs(this.#commit.bytes, this.#commit.revStart, this.#commit.revEnd);
  }

  /** Digest of the root that was signed, as it lies in the frame. Meaningful as {@link rev} is. */
  get data(): Uint8Array {
    const end = this.#commit.dataAt + linkBytes;
    return this.#commit.bytes.subarray(end - digestBytes, end);
  }

  /** Blocks of the archive that was read last, as far as it was. */
  get blocks(): number {
    return this.#car.count;
  }

  /** Whether the commit that was found to have a bad signature has that of another key, high or not: without a look at the rest. */
  isSignedBy(key: VerifyingKey): boolean {
    const commit = this.#commit;
    return this.#signatures.check(key, commit.signedBytes(), commit.signature()) !== 'bad_signature';
  }

  /** Checks a commit or a sync, which has no ops. Never throws on bad input. @param frame that `read` has read. */
  check(frame: Frame, key: VerifyingKey | KeyLack): CommitFinding {
    const isCommit = frame.type === frameTypes.commit;
    if (frame.reason !== undefined || (!isCommit && frame.type !== frameTypes.sync)) return 'unreadable';
    const objection = this.#checkObject(frame, isCommit);
    if (objection !== undefined) return objection;
    let doubt: CommitFinding | undefined;
    try {
      this.#tree.open(this.#car, frame.bytes, this.#commit.dataAt);
      const refutation = isCommit ? this.#checkOps(frame) : undefined;
      if (refutation !== undefined) return refutation;
    } catch (error) {
      doubt = reasonOf(error);
      if (doubt === 'bad_tree') return doubt;
      if (doubt === 'missing_blocks') doubt = 'no_proof';
    }
    if (typeof key === 'string') return key;
    const signature = this.#commit.signature();
    const finding = this.#signatures.check(key, this.#commit.signedBytes(), signature);
    if (finding !== 'valid') return finding;
    if (doubt !== undefined) return doubt;
    return isCommit ? this.#checkCompleteness(frame) : 'whole';
  }

  /** Whether the signed object is one, and what the frame says that it is. */
  #checkObject(frame: Frame, isCommit: boolean): CommitFinding | undefined {
    const { bytes } = frame;
    const car = this.#car;
    if (car.read(bytes, frame.blocksStart, frame.blocksEnd) !== undefined) return 'bad_blocks';
    if (!car.findRoot()) return 'bad_commit';
    const commit = this.#commit;
    const form = commit.read(bytes, car.blockStart, car.blockEnd);
    if (form === 'bad') return 'bad_commit';
    const { didStart, didEnd, revStart, revEnd } = commit;
    if (form === 'odd' || Number.isNaN(tidTimeUs(bytes, revStart, revEnd))) return 'odd_commit';
    if (isCommit && !car.isRoot(bytes, frame.commitStart, frame.commitEnd)) return 'wrong_commit';
    if (!isSame(bytes, didStart, didEnd, bytes, frame.didStart, frame.didEnd)) return 'wrong_did';
    return isSame(bytes, revStart, revEnd, bytes, frame.revStart, frame.revEnd) ? undefined : 'wrong_rev';
  }

  /** Whether the ops are what the signed tree has; gathers what undoes them. @throws TreeStopError */
  #checkOps(frame: Frame): CommitFinding | undefined {
    const { bytes, ops, opCount } = frame;
    const checked: CheckedOp[] = [];
    this.#ops = checked;
    this.#isOdd = this.#isLegacy = this.#isRepeated = false;
    /** The first block that is missing hides nothing that the other ops give away. */
    let stop: unknown;
    for (let at = 0; at < opCount * opInts; at += opInts) {
      const pathStart = ops[at + 1];
      const pathEnd = ops[at + 2];
      const action = ops[at];
      const isDelete = action === opActions.delete;
      const isOp =
        isDelete ||
        ((action === opActions.create || action === opActions.update) && ops[at + 3] < ops[at + 4]);
      if (!isOp || pathEnd === pathStart || pathEnd - pathStart > fieldBytesMax) {
        this.#isOdd = true;
        continue;
      }
      let isThere = false;
      try {
        isThere = this.#tree.find(pathStart, pathEnd);
      } catch (error) {
        if (reasonOf(error) === 'bad_tree') throw error;
        stop ??= error;
        continue;
      }
      const { valueStart, valueEnd } = this.#tree;
      let objection: CheckedOp['objection'];
      if (isDelete && isThere) objection = 'deleted_in_tree';
      if (!isDelete && !(isThere && isSame(bytes, valueStart, valueEnd, bytes, ops[at + 3], ops[at + 4])))
        objection = 'op_not_in_tree';
      const hasPrev = action !== opActions.create;
      if (hasPrev && ops[at + 5] === ops[at + 6]) this.#isLegacy = true;
      const prevStart = hasPrev ? ops[at + 5] : -1;
      checked.push({ pathStart, pathEnd, prevStart, prevEnd: ops[at + 6], isThere, objection });
    }
    const refutation = this.#refute(bytes);
    if (refutation === undefined && stop !== undefined) throw stop;
    return refutation;
  }

  /** What the tree says against the ops, which it brings into the order of their paths. */
  #refute(bytes: Uint8Array): CommitFinding | undefined {
    const checked = this.#ops;
    if (checked.length > 1) {
      checked.sort((a, b) => compareBytes(bytes, a.pathStart, a.pathEnd, bytes, b.pathStart, b.pathEnd));
    }
    for (let index = 0; index < checked.length; index++) {
      const { pathStart, pathEnd, objection } = checked[index];
      const next = checked[index + 1];
      // Honest servers put several writes to one path into a commit. The tree has what the last of them left there, in their order.
      if (next !== undefined && isSame(bytes, pathStart, pathEnd, bytes, next.pathStart, next.pathEnd)) {
        this.#isRepeated = true;
      } else if (objection !== undefined) {
        return objection;
      }
    }
    return undefined;
  }

  /** Whether the ops are all that happened since `prevData`; without one it is an account's first commit. */
  #checkCompleteness(frame: Frame): CommitFinding {
    const { bytes, prevDataStart, prevDataEnd } = frame;
    if (frame.opCount > opsMax || frame.blocksEnd - frame.blocksStart > blocksBytesMax) return 'over_limit';
    // What was on the path in between, nobody has signed.
    if (this.#isRepeated) return 'duplicate_path';
    const isFirst = prevDataStart === prevDataEnd && frame.sinceStart === frame.sinceEnd;
    if (this.#isLegacy || (prevDataStart === prevDataEnd && !isFirst)) return 'legacy';
    if (this.#isOdd) return 'odd_op';
    try {
      if (isFirst) return this.#tree.undoesTo(this.#ops, emptyTreeDigest) ? 'whole' : 'legacy';
      if (prevDataEnd - prevDataStart !== linkBytes) return 'incomplete';
      const before = bytes.subarray(prevDataEnd - digestBytes, prevDataEnd);
      return this.#tree.undoesTo(this.#ops, before) ? 'whole' : 'incomplete';
    } catch (error) {
      return reasonOf(error);
    }
  }
}

function reasonOf(error: unknown): TreeStopError['reason'] {
  if (error instanceof TreeStopError) return error.reason;
  throw error;
}
