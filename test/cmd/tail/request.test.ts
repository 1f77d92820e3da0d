import { expect, test } from 'vitest';
import { type TailRequest, tailRequestCommand } from '../../../cmd/tail/request.ts';

const nowUs = Date.UTC(2026, 0, 31, 12) * 1000;
const second = 1_000_000;

function read(argv: readonly string[], isTerminal = true): TailRequest {
  const requests: TailRequest[] = [];
  const command = tailRequestCommand(isTerminal, nowUs, (request) => void requests.push(request));
  command.parse(argv, { from: 'user' });
  expect(requests).toHaveLength(1);
  return requests[0];
}

test('flags become a request', () => {
  expect(
    read([
      ...['-c', 'a.b.c,a.b.*', '-c', 'd.e.f', '-d', 'did:x:y', '-k', 'commit', '-o', 'create,delete'],
      ...['-s', 'did:x:y,at://did:x:y/a.b.c/1', '--wanted-subjects', 'did:x:z'],
    ]),
  ).toEqual({
    url: 'ws://localhost:6008',
    wantedCollections: ['a.b.c', 'a.b.*', 'd.e.f'],
    wantedDids: ['did:x:y'],
    wantedKinds: ['commit'],
    wantedOperations: ['create', 'delete'],
    wantedSubjects: ['did:x:y', 'at://did:x:y/a.b.c/1', 'did:x:z'],
    untilUs: undefined,
    limit: Number.POSITIVE_INFINITY,
    json: false,
    stats: false,
    top: 15,
    compress: false,
    dictionaryPath: undefined,
  });
  expect(
    read([
      '--cursor',
      '1h',
      '--until',
      'now',
      '-n',
      '5',
      '--zstd-dictionary',
      'x',
      '--max-message-size-bytes=9',
    ]),
  ).toMatchObject({
    cursor: nowUs - 3_600 * second,
    untilUs: nowUs,
    limit: 5,
    maxMessageSizeBytes: 9,
    compress: true,
    dictionaryPath: 'x',
  });
});

test('JSON is what programs get, unless they ask for something else', () => {
  const json = (isTerminal: boolean, ...argv: string[]) => read(argv, isTerminal).json;
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
  [['--nonsense'], 'CONFIG_UNKNOWN_FLAG'],
  [['stray'], 'CONFIG_UNEXPECTED_ARGUMENT'],
])('%j is refused', (argv, code) => {
  expect(() => read(argv)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
});
