import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmptyProject, hasRegistry, skipped } from './empty-project.ts';

let project: EmptyProject;
beforeAll(async () => {
  if (hasRegistry) project = await EmptyProject.with('simulator');
});
afterAll(() => project?.[Symbol.asyncDispose]());

const packedTest = test.skipIf(!hasRegistry);

packedTest(`it has leaves of the daemon, and no more of it${skipped}`, async () => {
  const files = await project.installed();
  expect(files.filter((name) => name.endsWith('.node'))).toEqual([]);
  const own = files.filter((name) => /^slipstream-simulator\/dist\/lib\/.*\.js$/.test(name));
  expect(own.map((name) => name.replace('slipstream-simulator/dist/', '')).sort()).toEqual([
    'lib/errors.js',
    'lib/event/tid.js',
    'lib/seeded-random.js',
    'lib/websocket.js',
  ]);
  for (const name of ['README.md', 'LICENSE']) expect(files).toContain(`slipstream-simulator/${name}`);
});

packedTest(`a program has a network in its own process${skipped}`, async () => {
  await project.write(
    'main.js',
    `import { startNetwork } from 'slipstream-simulator';
    const network = await startNetwork({ accounts: 2 });
    const stream = new WebSocket(network.url + '/xrpc/com.atproto.sync.subscribeRepos');
    stream.binaryType = 'arraybuffer';
    const received = new Promise((resolve) => {
      stream.onmessage = ({ data }) => resolve(Buffer.from(data).includes('in a frame'));
    });
    await network.connected();
    await network.post('in a frame');
    console.log(await received);
    await network.close();`,
  );
  expect(await project.run('node', 'main.js')).toMatchObject({ stdout: 'true\n', stderr: '', code: 0 });
});

packedTest(`relay-sim explains itself, says what is wrong, and serves${skipped}`, async () => {
  expect((await project.run('relay-sim', '--help')).stdout).toContain('--frames-file');
  expect(await project.run('relay-sim', '--rate', 'fast')).toMatchObject({ code: 2 });
  const listening = /^relay-sim listening (ws:\S+)$/;
  const [, url] = await project.start(listening, 'relay-sim', '--rate', '50', '--accounts', '2');
  const stream = new WebSocket(`${url}/xrpc/com.atproto.sync.subscribeRepos`);
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.onmessage = () => resolve();
  await promise;
  stream.close();
});
