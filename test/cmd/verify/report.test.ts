import { expect, test } from 'vitest';
import type { RecordingReport } from '../../../cmd/verify/recording-check.ts';
import { reportTable } from '../../../cmd/verify/report.ts';

const report: RecordingReport = {
  frames: 1_234_567,
  checked: 1_200_000,
  otherFrames: 34_567,
  accounts: 4_321,
  verdicts: { verified: 1_199_998, anchored: 0, partial: 0, unchecked: 0, refuted: 2 },
  reasons: [
    { verdict: 'verified', reason: 'continuous', commits: 1_199_998 },
    { verdict: 'refuted', reason: 'wrong_did', commits: 1 },
    { verdict: 'refuted', reason: 'bad_tree', commits: 1 },
  ],
  refuted: [
    { seq: 7, did: 'did:plc:a\u001b[31m', rev: 'r\nr', reason: 'wrong_did', secondOpinion: 'refuted' },
    { seq: 8, did: 'did:plc:b', rev: '3b', reason: 'bad_tree', secondOpinion: 'whole' },
  ],
  disputed: 1,
  earlierKeys: 12,
  seconds: 61.25,
  engine: 'native',
};

test('a table for people, in which nothing of a stranger’s acts on the terminal', () => {
  expect(
    reportTable(report),
  ).toBe(`1,200,000 commits of 4,321 accounts in 1,234,567 frames, 61.3 s (signatures by native code)
34,567 of the frames are not commits

verified    continuous             1,199,998   100.00 %
refuted     wrong_did                      1     0.00 %
            bad_tree                       1     0.00 %

12 signed by a key that the account had then

refuted:
  7  did:plc:a?[31m  r?r  wrong_did
  8  did:plc:b  3b  bad_tree  second opinion: whole

1 commits are right by @atproto/repo and @atproto/crypto: please report it`);
  expect(reportTable({ ...report, refuted: [], disputed: 0, earlierKeys: 0 })).toMatch(
    /0\.00 %\n {2}and 2 more$/,
  );
});
