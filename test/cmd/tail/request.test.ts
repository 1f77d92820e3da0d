import { expect, test } from 'vitest';
import { momentOf } from '../../../cmd/tail/moment.ts';
import { readTailRequest, tailHelp } from '../../../cmd/tail/request.ts';

const nowUs = Date.UTC(2026, 0, 31, 12) * 1000;
const second = 1_000_000;
const read = (...argv: string[]) => readTailRequest(argv, true, nowUs);

test.each([
  ['now', nowUs],
  ['90s', nowUs - 90 * second],
  ['1h30m', nowUs - 5_400 * second],
  ['2d', nowUs - 172_800 * second],
  ['100000d', 0],
  ['0', 1],
  ['1700000000', 1_700_000_000 * second],
  ['1700000000000', 1_700_000_000 * second],
  ['1700000000123456', 1_700_000_000_123_456],
  ['2026-01-31T11:00:00Z', nowUs - 3_600 * second],
])('%s is a moment', (text, expected) => {
  expect(momentOf(text, 'cursor', nowUs)).toBe(expected);
});

test('flags become a request', () => {
  expect(
    read(
      ...['-c', 'a.b.c,a.b.*', '-c', 'd.e.f', '-d', 'did:x:y', '-k', 'commit', '-o', 'create,delete'],
      ...['-s', 'did:x:y,at://did:x:y/a.b.c/1', '--wanted-subjects', 'did:x:z'],
    ),
  ).toEqual({
    url: 'ws://localhost:6008',
    filter: {
      wantedCollections: ['a.b.c', 'a.b.*', 'd.e.f'],
      wantedDids: ['did:x:y'],
      wantedKinds: ['commit'],
      wantedOperations: ['create', 'delete'],
      wantedSubjects: ['did:x:y', 'at://did:x:y/a.b.c/1', 'did:x:z'],
      maxMessageSizeBytes: 0,
    },
    cursor: undefined,
    untilUs: undefined,
    limit: Number.POSITIVE_INFINITY,
    json: false,
    stats: false,
    top: 15,
    compress: false,
    dictionaryPath: undefined,
  });
  expect(read('--cursor', '1h', '--until', 'now', '-n', '5', '--zstd-dictionary', 'x')).toMatchObject({
    cursor: nowUs - 3_600 * second,
    untilUs: nowUs,
    limit: 5,
    compress: true,
    dictionaryPath: 'x',
  });
  expect(read('-h')).toBeUndefined();
});

test('JSON is what programs get, unless they ask for something else', () => {
  const json = (isTerminal: boolean, ...argv: string[]) => readTailRequest(argv, isTerminal, nowUs)?.json;
  expect([json(true), json(false)]).toEqual([false, true]);
  expect([json(true, '--json'), json(false, '--pretty'), json(false, '--stats')]).toEqual([
    true,
    false,
    false,
  ]);
  expect(json(false, '--stats', '--json')).toBe(true);
});

test.each([
  [['--cursor', 'noon'], 'CONFIG_TIME_INVALID'],
  [['--cursor', '1h', '--until', '2h'], 'CONFIG_FLAG_INVALID'],
  [['--until', 'now'], 'CONFIG_FLAG_INVALID'],
  [['--limit', 'many'], 'CONFIG_FLAG_INVALID'],
  [['-k', 'commits'], 'CONFIG_FLAG_INVALID'],
  [['-o', 'create,remove'], 'CONFIG_FLAG_INVALID'],
  [['--json', '--pretty'], 'CONFIG_FLAG_INVALID'],
  [['--nonsense'], 'ERR_PARSE_ARGS_UNKNOWN_OPTION'],
  [['stray'], 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL'],
])('%j is refused', (argv, code) => {
  expect(() => read(...argv)).toThrow(expect.objectContaining({ code }));
});

test('the help names every flag, in at most 110 columns', () => {
  for (const line of tailHelp.split('\n')) expect(line.length).toBeLessThanOrEqual(110);
  const names =
    'url wanted-collections wanted-dids wanted-kinds wanted-operations wanted-subjects max-message-size-bytes';
  for (const name of `${names} cursor until limit json pretty stats top compress zstd-dictionary help`.split(
    ' ',
  ))
    expect(tailHelp).toContain(`--${name}`);
});
