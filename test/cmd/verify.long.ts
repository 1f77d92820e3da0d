import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeFrame, encodeMessage } from '../../simulator/lib/frame-encoder.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { type AccountName, startNetwork } from '../../simulator/lib/simulator.ts';
import type { SyntheticFrame } from '../../simulator/lib/synthetic-frame.ts';
import { RelayReader } from '../../simulator/test/relay-reader.ts';
import { corpusFramesPath, didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';

const program = resolve(import.meta.dirname, '../../cmd/slipstream.ts');
let folder: string;
let documents: string;
let honest: SyntheticFrame[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-verify-'));
  documents = join(folder, 'documents.json');
  const network = new SyntheticNetwork({
    seed: 'verify command',
    accounts: 6,
    historyRecords: 20,
    shares: { identity: 0.1 },
  });
  honest = [];
  for (let index = 0; index < 60; index++) honest.push(await network.next());
  const dids = new Set(honest.map(({ did }) => did));
  const all = Object.fromEntries([...dids].map((did) => [did, documentOf(did, network.signingKeyOf(did))]));
  await writeFile(documents, JSON.stringify(all));
  for (const [did, document] of Object.entries(all))
    await writeFile(join(folder, `${did}.json`), JSON.stringify(document));
});
afterAll(() => rm(folder, { recursive: true }));

function documentOf(did: string, key = 'did:key:'): unknown {
  const publicKeyMultibase = key.slice('did:key:'.length);
  return {
    id: did,
    verificationMethod: [{ id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase }],
  };
}

/** Writes a recording; returns its path. */
async function record(name: string, frames: readonly Uint8Array[], cut = 0): Promise<string> {
  const parts = frames.flatMap((frame) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    return [length, frame];
  });
  const bytes = Buffer.concat(parts);
  await writeFile(join(folder, name), bytes.subarray(0, bytes.length - cut));
  return join(folder, name);
}

