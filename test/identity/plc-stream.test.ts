// Rotations as the directory tells of them, through outages, restarts and refusals, from the simulator's over real sockets; time is injected.

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyResolver } from '../../lib/identity/key-resolver.ts';
import { KeyStore } from '../../lib/identity/key-store.ts';
import { readPlcOperation } from '../../lib/identity/plc-operation.ts';
import { PlcStream, type PlcStreamTiming } from '../../lib/identity/plc-stream.ts';
import type { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { type DirectoryServer, type LocalNetwork, startNetwork } from '../../simulator/lib/simulator.ts';

const minuteMs = 60_000;
const quick: Partial<PlcStreamTiming> = {
  ...{ retryMinMs: 5, retryFirstMs: 10, retryMaxMs: 40, idleMs: 30, pollMs: 20, writeMs: 5 },
};
let folder: string;
let network: LocalNetwork;
let directory: DirectoryServer;
let nowMs: number;
let store: KeyStore;
let resolver: KeyResolver;
let stream: PlcStream;
let plc: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-plc-'));
  network = await startNetwork({ seed: 'plc', accounts: 60, historyRecords: 1 });
  directory = await network.startDirectory();
  nowMs = Date.UTC(2026, 0, 2);
  plc = network.accounts.map(({ did }) => did).filter((did) => did.startsWith('did:plc:'));
});
afterEach(async () => {
  await end();
  await network.close();
  await rm(folder, { recursive: true });
});

async function begin(plcUrl = directory.url, timing: Partial<PlcStreamTiming> = {}): Promise<void> {
  store = await KeyStore.open(folder);
  resolver = new KeyResolver({ plcUrl, webUrl: directory.url, store, nowMs: () => nowMs });
  stream = new PlcStream({
    ...{ plcUrl, store, userAgent: 'test', nowMs: () => nowMs, timing: { ...quick, ...timing } },
    heard: (operation) => resolver.hear(operation),
    askExport: (query) => resolver.askExport(query),
  });
  resolver.trust((readMs) => stream.isCovered(readMs));
  stream.start();
}

async function end(): Promise<void> {
  await stream.close();
  resolver.close();
  await store.close();
}

const textOf = (key: VerifyingKey | string) => (typeof key === 'string' ? key : key.point.join());
const isLive = () => expect.poll(() => stream.state).toBe('live');

test('a rotation is heard without a word of the account, and a key that nobody has changed does not age', async () => {
  await begin();
  await isLive();
  const [first, other] = [textOf(await resolver.keyOf(plc[0])), textOf(await resolver.keyOf(plc[1]))];
  await network.rotateKey(plc[0]);
  await expect.poll(async () => textOf(await resolver.keyOf(plc[0]))).not.toBe(first);
  const second = textOf(await resolver.keyOf(plc[0]));
  const { requests } = directory;
  // Days, but never more than the two minutes without a look at the stream.
  for (let looks = 0; looks < 3 * 24 * 60; looks++) {
    nowMs += minuteMs;
    stream.isCovered(nowMs);
  }
  expect(textOf(await resolver.keyOf(plc[0]))).toBe(second);
  expect(textOf(await resolver.keyOf(plc[1]))).toBe(other);
  expect(textOf(resolver.peek(plc[1]) as VerifyingKey)).toBe(other);
  // What the account says then is no news.
  await resolver.doubt(plc[0], nowMs - 72 * 60 * minuteMs);
  expect(directory.requests).toBe(requests);
  // Nor is it right behind what the directory has told.
  await network.rotateKey(plc[0]);
  await expect.poll(async () => textOf(await resolver.keyOf(plc[0]))).not.toBe(second);
  await resolver.doubt(plc[0], nowMs + minuteMs);
  await resolver.keyOf(plc[0]);
  expect(directory.requests).toBe(requests);
  // Another account than the one that was told of is read again.
  await resolver.doubt(plc[1], nowMs);
  await resolver.keyOf(plc[1]);
  expect(directory.requests).toBe(requests + 1);
});

test('the key of a new account is there before anybody asks', async () => {
  await begin();
  await isLive();
  const did = plc[plc.length - 1];
  await network.post('hello', did);
  await expect.poll(() => stream.totals.operations).toBeGreaterThan(0);
  const { requests } = directory;
  expect(textOf(await resolver.keyAtHand(did))).toMatch(/^\d+,/);
  // And in memory, for who cannot wait.
  expect(textOf(resolver.peek(did) as VerifyingKey)).toMatch(/^\d+,/);
  expect(directory.requests).toBe(requests);
});

test('a restart goes on where it was: what happened meanwhile is heard, and vouched for', async () => {
  await begin();
  await isLive();
  const before = await Promise.all(plc.slice(0, 4).map(async (did) => textOf(await resolver.keyOf(did))));
  await network.rotateKey(plc[3]);
  await expect.poll(() => stream.totals.operations).toBeGreaterThan(0);
  await end();
  for (const did of plc.slice(0, 2)) await network.rotateKey(did);
  nowMs += 5 * 24 * 60 * minuteMs;
  await begin();
  await isLive();
  const { requests } = directory;
  const after = await Promise.all(plc.slice(0, 4).map(async (did) => textOf(await resolver.keyOf(did))));
  expect(after.map((key, at) => key === before[at])).toEqual([false, false, true, false]);
  expect(directory.requests).toBe(requests);
  expect(stream.totals.badCursors).toBe(0);
});

