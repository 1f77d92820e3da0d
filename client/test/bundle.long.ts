// What a bundler makes of the client for browsers, with as little of the daemon as is shared, and that it works in one.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { defaultDictionaryPath, readDictionary } from '../../lib/codec/dictionary.ts';
import { wasmFiles } from '../../lib/codec/wasm-module.ts';
import { FramePool } from '../../simulator/lib/frame-pool.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../../test/support/daemon.ts';
import { postEvent, V1Server } from './v1-server.ts';

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
  const shared = [
    ...['lib/backoff.ts', 'lib/codec/zstd-header.ts', 'lib/decode/rfc3339.ts', 'lib/errors.ts'],
    ...['lib/event/cursor.ts', 'lib/event/moment.ts', 'lib/near-name.ts', 'lib/text.ts'],
  ];
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

test.skipIf(browser === undefined)(
  `a decoder that is not served ends the stream, and can be served elsewhere${browser ? '' : ' (skipped: no Chromium)'}`,
  async () => {
    await using server = await V1Server.listen();
    const dictionary = readDictionary(defaultDictionaryPath()).bytes;
    server.onConnection = (socket) =>
      socket.send(zstdCompressSync(JSON.stringify(postEvent('a', 5)), { dictionary }));
    /** What a stream with each of these gives, on one page. */
    const tellOf = (...wasm: string[]): Promise<unknown> => {
      const page = `<!doctype html><script type="module">
        import { subscribe } from '/client.js';
        const told = [];
        const dictionary = Uint8Array.from(atob('${Buffer.from(dictionary).toString('base64')}'), (c) => c.charCodeAt(0));
        for (const zstdWasm of [${wasm}]) {
          try {
            const stream = subscribe({ url: '${server.url}', compress: true, dictionary, zstdWasm });
            for await (const event of stream) { told.push(event.time_us); break; }
          } catch (error) {
            told.push(error.code + ' ' + error.message);
          }
        }
        await fetch('/result', { method: 'POST', body: JSON.stringify(told) });
      </script>`;
      return resultOf(page, { isElsewhere: true });
    };
    const is = (pattern: RegExp) => expect.stringMatching(pattern);
    expect(await tellOf('undefined', "'/elsewhere.wasm'")).toEqual([
      is(/^CLIENT_NO_DECODER .*failed to load wasm binary file at '.*\/zstd\.wasm'/),
      is(/^CLIENT_NO_DECODER .*failed to load wasm/),
    ]);
    expect(await tellOf("'/nowhere.wasm'", 'new Uint8Array(9)', "'/elsewhere.wasm'", 'undefined')).toEqual([
      is(/^CLIENT_NO_DECODER .*\/nowhere\.wasm answers 404\. .* as "zstdWasm"/),
      is(/^CLIENT_NO_DECODER .*what was given is no WebAssembly/),
      5,
      5,
    ]);
  },
  60_000,
);

/** As a bundle is in which the decoder's file is a file, beside or elsewhere: Vite puts it into the code of a library. */
const inlined = /data:application\/wasm;base64,[\w+/=]*/;

/** What a page of the bundle posts to `/result`. @param isElsewhere the decoder's file is `/elsewhere.wasm`, and not inlined. */
async function resultOf(page: string, { isElsewhere = false } = {}): Promise<unknown> {
  const files = new Map<string, string | Uint8Array>();
  for (const file of output) {
    const content = file.type === 'chunk' ? file.code : file.source;
    if (!isElsewhere || typeof content !== 'string') files.set(`/${file.fileName}`, content);
    else files.set(`/${file.fileName}`, content.replace(inlined, '/zstd.wasm'));
  }
  if (isElsewhere) files.set('/elsewhere.wasm', await readFile(wasmFiles().get('zstd.wasm') as URL));
  const { promise, resolve: done } = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const file = files.get(request.url as string);
    const type = request.url?.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
    if (file !== undefined) response.setHeader('content-type', type).end(file);
    else if (request.url === '/') response.setHeader('content-type', 'text/html').end(page);
    else {
      response.statusCode = request.url?.endsWith('.wasm') ? 404 : 200;
      response.end();
    }
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
