// What a verification found, as text and as JSON, and the line that shows how far it is. Pure; cmd/inspect.ts prints it.

import type { DatabaseDamage } from '../../lib/level/table-check.ts';
import { formatBytes, formatSpan, grouped } from '../../lib/text.ts';
import type { CheckResult } from './log-check.ts';
import { problemLine, problemMeanings } from './problem.ts';
import type { RepairResult } from './repair.ts';

/** The report for people, without a newline at its end: problems, what each name means, notes, the verdict. */
export function verdictText(result: CheckResult, seconds: number): string {
  const { problems, steppedBack, unchecked, blocks, journalBlocks, segments, events, bytes } = result;
  const lines = problems.listed.map(problemLine);
  const unlisted = problems.total - problems.listed.length;
  if (unlisted > 0) lines.push(`… and ${grouped(unlisted)} more`);
  if (problems.total > 0) lines.push('');
  for (const [code, count] of problems.counts) {
    lines.push(`${grouped(count).padStart(8)} ${code}: ${problemMeanings[code]}`);
  }
  if (problems.total > 0) lines.push('');
  for (const { timeUs, relay, from, to } of steppedBack) {
    lines.push(`note: block ${timeUs}: the position at ${relay} goes back from ${from} to ${to}`);
  }
  if (steppedBack.length > 0) {
    lines.push('note: that is right after --override-relay-cursor, and after a relay has started over');
  }
  for (const [dictionaryId, count] of unchecked) {
    lines.push(
      `note: ${grouped(count)} events are compressed with dictionary ${dictionaryId}, which is not here: their zstd frames were ` +
        'measured and not decompressed; give it by --zstd-dictionary',
    );
  }
  const where = `${grouped(blocks)} blocks and ${grouped(segments)} segments of the store, ${grouped(journalBlocks)} blocks of the journal`;
  lines.push(
    `checked ${grouped(events)} events, ${formatBytes(bytes)} as stored: ${where}`,
    `${formatSpan(seconds)}, ${grouped(Math.round(events / seconds))} events a second; an event that is in both counts twice`,
  );
  lines.push(
    problems.total === 0
      ? 'clean'
      : `DAMAGED: ${grouped(problems.total)} problem${problems.total === 1 ? '' : 's'}`,
  );
  return lines.join('\n');
}

/** The report for programs. */
export function verdictJson({ problems, unchecked, ...counts }: CheckResult): string {
  const report = {
    clean: problems.total === 0,
    problems: problems.total,
    counts: Object.fromEntries(problems.counts),
    listed: problems.listed,
    uncheckedZstdEvents: Object.fromEntries(unchecked),
    ...counts,
  };
  return JSON.stringify(report, undefined, 2);
}

/** What is wrong with a file, in a line. */
export function damageLine({ path, offset, what }: DatabaseDamage): string {
  return `${path}: offset ${offset}: ${what}`;
}

/** What a repair did, for people, without a newline at its end. */
export function repairText(result: RepairResult | { readonly asideIn: string }): string {
  const lines = [`the damaged log is in ${result.asideIn}; delete it when nobody needs it`];
  if (!('rows' in result)) return [...lines, 'a repair that was cut off has been ended'].join('\n');
  const { blocks, events, lostBlocks, rows } = result;
  return [
    ...rows.map(({ fromUs, toUs }) => `missing: events after ${fromUs} and before ${toUs}`),
    `kept ${grouped(events)} events in ${grouped(blocks)} blocks; of ${grouped(lostBlocks)} blocks only parts were left`,
    ...lines,
  ].join('\n');
}

/** How far a verification is; `totalEvents` is 0 when nobody knows. */
export function progressLine(events: number, totalEvents: number, problems: number, seconds: number): string {
  const share = totalEvents === 0 ? '' : `${Math.min(100, Math.floor((events / totalEvents) * 100))} %, `;
  const rate = Math.round(events / Math.max(seconds, 0.001));
  const found = problems === 0 ? '' : `, ${grouped(problems)} problems`;
  return `verify: ${share}${grouped(events)} events, ${grouped(rate)} a second${found}`;
}