test('an hour without the directory: keys stay, nothing is vouched for, and all is heard afterwards', async () => {
  await begin();
  await isLive();
  const [first] = [textOf(await resolver.keyOf(plc[0]))];
  directory.setFaults({ refuseStatus: 1 });
  directory.cutStreams();
  await expect.poll(() => stream.state).toBe('down');
  for (let minutes = 0; minutes < 60; minutes++) {
    nowMs += minuteMs;
    expect(textOf(await resolver.keyOf(plc[0]))).toBe(first);
    expect(stream.isCovered(nowMs)).toBe(minutes === 0);
  }
  await network.rotateKey(plc[0]);
  nowMs += 24 * 60 * minuteMs;
  // It is old now, and nobody can be asked: it is still the best that there is.
  expect(textOf(await resolver.keyOf(plc[0]))).toBe(first);
  directory.setFaults({ refuseStatus: 0 });
  await isLive();
  await expect.poll(async () => textOf(await resolver.keyOf(plc[0]))).not.toBe(first);
  expect(stream.totals.badCursors).toBe(0);
});

test('a directory that has had enough is left alone for as long as it says', async () => {
  directory.setFaults({ refuseStatus: 429, retryAfter: 1 });
  const startMs = performance.now();
  await begin();
  await expect.poll(() => directory.requests).toBe(1);
  directory.setFaults({ refuseStatus: 0 });
  await isLive();
  expect(performance.now() - startMs).toBeGreaterThan(1000);
  expect(directory.requests).toBe(2);
});

test('a place that the directory does not know any more vouches for nothing from before', async () => {
  await begin();
  await isLive();
  const first = textOf(await resolver.keyOf(plc[0]));
  const readMs = nowMs;
  expect(stream.isCovered(readMs)).toBe(true);
  await network.rotateKey(plc[1]);
  await expect.poll(() => stream.totals.operations).toBeGreaterThan(0);
  await end();
  for (const did of plc.slice(0, 5)) await network.rotateKey(did);
  directory.setFaults({ streamCatchUpMax: 2 });
  nowMs += minuteMs;
  await begin();
  await expect.poll(() => stream.totals.badCursors).toBe(1);
  await isLive();
  expect(stream.isCovered(readMs)).toBe(false);
  expect(stream.isCovered(nowMs)).toBe(true);
  // Read again when it is a day old, or a signature does not fit.
  expect(textOf(await resolver.recheck(plc[0], nowMs))).not.toBe(first);
});

test('a directory without a stream is asked for what is new', async () => {
  directory.setFaults({ hasNoStream: true });
  // Its times are those of the network.
  await network.rotateKey(plc[5]);
  const log = await (await fetch(`${directory.url}/${plc[5]}/log/audit`)).json();
  nowMs = Date.parse((log as { createdAt: string }[])[1].createdAt);
  await begin();
  await expect.poll(() => stream.state).toBe('polling');
  const first = textOf(await resolver.keyOf(plc[0]));
  await network.rotateKey(plc[0]);
  await expect.poll(async () => textOf(await resolver.keyOf(plc[0]))).not.toBe(first);
  expect(stream.isCovered(nowMs)).toBe(true);
  expect(stream.isCovered(nowMs - 60 * minuteMs)).toBe(false);
});

test('a document that is older than what was heard meanwhile is not believed', async () => {
  const old = await (await fetch(`${directory.url}/${plc[0]}`)).text();
  const held: ServerResponse[] = [];
  // A replica that is behind: it has the stream, and an old document.
  const replica = createServer((_request, response) => held.push(response));
  await new Promise<void>((resolve) => replica.listen(0, '127.0.0.1', resolve));
  const slow = new KeyResolver({ plcUrl: `http://127.0.0.1:${(replica.address() as AddressInfo).port}` });
  const asked = slow.keyOf(plc[0]);
  await expect.poll(() => held.length).toBe(1);
  await network.rotateKey(plc[0]);
  const page = await (await fetch(`${directory.url}/export?after=0`)).text();
  for (const line of page.split('\n')) {
    const operation = readPlcOperation(line);
    if (operation !== undefined) slow.hear(operation);
  }
  held[0].end(old);
  const newest = textOf(await asked);
  expect(newest).toBe(textOf(await slow.keyOf(plc[0])));
  const fresh = new KeyResolver({ plcUrl: directory.url });
  expect(newest).toBe(textOf(await fresh.keyOf(plc[0])));
  slow.close();
  fresh.close();
  replica.close();
  await begin();
});

test.each([
  'not JSON',
  'null',
  '[]',
  '{}',
  '{"type":"other"}',
  '{"did":"did:web:a.test","createdAt":"2026-01-01T00:00:00Z","operation":{}}',
  '{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"never","operation":{}}',
  '{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"2026-01-01T00:00:00Z","operation":null}',
  '{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"2026-01-01T00:00:00Z","operation":{},"seq":-1}',
  '{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"2026-01-01T00:00:00Z","operation":{},"nullified":true}',
])('%s is no operation', async (text) => {
  expect(readPlcOperation(text)).toBeUndefined();
  await begin();
});

test('a tombstone takes the key away', async () => {
  const text =
    '{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","createdAt":"2026-01-01T00:00:00Z","operation":{"type":"plc_tombstone"},"seq":7}';
  expect(readPlcOperation(text)).toMatchObject({ key: undefined, seq: 7 });
  await begin();
});
