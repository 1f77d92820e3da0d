// What a frame says of its place in its account's chain, as chain.ts wants it: from the frame, and from the check of it.

import type { Frame } from '../decode/frame.ts';
import { frameTypes } from '../decode/frame.ts';
import { verdictOf } from '../event/verdict.ts';
import type { ChainLink } from './chain.ts';
import type { CommitCheck, CommitFinding } from './commit-check.ts';
import { digestBytes } from './tree-link.ts';

const noBytes = new Uint8Array(0);

/** Whether a finding says that the account signed the commit. */
export function isSigned(finding: CommitFinding): boolean {
  return finding === 'whole' || verdictOf(finding) === 'partial';
}

/** Of a frame that `check` has just found so. Bytes are the frame's. */
export function linkOf(frame: Frame, check: CommitCheck, finding: CommitFinding): ChainLink {
  const { bytes, prevDataStart, prevDataEnd } = frame;
  const signed = isSigned(finding);
  return {
    rev: textOf(bytes, frame.revStart, frame.revEnd),
    revTimeUs: signed ? check.revTimeUs : 0,
    data: signed ? check.data : noBytes,
    since: textOf(bytes, frame.sinceStart, frame.sinceEnd),
    prevData: bytes.subarray(Math.max(prevDataStart, prevDataEnd - digestBytes), prevDataEnd),
    isSync: frame.type === frameTypes.sync,
  };
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
