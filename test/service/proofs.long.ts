// Proofs of a whole daemon, by @atproto/repo: of every event of a simulated network, in one thread and through workers, and of real
// frames; and the names of why there is none.

import { readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommitData, verifyProofs } from '@atproto/repo';
import { expect, test } from 'vitest';
import { decodeFrame } from '../../simulator/lib/frame-encoder.ts';
import { FrameRecording, readFrames } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../support/daemon.ts';
import { corpusFramesPath, didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';

type Cid = CommitData['cid'];

interface Event {
  readonly did: string;
  readonly time_us: number;
  readonly kind: string;
  readonly commit?: { collection: string; rkey: string; rev: string; operation: string; cid?: string };
}

async function eventsOf({ httpUrl }: Daemon): Promise<Event[]> {
  const text = await (await fetch(`${httpUrl}/events.ndjson?cursor=0&limit=100000`)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Frames of a network, its CIDs by their text, and who signed. */
async function recording(seed: string, count: number) {
  const network = new SyntheticNetwork({ seed, accounts: 16, shares: { identity: 0.05, account: 0.02 } });
  const frames: Uint8Array[] = [];
  for (let index = 0; index < count; index++) frames.push((await network.next()).bytes);
  return { frames, keyOf: (did: string) => network.signingKeyOf(did) as string };
}

function cidsOf(frames: readonly Uint8Array[]): Map<string, Cid> {
  const cids = new Map<string, Cid>();
  for (const frame of frames) {
    const { ops = [] } = decodeFrame(frame).body as { ops?: { cid: Cid | null }[] };
    for (const { cid } of ops) if (cid !== null) cids.set(cid.toString(), cid);
  }
  return cids;
}

/** Whether @atproto/repo takes the answer for a proof of the event. */
async function isProven(
  response: Response,
  { did, commit }: Event,
  didKey: string,
  cids: Map<string, Cid>,
): Promise<boolean> {
  const { collection, rkey, cid } = commit as NonNullable<Event['commit']>;
  const claim = { collection, rkey, cid: cid === undefined ? null : (cids.get(cid) as Cid) };
  const car = new Uint8Array(await response.arrayBuffer());
  const { verified } = await verifyProofs(car, [claim], did, didKey);
  return verified.length === 1;
}

async function reasonOf(daemon: Daemon, query: string): Promise<string> {
  const response = await fetch(`${daemon.httpUrl}/proof?${query}`);
  const { reason } = (await response.json()) as { reason: string };
  return `${response.status} ${reason}`;
}

test.each(['0', '2'])('every event of a network has its proof, with %s workers', async (workers) => {
  const { frames, keyOf } = await recording('proofs', 150);
  const cids = cidsOf(frames);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames as Buffer[], false) });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--proofs', '1h', '--workers', workers]);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(frames.length);
  const commits = frames.filter((frame) => decodeFrame(frame).header.t === '#commit').length;
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBe(commits);
  const events = await eventsOf(daemon);
  const newest = new Map<string, number>();
  for (const event of events) {
    const url = `${daemon.httpUrl}/proof?time_us=${event.time_us}`;
    if (event.commit === undefined) {
      expect(await reasonOf(daemon, `time_us=${event.time_us}`)).toBe('404 no_record');
      continue;
    }
    const response = await fetch(url, { headers: { origin: 'https://a.example' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/vnd.ipld.car');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await isProven(response, event, keyOf(event.did), cids)).toBe(true);
    newest.set(`at://${event.did}/${event.commit.collection}/${event.commit.rkey}`, event.time_us);
  }
  // By their address alone they have the proof of their newest event.
  for (const [uri, timeUs] of [...newest].slice(-20)) {
    const [alone, both] = await Promise.all(
      [`uri=${uri}`, `uri=${uri}&seq=${timeUs}`].map((query) => fetch(`${daemon.httpUrl}/proof?${query}`)),
    );
    expect(Buffer.from(await alone.arrayBuffer())).toEqual(Buffer.from(await both.arrayBuffer()));
    expect(alone.status).toBe(200);
  }
  const otherUs = [...newest.values()][1];
  expect(await reasonOf(daemon, `time_us=${otherUs}&uri=at://did:plc:a/app.bsky.feed.post/x`)).toBe(
    '404 other_record',
  );
  expect(await reasonOf(daemon, 'uri=at://did:plc:a/app.bsky.feed.post/x')).toBe('404 no_event');
  expect(await reasonOf(daemon, 'time_us=1')).toBe('404 no_event');
  const head = await fetch(`${daemon.httpUrl}/proof?time_us=${otherUs}`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/vnd.ipld.car']);
  expect((await head.arrayBuffer()).byteLength).toBe(0);
  await expect.poll(() => daemon.metric('slipstream_proof_answers_total{answer="other_record"}')).toBe(1);
  await relay.close();
});

test.skipIf(!hasShared)(`real events have theirs${sharedNote}`, async () => {
  const frames = await readFrames(corpusFramesPath);
  const documents = JSON.parse(readFileSync(didDocumentsPath, 'utf8'));
  const cids = cidsOf(frames);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames, false) });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--proofs', '500MB']);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(frames.length);
  const commits = frames.filter((frame) => decodeFrame(frame).header.t === '#commit').length;
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBe(commits);
  for (const event of await eventsOf(daemon)) {
    if (event.commit === undefined) continue;
    const key = `did:key:${documents[event.did].verificationMethod[0].publicKeyMultibase}`;
    const response = await fetch(`${daemon.httpUrl}/proof?time_us=${event.time_us}`);
    expect(await isProven(response, event, key, cids)).toBe(true);
  }
  await relay.close();
});

test('some collections, a restart, what was before, and none', async () => {
  const { frames, keyOf } = await recording('restarts', 120);
  const cids = cidsOf(frames);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames as Buffer[], false) });
  const common = ['--ws-url', relay.url, '--workers', '0'];
  const wanted = [...common, '--proofs', '1h,100MB', '--proof-collections', 'app.bsky.feed.*'];
  await using daemon = await Daemon.start(common);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(40);
  await expect.poll(async () => (await eventsOf(daemon)).length).toBeGreaterThan(30);
  expect(await reasonOf(daemon, 'time_us=5')).toBe('404 off');
  await daemon.service.stop();
  await daemon.restart(wanted);
  const before = await eventsOf(daemon);
  await relay.publish(40);
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBeGreaterThan(5);
  await daemon.service.stop();
  await daemon.restart(wanted);
  const events = await eventsOf(daemon);
  const counts = new Map<string, number>();
  for (const event of events) {
    const { time_us: timeUs, commit } = event;
    if (commit === undefined) continue;
    const response = await fetch(`${daemon.httpUrl}/proof?time_us=${timeUs}`);
    const isFeed = commit.collection.startsWith('app.bsky.feed.');
    const isBefore = before.some((other) => other.time_us === timeUs);
    let outcome = 'proven';
    if (response.status === 200) expect(await isProven(response, event, keyOf(event.did), cids)).toBe(true);
    else outcome = ((await response.json()) as { reason: string }).reason;
    // A commit that has both kinds is kept for the one.
    expect(outcome).toBe(isFeed ? (isBefore ? 'expired' : 'proven') : outcome);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }
  expect([...counts.keys()].toSorted()).toEqual(['expired', 'not_this_collection', 'proven']);
  await daemon.service.stop();
  await daemon.restart(common);
  expect(await readdir(daemon.dataDir)).not.toContain('proofs');
  expect(await reasonOf(daemon, `time_us=${events.at(-1)?.time_us}`)).toBe('404 off');
  await relay.close();
});

