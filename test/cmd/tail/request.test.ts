import { expect, test } from 'vitest';
import { type TailRequest, tailRequestCommand, withDids } from '../../../cmd/tail/request.ts';

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
  [[], 'ws://localhost:6008'],
  [['wss://a.example'], 'wss://a.example'],
  [['a.example'], 'wss://a.example'],
  [['a.example/subscribe'], 'wss://a.example/subscribe'],
  [['localhost'], 'ws://localhost'],
  [['a.example:6008'], 'ws://a.example:6008'],
  [['127.0.0.1'], 'ws://127.0.0.1'],
  [['[::1]:6008'], 'ws://[::1]:6008'],
  [['--url', 'localhost:6008'], 'ws://localhost:6008'],
  [['--url', 'http://a.example'], 'http://a.example'],
])('%j: the server is %s', (argv, url) => {
  expect(read(argv).url).toBe(url);
});

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
const nowhere = () => Promise.reject(new Error('nowhere'));

test('handles become DIDs, by DNS or by what their servers say', async () => {
  const asked: string[] = [];
  const sources = {
    resolveTxt: async (name: string) => {
      asked.push(name);
      if (name !== '_atproto.alice.example') return nowhere();
      return [['v=spf1'], ['did=did:plc:', 'aaaaaaaaaaaaaaaaaaaaaaaa']];
    },
    fetch: async (url: string) => {
      if (url === 'https://bob.example/.well-known/atproto-did') return new Response('did:web:bob.example\n');
      return new Response('<html>', { status: url.includes('alice') ? 404 : 200 });
    },
  };
  const request = read([
    ...['-d', `@Alice.example,${did},bob.example`],
    ...['-s', 'alice.example,at://bob.example/a.b.c/1,did:web:c.example'],
  ]);
  expect(await withDids(request, sources)).toMatchObject({
    wantedDids: [did, did, 'did:web:bob.example'],
    wantedSubjects: [did, 'at://did:web:bob.example/a.b.c/1', 'did:web:c.example'],
  });
  expect(asked).not.toContain('_atproto.c.example');
  const unknown = withDids(read(['-d', 'carol.example']), sources);
  await expect(unknown).rejects.toMatchObject({ code: 'TAIL_HANDLE_UNKNOWN', exitCode: 2 });
  await expect(unknown).rejects.toThrow(
    /^carol\.example is a handle, but neither DNS .* says whose it is: give the DID/,
  );
});

test('an endless answer for a handle, and several in DNS, are none', async () => {
  const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(10_000)) });
  const sources = {
    resolveTxt: async () => [[`did=${did}`], ['did=did:web:b.example']],
    fetch: async () => new Response(endless),
  };
  await expect(withDids(read(['-d', 'a.example']), sources)).rejects.toMatchObject({
    code: 'TAIL_HANDLE_UNKNOWN',
  });
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
  [['a.example', 'b.example'], 'CONFIG_UNEXPECTED_ARGUMENT'],
  [['a.example', '--url', 'b.example'], 'CONFIG_UNEXPECTED_ARGUMENT'],
])('%j is refused', (argv, code) => {
  expect(() => read(argv)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
});
