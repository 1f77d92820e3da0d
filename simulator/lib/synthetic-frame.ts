// What a frame of the simulator is known to contain: the oracle that tests compare a daemon's output with. Made by the
// network and by frames read from a file, kept by the frame pool, read by the delivery ledger.

import { decodeFrame, type Link } from './frame-encoder.ts';

/** One commit event that a reader of the frame has to produce. */
export interface ExpectedOp {
  readonly operation: 'create' | 'update' | 'delete';
  readonly collection: string;
  readonly rkey: string;
  /** CID of the record; undefined for a delete. */
  readonly cid: string | undefined;
}

/** The events of one frame: one for each op of a commit, one of an identity or account frame, none of any other. */
export interface ExpectedFrame {
  readonly kind: 'commit' | 'identity' | 'account' | 'none';
  readonly did: string;
  /** Revision inside the frame as it was built; empty when it has none. A stamped frame has another. */
  readonly rev: string;
  readonly ops: readonly ExpectedOp[];
}

/** A frame, its sequence and what it contains. */
export interface SyntheticFrame extends ExpectedFrame {
  readonly seq: number;
  /** The frame as sent. Owned by the receiver, never written to again. */
  readonly bytes: Uint8Array;
}

/** Events that a frame leads to. */
export function eventsOf(frame: ExpectedFrame): number {
  return frame.kind === 'commit' ? frame.ops.length : frame.kind === 'none' ? 0 : 1;
}

interface CommitOp {
  readonly action: ExpectedOp['operation'];
  readonly path: string;
  readonly cid: Link | null;
}

/** Lists what the ops of a commit message lead to. */
export function expectedOps(ops: readonly CommitOp[]): ExpectedOp[] {
  return ops.map(({ action, path, cid }) => {
    const slash = path.indexOf('/');
    return {
      operation: action,
      collection: path.slice(0, slash),
      rkey: path.slice(slash + 1),
      cid: cid?.toString(),
    };
  });
}

/**
 * Reads a frame that came from elsewhere, by the package's decoder.
 * @throws CodedError `SIMULATOR_FRAME_INVALID` when it is not well-formed.
 */
export function readSyntheticFrame(bytes: Uint8Array): SyntheticFrame {
  const { header, body } = decodeFrame(bytes);
  const seq = Number(body.seq ?? Number.NaN);
  const did = String(body.repo ?? body.did ?? '');
  const rev = String(body.rev ?? '');
  if (header.op === 1 && header.t === '#commit' && body.tooBig !== true) {
    return { seq, bytes, kind: 'commit', did, rev, ops: expectedOps(body.ops as CommitOp[]) };
  }
  const kind =
    header.op !== 1
      ? 'none'
      : header.t === '#identity'
        ? 'identity'
        : header.t === '#account'
          ? 'account'
          : 'none';
  return { seq, bytes, kind, did, rev, ops: [] };
}
