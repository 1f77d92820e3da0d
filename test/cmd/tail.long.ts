// The command as a process, against a server with v1's behaviour; on a terminal of its own where there is `script`.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { postEvent, V1Server } from '../../client/test/v1-server.ts';
import { V2Server, v2Post, v2Wrapped } from '../../client/test/v2-server.ts';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
const hasScript = spawnSync('script', ['--version']).error === undefined;

let server: V1Server;
beforeEach(async () => {
  server = await V1Server.listen();
});
afterEach(() => server[Symbol.asyncDispose]());

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(flags: readonly string[], stdout: 'pipe' | number = 'pipe'): ChildProcess {
  return spawn(process.execPath, [program, 'tail', '--url', server.url, ...flags], {
    stdio: ['ignore', stdout, 'pipe'],
  });
}

async function run(flags: readonly string[], child = start(flags)): Promise<Run> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      texts[name] += chunk;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...texts };
}

/** A terminal with colours, whatever the tests run on: Node takes one under CI for a terminal without. */
const { CI: _ci, NO_COLOR: _noColor, FORCE_COLOR: _forceColor, ...plainEnv } = process.env;
const terminalEnv = { ...plainEnv, TERM: 'xterm-256color' };

/** What a terminal of 120 columns receives. */
async function runOnTerminal(
  flags: readonly string[],
  { redirect = '', onText = (_: string): void => {} } = {},
): Promise<string> {
  const command = `stty cols 120; ${process.execPath} ${program} tail --url ${server.url} ${flags.join(' ')} ${redirect}`;
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-tail-'));
  const file = join(folder, 'command.sh');
  await writeFile(file, command);
  const child = spawn('script', ['-qec', `sh ${file}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: terminalEnv,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    onText(text);
  });
  await once(child, 'close');
  await rm(folder, { recursive: true });
  return text;
}

function publish(count: number, more: object = {}): string[] {
  const events = Array.from({ length: count }, (_, at) => postEvent(`e${at}`, 1_000_000 + at, more));
  server.publish(...events);
  return events.map((event) => JSON.stringify(event));
}

test('a program gets what was sent, a line each, up to a limit or a moment', async () => {
  const lines = publish(50);
  expect(await run(['--cursor', '0', '--limit', '20'])).toEqual({
    code: 0,
    stdout: `${lines.slice(0, 20).join('\n')}\n`,
    stderr: '',
  });
  const bounded = await run(['--cursor', '1000005', '--until', '1000010']);
  expect(bounded).toEqual({ code: 0, stdout: `${lines.slice(5, 10).join('\n')}\n`, stderr: '' });
  expect(server.queries.at(-1)?.get('cursor')).toBe('1000005');
});

test('the second wire: what was sent, lines to read, counts, and what the server says', async () => {
  await using second = await V2Server.listen();
  second.floor = 2;
  const sync = v2Wrapped('sync', 3, { rev: '3krev', blocks: { $bytes: 'AQI' } });
  second.publish(v2Post(2), sync);
  const tail = (...flags: string[]) =>
    run([], start(['--url', second.url, '--wire', 'v2', '--cursor', '0', '-n', '2', ...flags]));
  const raw = await tail('--compress');
  const sent = [v2Post(2), sync].map((payload) => JSON.stringify({ $type: 'message', payload }));
  expect(raw).toEqual({
    code: 0,
    stdout: `${sent.join('\n')}\n`,
    stderr: 'tail: the server says OutdatedCursor: starts at 2\n',
  });
  const pretty = await tail('--pretty', '-k', 'commit,sync');
  expect(pretty.stdout.split('\n')).toEqual([
    expect.stringMatching(/^08-01 00:00:00\.000 create feed\.post +did:plc:a{24}\/r2 +post 2$/),
    expect.stringMatching(/^08-01 00:00:00\.000 sync +did:plc:a{24} 3krev$/),
    '',
  ]);
  expect(second.queries[1].getAll('kinds')).toEqual(['commit', 'sync']);
  const { kinds } = JSON.parse((await tail('--stats', '--json')).stdout);
  expect(kinds).toEqual({ commit: 1, identity: 0, account: 0, sync: 1 });
  expect(await run(['--wire', 'v3'])).toMatchObject({ code: 2, stderr: expect.stringContaining('v1, v2') });
});

test('filters are asked for', async () => {
  publish(1);
  const flags = '-c app.bsky.feed.*,a.b.c -d did:plc:a -k commit -o create --cursor 0'.split(' ');
  expect((await run([...flags, '--max-message-size-bytes', '9', '-n', '1'])).code).toBe(0);
  const query = server.queries[0];
  expect(query.getAll('wantedCollections')).toEqual(['app.bsky.feed.*', 'a.b.c']);
  expect(query.getAll('wantedDids')).toEqual(['did:plc:a']);
  expect(query.getAll('wantedKinds')).toEqual(['commit']);
  expect(query.getAll('wantedOperations')).toEqual(['create']);
  expect(query.get('maxMessageSizeBytes')).toBe('9');
});

test('a filter as long as a command line can be', async () => {
  publish(1);
  const dids = Array.from({ length: 40_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
  const lists = Array.from({ length: 20 }, (_, at) => dids.slice(at * 2_000, (at + 1) * 2_000).join());
  const flags = lists.flatMap((list) => ['-d', list]);
  expect((await run(['--cursor', '0', '--limit', '1', ...flags])).code).toBe(0);
  expect(JSON.parse(server.messages[0]).payload.wantedDids).toEqual(dids);
});

test('what points at something, and the deletion of it', async () => {
  const subject = 'at://did:plc:b/app.bsky.feed.post/1';
  const like = postEvent('like', 1_000_001) as { commit: Record<string, unknown> };
  like.commit.record = { subject: { uri: subject } };
  const unlike = postEvent('like', 1_000_002) as { commit: Record<string, unknown> };
  const { rev, collection, rkey } = unlike.commit;
  unlike.commit = { rev, operation: 'delete', collection, rkey };
  server.publish(postEvent('other', 1_000_000), like, unlike);
  const flags = ['--cursor', '0', '-n', '2', '-s', `did:plc:c,${subject}`];
  const lines = [like, unlike].map((event) => JSON.stringify(event));
  expect(await run(flags)).toEqual({ code: 0, stdout: `${lines.join('\n')}\n`, stderr: '' });
  expect(server.queries[0].getAll('wantedSubjects')).toEqual(['did:plc:c', subject]);
  const { stdout } = await run([...flags, '--pretty']);
  expect(stdout.split('\n').map((line) => line.slice(19).replace(/ +/g, ' '))).toEqual([
    `create feed.post did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/like → ${subject}`,
    'delete feed.post did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/like',
    '',
  ]);
});

test('lines for a person, and counts', async () => {
  publish(30);
  const { stdout } = await run(['--cursor', '0', '-n', '30', '--pretty']);
  expect(stdout).not.toMatch(/\x1b/);
  expect(stdout.split('\n')).toHaveLength(31);
  expect(stdout).toMatch(/^01-01 00:00:01\.000 create feed\.post +did:plc:a{24}\/e0 e0\n/);
  const counts = await run(['--cursor', '0', '-n', '30', '--stats']);
  expect(counts).toMatchObject({ code: 0, stderr: '' });
  expect(counts.stdout).toMatch(/^30 events in .*; up to 1970-01-01T00:00:01\.000029Z\n/);
  expect(counts.stdout).toMatch(/\n {2}app\.bsky\.feed\.post +30 +100\.0 %\n$/);
  const json = await run(['--cursor', '0', '-n', '30', '--stats', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({
    events: 30,
    kinds: { commit: 30, identity: 0, account: 0 },
    collections: [{ collection: 'app.bsky.feed.post', events: 30 }],
  });
});

test('compressed, with a dictionary of the caller’s', async () => {
  const event = postEvent('zstd', 5);
  const dictionary = readDictionary(defaultDictionaryPath()).bytes;
  server.onConnection = (socket) => socket.send(zstdCompressSync(JSON.stringify(event), { dictionary }));
  const flags = ['-n', '1', '--compress'];
  expect(await run([...flags, '--zstd-dictionary', defaultDictionaryPath()])).toMatchObject({
    code: 0,
    stdout: `${JSON.stringify(event)}\n`,
  });
  expect(await run(flags)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('CLIENT_NO_DICTIONARY'),
  });
});

test('a connection that breaks is made again, with a word about it', async () => {
  const lines = publish(5);
  const child = start(['--cursor', '0', '-n', '7']);
  const done = run([], child);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  server.cut();
  const late = [5, 6].map((at) => postEvent(`e${at}`, 1_000_000 + at));
  server.publish(...late);
  const { code, stdout, stderr } = await done;
  expect(code).toBe(0);
  expect(stdout).toBe(`${[...lines, ...late.map((event) => JSON.stringify(event))].join('\n')}\n`);
  expect(stderr).toMatch(/^tail: closed \(1006\); again in [\d.]+ s\n$/);
});

test('a slow reader gets every line, and holds the server back', async () => {
  const lines = publish(20_000, { pad: 'x'.repeat(300) });
  const child = start(['--cursor', '0', '-n', '20000']);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    child.stdout?.pause();
    setImmediate(() => child.stdout?.resume());
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(text).toBe(`${lines.join('\n')}\n`);
});

test('a reader that has enough ends it without a word', async () => {
  publish(20_000, { pad: 'x'.repeat(300) });
  const child = start(['--cursor', '0']);
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.destroy();
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('a signal ends it with a summary that says how to go on', async () => {
  const lines = publish(3);
  const child = start(['--cursor', '0']);
  const done = run([], child);
  let text = '';
  for await (const chunk of child.stdout as NodeJS.ReadableStream) {
    text += chunk;
    if (text.split('\n').length > 3) break;
  }
  child.kill('SIGINT');
  const { code, stderr } = await done;
  expect(code).toBe(0);
  expect(text).toBe(`${lines.join('\n')}\n`);
  expect(stderr).toMatch(/^tail: 3 events in [\d.]+ s, \d+ a second; continue with --cursor 1000002\n$/);
});

test.each([
  [['--nonsense'], 2, /--nonsense/],
  [['--limit', 'x'], 2, /CONFIG_FLAG_INVALID/],
  [['--cursor', 'noon'], 2, /CONFIG_TIME_INVALID/],
  [['--url', 'ftp://nonsense'], 2, /CLIENT_BAD_URL/],
  [['--zstd-dictionary', '/nonexistent'], 2, /CODEC_DICTIONARY_UNREADABLE/],
  [['--zstd-dictionary', program], 2, /CODEC_DICTIONARY_INVALID/],
  [['--url', 'wss://server.invalid'], 1, /no address is known for server\.invalid: check the name/],
  [['-d', 'alice'], 2, /"alice" is not a DID: .*CLIENT_BAD_FILTER/],
  [
    ['-d', 'alice.invalid'],
    2,
    /alice\.invalid is a handle, but neither DNS nor .*: give the DID.*TAIL_HANDLE_UNKNOWN/,
  ],
])('%j ends in a line', async (flags, code, pattern) => {
  const result = await run(flags);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toMatch(/^tail: [^\n]+\n$/);
  expect(result.stderr).toMatch(pattern);
});

test('a server that is not there ends in a line that says so', async () => {
  const gone = await V1Server.listen();
  const { host } = new URL(gone.url);
  await gone[Symbol.asyncDispose]();
  expect(await run([], start(['--url', host]))).toEqual({
    code: 1,
    stdout: '',
    stderr: `tail: nothing listens at ${host}: is the server running? (TAIL_NOT_CONNECTED)\n`,
  });
});

test('what the server says against it ends in a line', async () => {
  server.refuse = { status: 400, body: 'invalid subscriber options: invalid collection: \x1b[2J' };
  const refused = await run(['-c', 'x']);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/^tail: .* invalid collection: \?\[2J \(CLIENT_REFUSED\)\n$/);
  server.refuse = { status: 404, body: 'no' };
  expect(await run([])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^tail: there is no subscription at .*\/subscribe: the server answers 404/),
  });
  server.refuse = { status: 503, body: 'full' };
  expect(await run([])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^tail: 127\.0\.0\.1:\d+ takes no WebSocket: it answers 503 \(TAIL_NOT_/),
  });
});

test.skipIf(!existsSync('/dev/full'))('a full disk under the output is a failure', async () => {
  publish(3);
  const flags = ['--cursor', '0', '-n', '3'];
  const { code, stderr } = await run(flags, start(flags, openSync('/dev/full', 'w')));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^tail: cannot write to standard output: .*\(TAIL_OUTPUT_FAILED\)\n$/);
});

test('the help', async () => {
  const { code, stdout, stderr } = await run(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^Usage: slipstream tail /);
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
});

test.skipIf(!hasScript)(
  `on a terminal: colours, a summary, and nothing that it would act on${hasScript ? '' : ' (skipped: no script)'}`,
  async () => {
    const hostile = '\x1b[2J\x1b]0;owned\x07\u009b31m\u202eX\r\n';
    server.publish(postEvent('name', 1_000_000, { did: `did:${hostile}` }));
    const post = postEvent('two', 1_000_001) as { commit: Record<string, unknown> };
    post.commit.record = { text: `fine ${hostile}` };
    post.commit.collection = `a.b.${hostile}`;
    server.publish(post);
    const pretty = await runOnTerminal(['--cursor', '0', '-n', '2']);
    expect(pretty).toContain('\x1b[32mcreate');
    expect(pretty).toContain('fine ?[2J');
    expect(pretty).toMatch(/tail: 2 events in .*continue with --cursor 1000001\r\n$/);
    const json = await runOnTerminal(['--cursor', '0', '-n', '2', '--json']);
    expect(json).toContain('\\u202e');
    // Colours, and the clearing of a line.
    const ours = /\x1b\[(\d+m|K)|\r\n|\r/g;
    for (const text of [pretty, json]) expect(text.replace(ours, '')).not.toMatch(/[^\P{C}\n]/u);
  },
);

test.skipIf(!hasScript)(
  `on a terminal: a bar while it replays, and none when it is over${hasScript ? '' : ' (skipped: no script)'}`,
  async () => {
    let socket: WebSocket | undefined;
    server.onConnection = (connection) => {
      socket = connection;
    };
    publish(20);
    const done = runOnTerminal(['--cursor', '0', '-n', '40'], { redirect: '> /dev/null' });
    await expect.poll(() => socket?.readyState).toBe(WebSocket.OPEN);
    for (let at = 20; at < 40; at++) {
      await new Promise((later) => setTimeout(later, 25));
      server.publish(postEvent(`e${at}`, 1_000_000 + at));
    }
    const text = await done;
    expect(text).toMatch(/\[-+\] {3}0 % {2}[\d,]+ events a second {2}\d+ d \d+ h behind/);
    expect(text).toMatch(/\r\x1b\[Ktail: 40 events in /);
  },
);

test.skipIf(!hasScript)(
  `on a terminal: the bar stays below the events, and words while nothing comes${hasScript ? '' : ' (skipped: no script)'}`,
  async () => {
    let socket: WebSocket | undefined;
    server.onConnection = (connection) => {
      socket = connection;
    };
    const done = runOnTerminal(['-n', '20', '--cursor', '0']);
    await expect.poll(() => socket?.readyState).toBe(WebSocket.OPEN);
    for (let at = 0; at < 20; at++) {
      await new Promise((later) => setTimeout(later, 25));
      server.publish(postEvent(`e${at}`, 1_000_000 + at));
    }
    // Once it is drawn it is below every event.
    const text = await done;
    const drawn = text.slice(text.indexOf(']   0 %'));
    expect(drawn).toMatch(/e\d+\r\n\[-+\] /);
    expect(drawn).not.toMatch(/e\d+\r\n\r\x1b/);

    let isPublished = false;
    const onText = (shown: string): void => {
      if (isPublished || !shown.includes('that matches')) return;
      isPublished = true;
      for (const name of ['late', 'later', 'last']) server.publish(postEvent(name, Date.now() * 1000));
    };
    const late = await runOnTerminal(['-n', '3'], { onText });
    expect(late.slice(late.indexOf(' late\r\n'))).not.toContain('that matches');
    expect(late).toMatch(
      /^[^\n]*connected to ws:\S+, waiting for the first event that matches\r\x1b\[K[^\n]* late\r\n/,
    );
  },
);

test('where the server may have missed events, a line on standard error says so', async () => {
  const gap = {
    reason: 'relay_gap',
    relay: 'relay.test\u001b[2J',
    from_us: 0,
    to_us: 1_700_000_000_000_000,
    missing: true,
  };
  server.onConnection = (socket) => {
    socket.send(JSON.stringify({ kind: 'gap', time_us: gap.to_us, gap }));
    socket.send(JSON.stringify(postEvent('a', gap.to_us + 1)));
  };
  const { code, stdout, stderr } = await run(['--limit', '1', '--json']);
  expect([code, stdout.split('\n').length]).toEqual([0, 2]);
  expect(stderr).toBe(
    'tail: gap from the beginning to 2023-11-14T22:13:20.000000Z: events may be missing (relay_gap at relay.test?[2J)\n',
  );
});
