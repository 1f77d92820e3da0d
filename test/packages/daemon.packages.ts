import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { didDocument } from '../../simulator/lib/did-documents.ts';
import { decodeFrame, encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { writeFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { startNetwork } from '../../simulator/lib/simulator.ts';
import { hasNative } from '../verify/engines.ts';
import { EmptyProject, hasRegistry, skipped } from './empty-project.ts';

const { peerDependencies } = manifest;

let project: EmptyProject;
beforeAll(async () => {
  if (hasRegistry) project = await EmptyProject.with('.');
});
afterAll(() => project?.[Symbol.asyncDispose]());

const packedTest = test.skipIf(!hasRegistry);

packedTest(`it has no tests in it, and of the simulator the demo's one program${skipped}`, async () => {
  const files = await project.installed();
  const own = files.filter((name) => name.startsWith('slipstream-firehose/'));
  expect(own).toContain('slipstream-firehose/dist/lib/status/page/index.html');
  expect(own.filter((name) => /simulator\/(?!README)|\.test\.|\/bench/.test(name))).toEqual([]);
  const relay = own.filter((name) => name.includes('relay-sim/'));
  expect(relay.map((name) => name.replace(/^.*relay-sim\//, ''))).toEqual(
    expect.arrayContaining(['relay-sim.js', 'LICENSES.md']),
  );
  expect(await project.packages()).not.toContain('slipstream-simulator');
});

packedTest(`its documents lead to files that are there${skipped}`, async () => {
  expect(await project.deadLinks('slipstream-firehose')).toEqual([]);
});

packedTest(`npm has nothing of it to run when it is installed${skipped}`, async () => {
  const { scripts } = JSON.parse(
    await readFile(join(project.folder, 'node_modules/slipstream-firehose/package.json'), 'utf8'),
  );
  const atInstall = /^(pre|post)?(install|prepare)$/;
  expect(Object.keys(scripts).filter((name) => atInstall.test(name))).toEqual([]);
});

packedTest(`the command says its version, and explains itself${skipped}`, async () => {
  expect((await project.run('slipstream', '--version')).stdout).toMatch(/\d+\.\d+\.\d+/);
  expect((await project.run('slipstream', '--help')).stdout).toContain('--ws-url');
  expect(await project.run('slipstream', '--no-such-flag')).toMatchObject({ code: 2 });
});

packedTest(`verify checks a recording, and asks for a second opinion${skipped}`, async () => {
  const network = new SyntheticNetwork({ seed: 'packed', accounts: 2, historyRecords: 3 });
  const frames: Uint8Array[] = [];
  for (let index = 0; index < 20; index++) frames.push((await network.next()).bytes);
  const { body } = decodeFrame(frames[19]);
  frames[19] = encodeMessage('#commit', { ...body, rev: '3zzzzzzzzzzzz' });
  await writeFrames(join(project.folder, 'frames.bin'), Readable.from(frames));
  const documents = Array.from(network.records(), (record) => [record.did, didDocument(record)]);
  await project.write('documents.json', JSON.stringify(Object.fromEntries(documents)));
  const flags = ['verify', 'frames.bin', '--did-documents', 'documents.json', '--json'];
  const { code, stdout } = await project.run('slipstream', ...flags);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    verdicts: { refuted: 1, unchecked: 0, partial: 0 },
    refuted: [{ reason: 'wrong_rev', secondOpinion: 'refuted' }],
    engine: 'wasm',
  });
  // What it may use as native code nobody gets who has not asked for it.
  expect(await project.packages()).not.toContain('elliptic');
  await project.add(`secp256k1@${peerDependencies.secp256k1}`);
  const again = await project.run('slipstream', ...flags);
  expect(JSON.parse(again.stdout)).toMatchObject({
    verdicts: { refuted: 1, unchecked: 0, partial: 0 },
    engine: hasNative ? 'native' : 'wasm',
  });
});

packedTest(`the demo is a whole first run${skipped}`, async () => {
  const addresses = ['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'];
  const { code, stdout } = await project.run(
    'npx',
    'slipstream-firehose',
    'demo',
    '--events',
    '5',
    ...addresses,
  );
  expect(code).toBe(0);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['commit']));
  expect(events).toHaveLength(5);
});

packedTest(`the daemon delivers an event, and tail shows it${skipped}`, async () => {
  await using network = await startNetwork({ accounts: 2 });
  const flags = ['--ws-url', network.url, '--data-dir', 'data', '--log-format', 'json'];
  const addresses = ['--listen-addr', '127.0.0.1:0', '--metrics-listen-addr', '127.0.0.1:0'];
  const started = /"listen":"([^"]+)"/;
  const [, address] = await project.start(started, 'slipstream', ...flags, ...addresses);
  await network.connected();
  const post = await network.post('delivered');
  const url = `ws://${address}`;
  const shown = await project.run('slipstream', 'tail', '--url', url, '--cursor', '0', '--limit', '1');
  expect(shown.code).toBe(0);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    did: post.did,
    commit: { rkey: post.rkey, cid: post.cid, record: { text: 'delivered' } },
  });
});