function verify(...flags: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'verify', ...flags], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** The same, while this process answers. */
async function verifyBeside(...flags: string[]) {
  const child = spawn(process.execPath, [program, 'verify', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [stdout, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { status, stdout };
}

test('an honest recording', async () => {
  const path = await record(
    'honest',
    honest.map(({ bytes }) => bytes),
  );
  const { status, stdout } = verify(path, '--did-documents', documents);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^[45]\d commits of \d+ accounts in 60 frames.*\n[1-9]\d? of the frames are not commits\n/,
  );
  expect(stdout).toMatch(/^verified {4}continuous +\d+ +\d+\.\d\d %$/m);
  expect(stdout).toMatch(/^anchored {4}first_sight +\d+ +\d+\.\d\d %$/m);
  const json = JSON.parse(verify(path, '--did-documents', folder, '--json').stdout);
  expect(json).toMatchObject({
    frames: 60,
    verdicts: { partial: 0, unchecked: 0, refuted: 0 },
    refuted: [],
    disputed: 0,
  });
  expect(json.verdicts.verified + json.verdicts.anchored).toBe(json.checked);
  expect(json.verdicts.anchored).toBe(json.accounts);
});

test('a recording with a lie in it, a gap, and a commit of nobody that is known', async () => {
  const frames = honest.map(({ bytes }) => bytes);
  const commits = honest.flatMap(({ kind }, index) => (kind === 'commit' ? [index] : []));
  const byAccount = Map.groupBy(commits, (index) => honest[index].did);
  const [, left] = [...byAccount.values()].find((list) => list.length > 3) as number[];
  const lie = commits.findLast((index) => index !== left) as number;
  const { body } = decodeFrame(frames[lie]);
  frames[lie] = encodeMessage('#commit', { ...body, rev: '3zzzzzzzzzzzz' });
  const other = encodeMessage('#commit', { ...body, repo: 'did:plc:unknown' });
  const path = await record('lie', [...frames.toSpliced(left, 1), other]);
  const json = JSON.parse(verify(path, '--did-documents', documents, '--json').stdout);
  expect(json.refuted).toEqual([
    {
      seq: honest[lie].seq,
      did: honest[lie].did,
      rev: '3zzzzzzzzzzzz',
      reason: 'wrong_rev',
      secondOpinion: 'refuted',
    },
    {
      seq: honest[lie].seq,
      did: 'did:plc:unknown',
      rev: honest[lie].rev,
      reason: 'wrong_did',
      secondOpinion: 'refuted',
    },
  ]);
  expect(json.reasons).toContainEqual({ verdict: 'anchored', reason: 'gap', commits: 1 });
  const { status, stdout } = verify(path, '--did-documents', documents, '--list', '1');
  expect(status).toBe(1);
  expect(stdout).toContain(
    `refuted:\n  ${honest[lie].seq}  ${honest[lie].did}  3zzzzzzzzzzzz  wrong_rev\n  and 1 more`,
  );
});

test('without documents nothing is refuted', async () => {
  await writeFile(join(folder, 'none.json'), '{}');
  const path = await record(
    'unknown',
    honest.map(({ bytes }) => bytes),
  );
  const { status, stdout } = verify(path, '--did-documents', join(folder, 'none.json'), '--json');
  expect(status).toBe(0);
  const { reasons, checked } = JSON.parse(stdout);
  expect(reasons).toEqual([{ verdict: 'unchecked', reason: 'key_unknown', commits: checked }]);
});

test('keys from a directory, those of the time of a commit too', async () => {
  await using network = await startNetwork({ seed: 'rotated', accounts: 3, historyRecords: 3 });
  const directory = await network.startDirectory();
  const reader = new RelayReader(network.url);
  await network.connected();
  const { did } = network.accounts.find((account) => account.did.startsWith('did:plc:')) as AccountName;
  await network.post('before', did);
  await network.rotateKey(did);
  await network.publish(20);
  await network.post('after', did);
  const { binary } = await reader.frames(23);
  reader.terminate();
  const path = await record('rotated', binary);
  const flags = [
    path,
    '--plc-url',
    directory.url,
    '--did-web-url',
    directory.url,
    '--key-cache',
    join(folder, 'cache'),
  ];
  const { status, stdout } = await verifyBeside(...flags, '--json');
  expect(status).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ earlierKeys: 1, verdicts: { refuted: 0, unchecked: 0, partial: 0 } });
  // Without the directory the cache has them, but for what was.
  directory.setFaults({ refuseStatus: 1 });
  const later = JSON.parse((await verifyBeside(...flags, '--json')).stdout);
  expect(later.verdicts).toMatchObject({ refuted: 0, unchecked: 1 });
  expect(later.reasons).toContainEqual({ verdict: 'unchecked', reason: 'lookup_failed', commits: 1 });
});

test('what cannot be looked into', async () => {
  const path = await record(
    'cut',
    honest.slice(0, 3).map(({ bytes }) => bytes),
    1,
  );
  expect(verify(path, '--did-documents', documents)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('is cut off'),
  });
  const nothing = join(folder, 'nothing');
  expect(verify(nothing, '--did-documents', documents).stderr).toMatch(
    /^verify: .*ENOENT.*\(VERIFY_FILE_INVALID\)\n$/,
  );
  await writeFile(nothing, 'hello, this is not a recording');
  expect(verify(nothing, '--did-documents', documents).stderr).toContain('no frame at byte 0');
  expect(verify(nothing, '--did-documents', nothing).stderr).toContain('VERIFY_DOCUMENTS_INVALID');
  expect(verify(nothing)).toMatchObject({ status: 2, stderr: expect.stringContaining('--did-documents') });
  const both = ['--did-documents', documents, '--plc-url', 'http://127.0.0.1:1'];
  expect(verify(nothing, ...both)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--did-documents'),
  });
  expect(verify(nothing, '--did-documents', documents, '--key-cache', folder).stderr).toContain(
    'go with --plc-url',
  );
  expect(verify(nothing, '--plc-url', 'plc').stderr).toMatch(
    /^verify: "plc" is not the address of a directory.*IDENTITY_BAD_URL/,
  );
});

test.skipIf(!hasShared)(`real frames${sharedNote}`, () => {
  const { status, stdout } = verify(corpusFramesPath, '--did-documents', didDocumentsPath, '--json');
  expect(status).toBe(0);
  const { checked, verdicts } = JSON.parse(stdout);
  expect(verdicts).toMatchObject({ anchored: checked, refuted: 0 });
});