test('what is lost is missing, and never another', async () => {
  const { frames, keyOf } = await recording('lost', 60);
  const cids = cidsOf(frames);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames as Buffer[], false) });
  const flags = ['--ws-url', relay.url, '--workers', '0', '--proofs', '1h'];
  await using daemon = await Daemon.start(flags);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(30);
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBeGreaterThan(10);
  await daemon.service.stop();
  const folder = join(daemon.dataDir, 'proofs');
  const [segment] = await readdir(folder);
  for (const name of await readdir(join(folder, segment)))
    if (/\.(log|ldb)$/.test(name)) await rm(join(folder, segment, name));
  await daemon.restart(flags);
  await relay.publish(30);
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBeGreaterThan(10);
  const outcomes = new Set<string>();
  for (const event of await eventsOf(daemon)) {
    if (event.commit === undefined) continue;
    const response = await fetch(`${daemon.httpUrl}/proof?time_us=${event.time_us}`);
    if (response.status !== 200) outcomes.add(((await response.json()) as { reason: string }).reason);
    else outcomes.add(`${await isProven(response, event, keyOf(event.did), cids)}`);
  }
  expect([...outcomes].toSorted()).toEqual(['not_kept', 'true']);
  await relay.close();
});

test('what makes no sense is refused', async () => {
  const { frames } = await recording('one', 1);
  const relay = await RelayServer.listen({ source: new FrameRecording(frames as Buffer[], false) });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--workers', '0', '--proofs', '1h']);
  for (const query of [
    '',
    'time_us=x',
    'time_us=-1',
    'time_us=99999999999999999',
    'time_us=5&seq=5',
    'time_us=5&time_us=5',
    'uri=at://alice.example/app.bsky.feed.post/x',
    'uri=https://a.example',
    'uri=at://did:plc:a/app.bsky.feed.post',
  ]) {
    const response = await fetch(`${daemon.httpUrl}/proof?${query}`);
    expect(response.status, query).toBe(400);
    expect(await response.text()).toMatch(/time_us|uri/);
  }
  expect(await daemon.metric('slipstream_refusals_total{reason="bad_proof_request"}')).toBe(9);
  await relay.close();
});
