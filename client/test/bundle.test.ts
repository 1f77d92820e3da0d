// What a bundler makes of the client for browsers, with as little of the daemon as is shared, and that it works in one.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { build, type Rolldown } from 'vite';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../../test/support/daemon.ts';

const root = resolve(import.meta.dirname, '../..');
const entry = join(root, 'client/lib/subscribe.ts');
const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version']).error === undefined,
);

let output: (Rolldown.OutputChunk | Rolldown.OutputAsset)[];
beforeAll(async () => {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry, formats: ['es'], fileName: 'client' }, assetsInlineLimit: 0 },
  });
  output = (result as Rolldown.RolldownOutput[])[0].output;
});

/** Files of the daemon in chunks: what the client and the server share. */
function fromDaemon(chunks: readonly Rolldown.OutputChunk[]): string[] {
  const modules = chunks.flatMap(({ moduleIds }) => moduleIds).map((id) => relative(root, id));
  return modules.filter((path) => /^(lib|cmd)\//.test(path)).sort();
}

test('it needs no module of Node, and loads zstd only when it is asked for', () => {
  const chunks = output.filter((file) => file.type === 'chunk');
  const main = chunks.find((chunk) => chunk.isEntry) as Rolldown.OutputChunk;
  const alone = new Set<string>();
  const visit = (name: string): void => {
    if (alone.has(name)) return;
    alone.add(name);
    for (const next of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) visit(next);
  };
  visit(main.fileName);
  for (const { imports, dynamicImports } of chunks) {
    for (const name of [...imports, ...dynamicImports])
      expect(chunks.map((chunk) => chunk.fileName)).toContain(name);
  }
  const needed = chunks.filter(({ fileName }) => alone.has(fileName));
  const shared = ['lib/backoff.ts', 'lib/codec/zstd-header.ts', 'lib/errors.ts'];
  expect(fromDaemon(needed)).toEqual(shared);
  expect(fromDaemon(chunks)).toEqual([...shared, 'lib/codec/wasm-module.ts'].sort());
  expect(needed.map(({ code }) => code).join('')).not.toMatch(/node:|\bBuffer\b|\bprocess\b|require\(/);
  expect(main.dynamicImports.length).toBeGreaterThan(0);
});

test.skipIf(browser === undefined)(
  `it reads a compressed stream in a browser${browser ? '' : ' (skipped: no Chromium)'}`,
  async () => {
    const pool = await FramePool.generate(new SyntheticNetwork({ seed: 'browser', accounts: 5 }), 60);
    const relay = await RelayServer.listen({ source: pool });
    onTestFinished(() => relay.close());
    await using daemon = await Daemon.start(['--ws-url', relay.url]);
    await vi.waitFor(() => expect(relay.connections).toBe(1));
    await relay.publish(60);
    const page = `<!doctype html><script type="module">
      import { subscribe } from '/client.js';
      const seen = [];
      try {
        const stream = subscribe({ url: '${daemon.url}', cursor: 0, compress: true });
        for await (const event of stream) if (seen.push(event.time_us) === 50) break;
        await fetch('/result', { method: 'POST', body: JSON.stringify(seen) });
      } catch (error) {
        await fetch('/result', { method: 'POST', body: JSON.stringify(String(error)) });
      }
    </script>`;
    const seen = await resultOf(page);
    expect(seen).toHaveLength(50);
    expect(seen).toEqual((seen as number[]).toSorted());
  },
  // A browser takes its time to start on a busy machine.
  60_000,
);

/** What a page of the bundle posts to `/result`. */
async function resultOf(page: string): Promise<unknown> {
  const files = new Map(
    output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
  const { promise, resolve: done } = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const file = files.get(request.url as string);
    const type = request.url?.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
    if (file !== undefined) response.setHeader('content-type', type).end(file);
    else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
    else response.end();
    if (request.url !== '/result') return;
    const body = await request.toArray();
    done(JSON.parse(Buffer.concat(body).toString()));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const profile = await mkdtemp(join(tmpdir(), 'slipstream-browser-'));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${profile}`, address];
  const child: ChildProcess = spawn(browser as string, flags, { stdio: 'ignore' });
  onTestFinished(async () => {
    const gone = new Promise((exited) => child.once('exit', exited));
    child.kill('SIGKILL');
    await gone;
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });
  return promise;
}
