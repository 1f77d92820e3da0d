// What "Try it" offers for pasting: one word for a shell, one string for a language, whatever is in a choice; and programs that print a
// real daemon's events.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FramePool } from '../../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../../simulator/lib/network.ts';
import { RelayServer } from '../../../simulator/lib/relay-server.ts';
import { Daemon } from '../../support/daemon.ts';
import { everything, everythingOnV2, pageModule } from './modules.ts';

const { snippet } = await pageModule('snippet.js');

const strange = [
  "a'; touch /tmp/x; echo '",
  'a"b',
  '$(id)',
  '`id`',
  'a\nb',
  'a\\',
  'a&b#c%d',
  'é\u202e',
  'a[1-9]{b}',
];

describe('a command', () => {
  it.each(strange.flatMap((text) => ['websocat', 'events', 'events.ndjson'].map((tool) => [tool, text])))(
    'of %s is one word for a shell, whatever is in it: %j',
    (tool, text) => {
      const line: string = snippet('http://localhost/', { ...everything, collections: [text] }, tool, 1);
      const script = line.replace(/^(websocat|curl -\S+) /, "printf '%s\\n' ");
      const url = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd();
      expect(url.split('\n')).toHaveLength(1);
      // Curl makes several addresses of brackets and braces.
      expect(url).not.toMatch(/[[\]{}]/);
      expect(new URL(url).searchParams.getAll('wantedCollections')).toEqual([text]);
    },
  );

  it.each(strange)('of tail likewise: %j', (text) => {
    const choice = { ...everything, collections: [text, 'a.b.c'], cursor: '1h', compress: true };
    const line: string = snippet('https://a.example/jet/', choice, 'tail', 1);
    const script = line.replace('npx slipstream-firehose tail', "printf '%s\\0'");
    const words = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).split('\0');
    expect(words.slice(0, -1)).toEqual([
      ...['--url', 'wss://a.example/jet/subscribe', '-c', `${text},a.b.c`, '--cursor', '1h', '--compress'],
    ]);
  });

  it('gets the same over plain HTTP', () => {
    const choice = { ...everything, subjects: ['did:plc:a'], cursor: '0', compress: true };
    const lines = ['events', 'events.ndjson'].map((tool) =>
      snippet('https://a.example/jet/', choice, tool, 1),
    );
    expect(lines).toEqual([
      "curl -sN 'https://a.example/jet/events?wantedSubjects=did:plc:a&cursor=0'",
      "curl -s 'https://a.example/jet/events.ndjson?wantedSubjects=did:plc:a&cursor=0'",
    ]);
  });

  it('fetches the dictionary for what is compressed', () => {
    const choice = { ...everything, compress: true };
    expect(snippet('https://a.example/jet/', choice, 'websocat', 53328)).toBe(
      [
        "curl -so slipstream.zdict 'https://a.example/jet/dictionaries/53328'",
        "websocat -b 'wss://a.example/jet/subscribe?compress=true&zstdDictionary=53328' | zstd -dcq -D slipstream.zdict",
      ].join('\n'),
    );
  });
});

describe('a command for the second wire', () => {
  const page = 'https://a.example/jet/';

  it('of websocat, with its dictionary', () => {
    expect(snippet(page, { ...everythingOnV2, compress: true }, 'websocat', 37694)).toBe(
      [
        "curl -so slipstream.zdict 'https://a.example/jet/xrpc/network.bsky.jetstream.getZstdDictionary?id=37694'",
        "websocat -b 'wss://a.example/jet/xrpc/network.bsky.jetstream.subscribeEvents?zstdDictionary=37694' | zstd -dcq -D slipstream.zdict",
      ].join('\n'),
    );
  });

  it('of tail', () => {
    expect(snippet(page, { ...everythingOnV2, kinds: ['sync'], cursor: '1h' }, 'tail', 1)).toBe(
      'npx slipstream-firehose tail --url wss://a.example/jet/subscribe --wire v2 -k sync --cursor 1h',
    );
  });

  it('over plain HTTP, where `sync` comes if it is asked for', () => {
    expect(snippet(page, everythingOnV2, 'events', 1)).toBe(
      "curl -sN 'https://a.example/jet/events?wantedKinds=commit&wantedKinds=identity&wantedKinds=account&wantedKinds=sync'",
    );
  });
});

