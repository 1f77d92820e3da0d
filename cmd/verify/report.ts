// What a check of a recording found, as text for people. Pure; cmd/verify.ts prints it.

import { grouped, printable } from '../../lib/text.ts';
import type { RecordingReport } from './recording-check.ts';

const widthMax = 160;
const engineTexts: Readonly<Record<RecordingReport['engine'], string>> = {
  native: 'signatures by native code',
  wasm: 'signatures by WebAssembly',
  node: 'signatures by Node.js',
};

/** The table, without a newline at its end. */
export function reportTable(report: RecordingReport): string {
  const { frames, checked, otherFrames, accounts, reasons, refuted, disputed, earlierKeys } = report;
  const time = `${report.seconds.toFixed(1)} s (${engineTexts[report.engine]})`;
  const lines = [
    `${grouped(checked)} commits of ${grouped(accounts)} accounts in ${grouped(frames)} frames, ${time}`,
    `${grouped(otherFrames)} of the frames are not commits`,
    '',
  ];
  let last: string | undefined;
  for (const { verdict, reason, commits } of reasons) {
    const share = `${((commits / checked) * 100).toFixed(2)} %`;
    const name = verdict === last ? '' : verdict;
    last = verdict;
    lines.push(`${name.padEnd(12)}${reason.padEnd(18)}${grouped(commits).padStart(14)}${share.padStart(11)}`);
  }
  if (earlierKeys > 0) lines.push('', `${grouped(earlierKeys)} signed by a key that the account had then`);
  if (refuted.length > 0) lines.push('', 'refuted:');
  for (const { seq, did, rev, reason, secondOpinion } of refuted) {
    const opinion =
      secondOpinion === undefined || secondOpinion === 'refuted' ? '' : `  second opinion: ${secondOpinion}`;
    lines.push(`  ${seq}  ${did}  ${rev}  ${reason}${opinion}`);
  }
  const rest = report.verdicts.refuted - refuted.length;
  if (rest > 0) lines.push(`  and ${grouped(rest)} more`);
  if (disputed > 0) {
    lines.push(
      '',
      `${grouped(disputed)} commits are right by @atproto/repo and @atproto/crypto: please report it`,
    );
  }
  return lines.map((line) => printable(line, widthMax)).join('\n');
}
