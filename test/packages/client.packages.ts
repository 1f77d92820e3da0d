import { afterAll, beforeAll, expect, test } from 'vitest';
import { postEvent, V1Server } from '../../client/test/v1-server.ts';
import { EmptyProject, hasRegistry, root, skipped } from './empty-project.ts';

let project: EmptyProject;
beforeAll(async () => {
  if (hasRegistry) project = await EmptyProject.with('client');
});
afterAll(() => project?.[Symbol.asyncDispose]());

const packedTest = test.skipIf(!hasRegistry);

packedTest(`it brings one package with it, and nothing of the server${skipped}`, async () => {
  expect(await project.packages()).toEqual(['@bokuweb/zstd-wasm', 'slipstream-client']);
  const files = await project.installed();
  expect(files.filter((name) => name.endsWith('.node') || name.endsWith('.gyp'))).toEqual([]);
  const own = files.filter((name) => name.startsWith('slipstream-client/dist/lib/') && name.endsWith('.js'));
  expect(own.map((name) => name.replace('slipstream-client/dist/', '')).sort()).toEqual([
    'lib/backoff.js',
    'lib/codec/wasm-module.js',
    'lib/codec/zstd-header.js',
    'lib/decode/rfc3339.js',
    'lib/errors.js',
    'lib/event/cursor.js',
    'lib/event/moment.js',
    'lib/near-name.js',
    'lib/text.js',
  ]);
  for (const name of ['README.md', 'LICENSE']) expect(files).toContain(`slipstream-client/${name}`);
});

packedTest(`its README leads to files that are there${skipped}`, async () => {
  expect(await project.deadLinks('slipstream-client')).toEqual([]);
});

packedTest(`a strict program compiles on it, and gets an event${skipped}`, async () => {
  await using server = await V1Server.listen();
  server.publish(postEvent('packed', 7));
  await project.write(
    'main.ts',
    `import { type EventStream, type StreamEvent, subscribe } from 'slipstream-client';
    const stream: EventStream<StreamEvent> = subscribe({ url: '${server.url}', cursor: 0 });
    for await (const event of stream) {
      const time: number = event.time_us;
      console.log(time, event.kind === 'commit' && event.commit.rkey);
      break;
    }`,
  );
  const options = { target: 'es2023', module: 'nodenext', strict: true, skipLibCheck: false, types: [] };
  const compilerOptions = { ...options, lib: ['es2024', 'esnext.disposable', 'dom', 'dom.asynciterable'] };
  await project.write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['main.ts'] }));
  expect(await project.run(`${root}/node_modules/.bin/tsc`)).toEqual({ stdout: '', stderr: '', code: 0 });
  expect((await project.run('node', 'main.js')).stdout).toBe('7 packed\n');
});
