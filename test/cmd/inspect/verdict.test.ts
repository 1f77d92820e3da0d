import { expect, test } from 'vitest';
import type { CheckResult } from '../../../cmd/inspect/log-check.ts';
import { ProblemList } from '../../../cmd/inspect/problem.ts';
import { progressLine, verdictJson, verdictText } from '../../../cmd/inspect/verdict.ts';

function resultWith(problems: ProblemList): CheckResult {
  return {
    problems,
    steppedBack: [],
    unchecked: new Map(),
    blocks: 1000,
    segments: 3,
    journalBlocks: 2,
    events: 250_000,
    bytes: 12_345_678,
  };
}

test('a clean log is said to be clean, with what was read and how fast', () => {
  expect(verdictText(resultWith(new ProblemList()), 2)).toBe(
    [
      'checked 250,000 events, 11.8 MiB as stored: 1,000 blocks and 3 segments of the store, 2 blocks of the journal',
      '2 s, 125,000 events a second; an event that is in both counts twice',
      'clean',
    ].join('\n'),
  );
});

test('problems come first, then what their names mean, then notes, and the verdict is the last line', () => {
  const problems = new ProblemList(2);
  problems.report('json_missing', 'store', 77, 'no\nJSON \x1b[31m');
  problems.report('head_damaged', 'journal', 78, 'x'.repeat(1000));
  problems.report('json_missing', 'store', 79, 'unlisted');
  const result = {
    ...resultWith(problems),
    steppedBack: [{ timeUs: 5, relay: 'relay.test', from: 9, to: 3 }],
    unchecked: new Map([[4711, 1234]]),
  };
  const lines = verdictText(result, 1).split('\n');
  expect(lines[0]).toBe('block 77: json_missing: no?JSON ?[31m');
  expect(lines[1]).toMatch(/^journal block 78: head_damaged: x{299}~$/);
  expect(lines.slice(2)).toEqual([
    '… and 1 more',
    '',
    '       2 json_missing: no JSON part',
    expect.stringMatching(/^ {7}1 head_damaged: /),
    '',
    expect.stringMatching(/^note: block 5: .*relay\.test goes back from 9 to 3$/),
    expect.stringContaining('note: '),
    expect.stringMatching(/^note: 1,234 events .*dictionary 4711.*--zstd-dictionary$/),
    expect.stringContaining('checked 250,000 events'),
    expect.stringContaining('250,000 events a second'),
    'DAMAGED: 3 problems',
  ]);
  expect(JSON.parse(verdictJson(result))).toMatchObject({
    clean: false,
    problems: 3,
    counts: { json_missing: 2, head_damaged: 1 },
    listed: [{ code: 'json_missing', where: 'store', timeUs: 77 }, { code: 'head_damaged' }],
    uncheckedZstdEvents: { 4711: 1234 },
    steppedBack: [{ relay: 'relay.test' }],
    events: 250_000,
  });
});

test('the progress line knows how far it is, if anybody does', () => {
  expect(progressLine(50_000, 200_000, 0, 0.5)).toBe('verify: 25 %, 50,000 events, 100,000 a second');
  expect(progressLine(50_000, 0, 7, 0.5)).toBe('verify: 50,000 events, 100,000 a second, 7 problems');
  expect(progressLine(210_000, 200_000, 0, 1)).toContain('100 %');
});
