// Clients that others wrote, unchanged, against a running service.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JetstreamSubscription } from '@atcute/jetstream';
import { Jetstream } from '@skyware/jetstream';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import { hasShared, officialDictionaryPath } from '../support/shared.ts';

const like = 'app.bsky.feed.like';
const hasProgram = (name: string): boolean => spawnSync(name, ['--version']).error === undefined;
const hasWebsocat = hasProgram('websocat');
const hasZstd = hasProgram('zstd');

let relay: RelayServer;
let pool: FramePool;
let daemon: Daemon;

beforeAll(async () => {
  pool = await FramePool.generate(new SyntheticNetwork({ seed: 'clients', accounts: 12 }), 200);
  relay = await RelayServer.listen({ source: pool });
  daemon = await Daemon.start([
    '--ws-url',
    relay.url,
    ...(hasShared ? ['--zstd-dictionary', officialDictionaryPath] : []),
  ]);
  await vi.waitFor(() => expect(relay.connections).toBe(1));
  await relay.publish(100);
  await vi.waitFor(async () =>
    expect(await daemon.metric('slipstream_log_stored_events')).toBeGreaterThan(100),
  );
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await relay.close();
});

/** Lines of a websocat subscription; `--binary` output is handed over as it comes. */
function websocat(
  query: string,
  flags: readonly string[] = [],
): { process: ChildProcessWithoutNullStreams; output: Buffer[] } {
  const process = spawn('websocat', [...flags, `${daemon.url}?${query}`]);
  const output: Buffer[] = [];
  process.stdout.on('data', (data: Buffer) => output.push(data));
  return { process, output };
}

test('@skyware/jetstream receives replay and live, filtered and after options_update', async () => {
  const jetstream = new Jetstream({ endpoint: daemon.url, wantedCollections: [like], cursor: 1 });
  const seen: string[] = [];
  const others: string[] = [];
  jetstream.on('commit', (event) =>
    (event.commit.collection === like ? seen : others).push(event.commit.rkey),
  );
  jetstream.onCreate(like, (event) => expect(event.commit.record).toHaveProperty('subject.uri'));
  jetstream.start();
  await expect.poll(() => seen.length).toBeGreaterThan(20);
  const replayed = seen.length;
  await relay.publish(50);
  await expect.poll(() => seen.length).toBeGreaterThan(replayed + 5);
  expect(others).toEqual([]);
  jetstream.updateOptions({ wantedCollections: ['app.bsky.feed.post'] });
  await expect
    .poll(async () => {
      await relay.publish(5);
      return others.length;
    })
    .toBeGreaterThan(0);
  jetstream.close();
});

test('@atcute/jetstream iterates, every event passing its validation', async () => {
  const invalid: unknown[] = [];
  const subscription = new JetstreamSubscription({
    url: daemon.url,
    cursor: 1,
    onError: (error) => invalid.push(error),
  });
  const kinds = new Set<string>();
  let count = 0;
  for await (const event of subscription) {
    kinds.add(event.kind === 'commit' ? event.commit.operation : event.kind);
    if (++count === 100) break;
  }
  expect(kinds).toContain('create');
  expect(kinds).toContain('delete');
  // Its schema wants a handle in identity events; the protocol, and the relay here, may leave it out.
  const serious = invalid.filter((error) => !JSON.stringify(error).includes('handle'));
  expect(serious).toEqual([]);
});

test.skipIf(!hasWebsocat)(
  `websocat prints events${hasWebsocat ? '' : ' (skipped: websocat is not installed)'}`,
  async () => {
    const { process, output } = websocat('cursor=0&wantedCollections=app.bsky.feed.*');
    await expect.poll(() => Buffer.concat(output).toString().split('\n').length).toBeGreaterThan(50);
    process.kill();
    const lines = Buffer.concat(output).toString().split('\n').slice(0, 50);
    const collections = lines.map((line) => JSON.parse(line).commit?.collection ?? '');
    expect(collections.every((name) => name === '' || name.startsWith('app.bsky.feed.'))).toBe(true);
  },
);

test.skipIf(!hasWebsocat || !hasZstd || !hasShared)(
  'websocat and the zstd command line read the compressed stream with the official dictionary (needs all three)',
  async () => {
    const plain = websocat('cursor=0&wantedCollections=app.bsky.feed.like');
    const packed = websocat('cursor=0&wantedCollections=app.bsky.feed.like&compress=true', ['--binary']);
    await expect.poll(() => Buffer.concat(plain.output).length).toBeGreaterThan(20_000);
    await expect.poll(() => Buffer.concat(packed.output).length).toBeGreaterThan(9_000);
    plain.process.kill();
    packed.process.kill();
    const directory = await mkdtemp(join(tmpdir(), 'slipstream-zstd-'));
    await writeFile(join(directory, 'events.zst'), Buffer.concat(packed.output));
    // Frames one after the other are one zstd stream; the kill may have cut the last.
    const { stdout } = spawnSync('zstd', [
      '-dcq',
      '-D',
      officialDictionaryPath,
      join(directory, 'events.zst'),
    ]);
    await rm(directory, { recursive: true });
    const expected = Buffer.concat(plain.output).toString().replaceAll('\n', '');
    const common = Math.min(stdout.length, expected.length);
    expect(common).toBeGreaterThan(10_000);
    expect(stdout.toString().slice(0, common)).toBe(expected.slice(0, common));
  },
);