describe.each([
  ['', everything, 53328],
  [' for the second wire', everythingOnV2, 37694],
])('a program%s', (_, all, dictionaryId) => {
  let daemon: Daemon;
  let relay: RelayServer;
  let folder: string;
  beforeAll(async () => {
    const network = new SyntheticNetwork({ seed: 'snippets', accounts: 20 });
    relay = await RelayServer.listen({
      source: await FramePool.generate(network, 200),
      framesPerSecond: 500,
    });
    daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0']);
    folder = await mkdtemp(join(tmpdir(), 'slipstream-snippet-'));
    await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
    await relay.close();
    await rm(folder, { recursive: true });
  });

  const likes = { collections: ['app.bsky.feed.like', 'app.bsky.graph.*'], kinds: ['commit'], cursor: '1h' };

  /** What a program prints until there are `events` events in it. */
  async function printed(command: string, args: string[], events: number): Promise<string> {
    const child = spawn(command, args, { cwd: folder, detached: true });
    const stop = (): void => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL');
    };
    onTestFinished(stop);
    let output = '';
    let errors = '';
    const isEnough = (): boolean => output.split(/time_us|["']?seq/).length > events;
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    const ended = new Promise<void>((done) => child.once('close', () => done()));
    child.stdout.on('data', (chunk) => {
      output += chunk;
      // A shell has children: all of its group.
      if (isEnough()) stop();
    });
    await ended;
    if (!isEnough()) throw new Error(`${command} ended:\n${output}\n${errors}`);
    return output;
  }

  const collectionsOf = (output: string): Set<string> =>
    new Set([...output.matchAll(/["']?collection["']?: ?["']([^"']+)["']/g)].map(([, name]) => name));
  const wanted = /^app\.bsky\.(feed\.like|graph\.\w+)$/;

  async function expectLikes(command: string, args: string[]): Promise<void> {
    const collections = collectionsOf(await printed(command, args, 100));
    expect(collections.size).toBeGreaterThan(0);
    for (const name of collections) expect(name).toMatch(wanted);
  }

  const code = (tool: string, compress = false): string =>
    snippet(`${daemon.httpUrl}/`, { ...all, ...likes, nowMs: Date.now(), compress }, tool, dictionaryId);

  it('in JavaScript', async () => {
    await writeFile(join(folder, 'firehose.js'), code('javascript'));
    await expectLikes(process.execPath, ['firehose.js']);
  });

  it.each([false, true])('in TypeScript, compressed: %s', async (compress) => {
    // As it is pasted, with the client as it lies here.
    const client = resolve('client/lib/subscribe.ts');
    await writeFile(
      join(folder, 'firehose.mts'),
      code('typescript', compress).replace("'slipstream-client'", `'${client}'`),
    );
    await expectLikes(process.execPath, ['firehose.mts']);
  });

  const python = process.env.PYTHON ?? 'python3';
  const hasWebsockets = runs(python, ['-c', 'import websockets.sync.client']);
  it.skipIf(!hasWebsockets)(
    `in Python${hasWebsockets ? '' : ' (skipped: no Python with websockets; pip install websockets, or PYTHON=…)'}`,
    async () => {
      await writeFile(join(folder, 'firehose.py'), code('python'));
      await expectLikes(python, ['firehose.py']);
    },
  );

  const hasCurl = runs('curl', ['--version']);
  it.skipIf(!hasCurl).each(['events', 'events.ndjson'])(
    `of curl: %s${hasCurl ? '' : ' (skipped: no curl)'}`,
    async (tool) => {
      await expect.poll(async () => (await daemon.metric('slipstream_events_total')) !== 0).toBe(true);
      const output = await printed('sh', ['-c', code(tool)], 20);
      for (const name of collectionsOf(output)) expect(name).toMatch(wanted);
    },
  );

  const hasWebsocat = runs('websocat', ['--version']) && runs('zstd', ['--version']);
  it.skipIf(!hasWebsocat).each([false, true])(
    `of websocat, compressed: %s${hasWebsocat ? '' : ' (skipped: no websocat and zstd)'}`,
    (compress) => expectLikes('sh', ['-c', code('websocat', compress)]),
  );

  it('of tail', async () => {
    const line = code('tail', true).replace(
      'npx slipstream-firehose tail',
      `${process.execPath} ${resolve('cmd/slipstream.ts')} tail`,
    );
    await expectLikes('sh', ['-c', line]);
  });
});

function runs(program: string, args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
