// The package's entry as a bot's or a server's test would use it, read by the plain `ws` client.

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeFrame } from '../lib/frame-encoder.ts';
import { type LocalNetwork, type LocalNetworkOptions, startNetwork } from '../lib/simulator.ts';
import { RelayReader } from './relay-reader.ts';

const small: LocalNetworkOptions = { accounts: 3, historyRecords: 5 };

interface Body {
  readonly seq: number;
  readonly repo?: string;
  readonly did?: string;
  readonly handle?: string;
  readonly active?: boolean;
  readonly status?: string;
  readonly ops?: readonly { action: string; path: string; cid: unknown }[];
}

async function frames(network: LocalNetwork, count: number): Promise<Body[]> {
  const reader = new RelayReader(network.url, '?cursor=0');
  const { binary } = await reader.frames(count);
  reader.terminate();
  // The cursor is before the first frame, of which the relay tells.
  return binary.map((frame) => decodeFrame(frame).body as unknown as Body).filter(({ seq }) => seq > 0);
}

test('publishes what it is told to, in that order, and nothing else', async () => {
  await using network = await startNetwork({ ...small, firstSeq: 1 });
  const [first, second] = network.accounts;
  const post = await network.post('hello');
  const like = await network.create('app.bsky.feed.like', { subject: { uri: post.uri } }, second.did);
  await network.update(post.uri, { text: 'edited' });
  await network.delete(like.uri);
  await network.identity(second.did, 'renamed.test');
  await network.setStatus(second.did, 'suspended');
  await network.setStatus(second.did, 'active');

  const read = await frames(network, 7);
  expect(read.map(({ ops }) => ops?.map(({ action, path }) => `${action} ${path}`))).toEqual([
    [`create app.bsky.feed.post/${post.rkey}`],
    [`create app.bsky.feed.like/${like.rkey}`],
    [`update app.bsky.feed.post/${post.rkey}`],
    [`delete app.bsky.feed.like/${like.rkey}`],
    undefined,
    undefined,
    undefined,
  ]);
  expect(post.uri).toBe(`at://${first.did}/app.bsky.feed.post/${post.rkey}`);
  expect([read[0].repo, read[0].seq, String(read[0].ops?.[0].cid)]).toEqual([first.did, post.seq, post.cid]);
  expect([read[4].did, read[4].handle]).toEqual([second.did, 'renamed.test']);
  expect(read.slice(5).map(({ active, status }) => [active, status])).toEqual([
    [false, 'suspended'],
    [true, undefined],
  ]);
  expect(network.accounts[1].handle).toBe('renamed.test');
  expect(network.headSeq).toBe(7);
});

test('writes a commit of several, under keys of the caller', async () => {
  await using network = await startNetwork({ ...small, firstSeq: 1 });
  const written = await network.commit([
    { action: 'create', collection: 'test.sim.thing', rkey: 'a', record: { n: 1 } },
    { action: 'create', collection: 'test.sim.thing', rkey: 'b', record: { n: 2 } },
    { action: 'create', collection: 'test.sim.thing', record: { n: 3 } },
  ]);
  expect(written.map(({ rkey }) => rkey).slice(0, 2)).toEqual(['a', 'b']);
  expect(new Set(written.map(({ seq }) => seq))).toEqual(new Set([1]));
  expect((await frames(network, 1))[0].ops).toHaveLength(3);
});

test('refuses what a repository cannot take, and publishes nothing of it', async () => {
  await using network = await startNetwork({ ...small, firstSeq: 1 });
  const [{ did }, other] = network.accounts;
  const code = (value: string) => expect.objectContaining({ code: value });
  const invalid = code('SIMULATOR_WRITE_INVALID');
  const collection = 'test.sim.thing';
  const write = { action: 'create', collection, rkey: 'a', record: {} } as const;
  await network.commit([write]);
  await expect(network.commit([write])).rejects.toThrow(invalid);
  await expect(network.delete(`at://${did}/${collection}/b`)).rejects.toThrow(invalid);
  await expect(network.create('nonsense', {})).rejects.toThrow(invalid);
  await expect(network.create(collection, { fraction: 0.5 })).rejects.toThrow(invalid);
  await expect(network.commit([{ ...write, rkey: 'a/b' }])).rejects.toThrow(invalid);
  await expect(network.post('x', 'did:plc:nobody')).rejects.toThrow(code('SIMULATOR_ACCOUNT_UNKNOWN'));
  await network.setStatus(other.did, 'deactivated');
  await expect(network.post('x', other.did)).rejects.toThrow(code('SIMULATOR_ACCOUNT_INACTIVE'));
  // Of two that want the same at once, one can have it.
  const uri = `at://${did}/${collection}/a`;
  const both = await Promise.allSettled([network.delete(uri), network.delete(uri)]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(network.headSeq).toBe(3);
});

test('has another account where one was deleted', async () => {
  await using network = await startNetwork(small);
  const { did } = network.accounts[0];
  await network.setStatus(did, 'deleted');
  expect(network.accounts).toHaveLength(3);
  expect(network.accounts[0].did).not.toBe(did);
  await expect(network.post('x', did)).rejects.toThrow('is not an account');
  expect((await network.post('x')).did).toBe(network.accounts[0].did);
});

test('makes the rest up, beside what it is told to publish', async () => {
  await using network = await startNetwork({ ...small, firstSeq: 1, backlog: 5, rate: 500 });
  const { seq, cid } = await network.post('among others');
  await network.publish(20);
  network.setRate(0);
  const read = await frames(network, network.headSeq);
  expect(read.map((body) => body.seq)).toEqual(Array.from({ length: read.length }, (_, at) => at + 1));
  expect(String(read[seq - 1].ops?.[0].cid)).toBe(cid);
});

test('gives the same frames for the same seed and calls', async () => {
  const hashes: string[] = [];
  for (let run = 0; run < 2; run++) {
    await using network = await startNetwork({ ...small, seed: 'same', backlog: 20, firstSeq: 1 });
    await network.post('hello');
    await network.publish(20);
    const reader = await new RelayReader(network.url, '?cursor=0').frames(41);
    reader.terminate();
    hashes.push(createHash('sha256').update(Buffer.concat(reader.binary)).digest('hex'));
  }
  expect(hashes[1]).toBe(hashes[0]);
});

test('tells when readers are there, and misbehaves on demand', async () => {
  await using network = await startNetwork(small);
  const reader = new RelayReader(network.url);
  await network.connected();
  expect(network.readers).toBe(1);
  network.dropConnections();
  await reader.closed();
  network.setFaults({ refuseStatus: 503 });
  const refused = new RelayReader(network.url);
  await refused.until(({ errorMessage }) => errorMessage?.includes('503') ?? false, 'a refusal');
  const waiting = network.connected(5);
  await network.close();
  await waiting;
});
