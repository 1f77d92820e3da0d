// Keys of accounts, from the simulator's directory over real sockets, through rotations, outages and restarts.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requestDocument } from '../../lib/identity/document-request.ts';
import { KeyResolver, type KeysOfTime } from '../../lib/identity/key-resolver.ts';
import { KeyStore } from '../../lib/identity/key-store.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { type DirectoryServer, type LocalNetwork, startNetwork } from '../../simulator/lib/simulator.ts';

let network: LocalNetwork;
let directory: DirectoryServer;
let resolver: KeyResolver;
let nowMs: number;
let plc: string;
let web: string;
beforeEach(async () => {
  network = await startNetwork({ seed: 'resolver', accounts: 60, historyRecords: 1 });
  directory = await network.startDirectory();
  nowMs = Date.UTC(2026, 0, 2);
  resolver = resolverOf();
  const dids = network.accounts.map(({ did }) => did);
  plc = dids.find((did) => did.startsWith('did:plc:')) as string;
  web = dids.find((did) => did.startsWith('did:web:')) as string;
});
afterEach(async () => {
  resolver.close();
  await network.close();
});

function resolverOf(store?: KeyStore): KeyResolver {
  const { url } = directory;
  return new KeyResolver({ plcUrl: url, webUrl: url, store, nowMs: () => nowMs });
}

const textOf = (key: VerifyingKey | string) => (typeof key === 'string' ? key : key.point.join());
/** Keys, behind which there can be no others. */
const textsOf = ({ keys, lack }: KeysOfTime) => {
  expect(lack).toBeUndefined();
  return keys.map(textOf);
};
const minuteMs = 60_000;

test('keys of both methods, asked for once', async () => {
  const [first, second] = await Promise.all([resolver.keyOf(plc), resolver.keyOf(plc)]);
  expect(first).toBeInstanceOf(VerifyingKey);
  expect(second).toBe(first);
  expect(await resolver.keyOf(web)).toBeInstanceOf(VerifyingKey);
  await resolver.keyOf(plc);
  expect(directory.requests).toBe(2);
  nowMs += 24 * 60 * minuteMs;
  await resolver.keyOf(plc);
  expect(directory.requests).toBe(3);
});

test('a key that is only old is at hand, and read again behind', async () => {
  expect(resolver.peek(plc)).toBeUndefined();
  const first = await resolver.keyAtHand(plc);
  expect(resolver.peek(plc)).toBe(first);
  nowMs += 25 * 60 * minuteMs;
  expect(resolver.peek(plc)).toBe(first);
  await resolver.keyOf(plc);
  expect(directory.requests).toBe(2);
  await resolver.doubt(plc);
  expect(resolver.peek(plc)).toBeUndefined();
});

test('a key that is old on disk is at hand after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-keys-'));
  const store = await KeyStore.open(folder);
  const first = await resolverOf(store).keyOf(plc);
  nowMs += 25 * 60 * minuteMs;
  const again = resolverOf(store);
  expect(textOf(await again.keyAtHand(plc))).toBe(textOf(first));
  await again.keyOf(plc);
  expect(directory.requests).toBe(2);
  await store.close();
  await rm(folder, { recursive: true });
});

test('accounts that there are not are asked for less and less often', async () => {
  const none = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
  // Five minutes, ten, twenty, forty, and an hour from then on.
  const asked = [
    [0, 1],
    [4, 1],
    [2, 2],
    [8, 2],
    [3, 3],
    [21, 4],
    [39, 4],
    [2, 5],
    [59, 5],
    [2, 6],
  ];
  for (const [minutes, requests] of asked) {
    nowMs += minutes * minuteMs;
    expect(await resolver.keyOf(none)).toBe('key_unknown');
    expect(directory.requests, `${minutes}`).toBe(requests);
  }
  await resolver.doubt(none);
  await resolver.keyOf(none);
  expect(directory.requests).toBe(7);
});

test.each([
  'did:plc:short',
  'did:plc:AAAAAAAAAAAAAAAAAAAAAAAA',
  'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/../x',
  'did:web:localhost',
  'did:web:127.0.0.1',
  'did:web:[::1]',
  'did:web:a.test%3A8080',
  'did:web:a.test:path',
  'did:web:a.test/path',
  'did:web:a@b.test',
  `did:web:${'a.'.repeat(130)}test`,
  'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
  '',
])('nobody is asked for "%s"', async (did) => {
  expect(await resolver.keyOf(did)).toBe('key_unknown');
  expect(directory.requests).toBe(0);
});

test('a host of a stranger is asked at public addresses only', async () => {
  const careful = new KeyResolver({ plcUrl: directory.url });
  // Reserved names that lead nowhere, or here.
  expect(await careful.keyOf('did:web:account.localhost')).toBe('lookup_failed');
  careful.close();
});

test('a change of key is seen when the account says so, and when a signature does not fit', async () => {
  const before = textOf(await resolver.keyOf(plc));
  await network.rotateKey(plc);
  expect(textOf(await resolver.keyOf(plc))).toBe(before);
  await resolver.doubt(plc);
  const second = textOf(await resolver.keyOf(plc));
  expect(second).not.toBe(before);
  await network.rotateKey(plc);
  // It has been read since that came.
  expect(textOf(await resolver.recheck(plc, nowMs))).toBe(second);
  nowMs += minuteMs;
  expect(textOf(await resolver.recheck(plc, nowMs))).not.toBe(second);
});

test('whose key may have changed since it was read is read again, however often that is, and once for all who wait', async () => {
  const quick = new KeyResolver({ plcUrl: directory.url, nowMs: () => nowMs, recheckMs: 50 });
  const keys = async () => {
    const seenMs = nowMs;
    const [one, same, now] = await Promise.all([
      quick.keysAt(plc, seenMs, seenMs),
      quick.keysAt(plc, seenMs, seenMs),
      quick.recheck(plc, seenMs),
    ]);
    expect(textsOf(same)).toEqual(textsOf(one));
    expect(textsOf(one)).toContain(textOf(now));
    return textOf(now);
  };
  const seen = new Set([await keys()]);
  for (let rotation = 1; rotation <= 3; rotation++) {
    await network.rotateKey(plc);
    // A frame of the same millisecond is no news.
    nowMs++;
    seen.add(await keys());
    expect(seen.size).toBe(rotation + 1);
  }
  expect(directory.requests).toBe(8);
  quick.close();
});

test('an account whose clock is behind is judged by what was read since its commit came, its key of now among it', async () => {
  const quick = new KeyResolver({ plcUrl: directory.url, nowMs: () => nowMs, recheckMs: 50 });
  const behindMs = Date.UTC(2026, 0, 1) - 60 * minuteMs;
  const keys = async () => textsOf(await quick.keysAt(plc, behindMs, nowMs));
  const first = await keys();
  expect(first).toHaveLength(1);
  await network.rotateKey(plc);
  nowMs += minuteMs;
  expect(await keys()).toEqual([...first, textOf(await quick.keyOf(plc))]);
  quick.close();
});

test('what was read too long ago is no answer where nobody answers now', async () => {
  await resolver.keyOf(plc);
  await resolver.keysAt(plc, nowMs, nowMs);
  directory.setFaults({ refuseStatus: 500 });
  nowMs += minuteMs;
  expect(await resolver.keysAt(plc, nowMs, nowMs)).toEqual({ keys: [], lack: 'lookup_failed' });
  expect(await resolver.recheck(plc, nowMs)).toBe('lookup_failed');
});

test('a key that was read after the account said something stands', async () => {
  await resolver.keyOf(plc);
  await resolver.doubt(plc, nowMs - 1);
  await resolver.keyOf(plc);
  expect(directory.requests).toBe(1);
  await resolver.doubt(plc, nowMs);
  await resolver.keyOf(plc);
  expect(directory.requests).toBe(2);
});

test('while nobody answers, keys that nobody doubts are good', async () => {
  const key = textOf(await resolver.keyOf(plc));
  directory.setFaults({ refuseStatus: 1 });
  nowMs += 48 * 60 * minuteMs;
  expect(textOf(await resolver.keyOf(plc))).toBe(key);
  expect(await resolver.keyOf(web)).toBe('lookup_failed');
  const { requests } = directory;
  for (let asked = 0; asked < 10; asked++) {
    await resolver.keyOf(plc);
    await resolver.keyOf(web);
  }
  expect(directory.requests).toBe(requests);
  await resolver.doubt(plc);
  expect(await resolver.keyOf(plc)).toBe('lookup_failed');
  directory.setFaults({ refuseStatus: 0 });
  nowMs += 5 * minuteMs;
  expect(textOf(await resolver.keyOf(plc))).toBe(key);
  expect(await resolver.keyOf(web)).toBeInstanceOf(VerifyingKey);
});

test('a directory that is busy is left alone, and asked again', async () => {
  directory.setFaults({ refuseStatus: 429, refusals: 2, retryAfter: 0 });
  // Without a word it is ten seconds; with one, that.
  directory.setFaults({ retryAfter: 0.05 });
  expect(await resolver.keyOf(plc)).toBeInstanceOf(VerifyingKey);
  expect(directory.requests).toBe(3);
  directory.setFaults({ refuseStatus: 429, refusals: 3 });
  expect(
    await resolver.keyOf(network.accounts.findLast(({ did }) => did.startsWith('did:plc:'))?.did as string),
  ).toBe('limited');
});

test('a directory that is down is asked for nobody for half a minute', async () => {
  const dids = network.accounts.map(({ did }) => did).filter((did) => did.startsWith('did:plc:'));
  directory.setFaults({ refuseStatus: 1 });
  for (const did of dids.slice(0, 20)) expect(await resolver.keyOf(did)).toBe('lookup_failed');
  expect(directory.requests).toBe(8);
  directory.setFaults({ refuseStatus: 0 });
  expect(await resolver.keyOf(dids[20])).toBe('lookup_failed');
  nowMs += minuteMs / 2;
  for (const did of dids.slice(0, 25)) expect(await resolver.keyOf(did)).toBeInstanceOf(VerifyingKey);
  expect(directory.requests).toBe(8 + 25);
});

test('other answers are failures', async () => {
  for (const refuseStatus of [500, 301, 403]) {
    directory.setFaults({ refuseStatus });
    expect(await resolverOf().keyOf(plc), `${refuseStatus}`).toBe('lookup_failed');
  }
});

test('a restart asks nobody again, and does again after a day', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-resolver-'));
  const first = await KeyStore.open(folder);
  const key = textOf(await resolverOf(first).keyOf(plc));
  await first.close();
  const store = await KeyStore.open(folder);
  const again = resolverOf(store);
  expect(textOf(await again.keyOf(plc))).toBe(key);
  expect(directory.requests).toBe(1);
  await again.doubt(plc);
  directory.setFaults({ refuseStatus: 503 });
  expect(await again.keyOf(plc)).toBe('lookup_failed');
  // That it is in doubt survives, too.
  expect(await resolverOf(store).keyOf(plc)).toBe('lookup_failed');
  directory.setFaults({ refuseStatus: 0 });
  nowMs += 24 * 60 * minuteMs;
  expect(textOf(await again.keyOf(plc))).toBe(key);
  await store.close();
  await rm(folder, { recursive: true });
});

test('a key that was read by a clock that was ahead is read again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipstream-resolver-'));
  const store = await KeyStore.open(folder);
  await resolverOf(store).keyOf(plc);
  nowMs -= 30 * 24 * 60 * minuteMs;
  const back = resolverOf(store);
  await back.keyOf(plc);
  await back.keyOf(plc);
  expect(directory.requests).toBe(2);
  await store.close();
  await rm(folder, { recursive: true });
});

test('the keys of a time', async () => {
  const first = textOf(await resolver.keyOf(plc));
  const rotation = await network.rotateKey(plc);
  expect(rotation).toBeGreaterThan(0);
  await resolver.doubt(plc);
  const second = textOf(await resolver.keyOf(plc));
  const startMs = Date.UTC(2026, 0, 1);
  const at = async (timeMs: number) => textsOf(await resolver.keysAt(plc, timeMs, nowMs));
  expect(await at(startMs - 60 * minuteMs)).toEqual([first, second]);
  expect(await at(startMs + 60 * minuteMs)).toEqual([second]);
  expect(await at(startMs)).toEqual([first, second]);
  // Asked for once: nothing can have changed.
  expect(directory.requests).toBe(3);
  directory.setFaults({ refuseStatus: 500 });
  nowMs += minuteMs;
  expect(await resolver.keysAt(plc, nowMs, nowMs)).toEqual({ keys: [], lack: 'lookup_failed' });
});

test('of a host nobody knows what it said before: what does not fit is wrong only where the key was the same before and after', async () => {
  const at = async (timeMs: number) => {
    const { keys, lack } = await resolver.keysAt(web, timeMs, nowMs);
    return { keys: keys.map(textOf), lack };
  };
  const keys = [textOf(await resolver.keyOf(web))];
  const readMs = nowMs;
  nowMs += 20 * minuteMs;
  expect(await at(readMs + 4 * minuteMs)).toEqual({ keys, lack: 'key_unknown' });
  expect(await at(readMs + 5 * minuteMs)).toEqual({ keys, lack: undefined });
  await network.rotateKey(web);
  nowMs += minuteMs;
  const others = { keys: [textOf(await resolver.recheck(web, nowMs))], lack: 'key_unknown' };
  expect(others.keys).not.toEqual(keys);
  expect(await at(readMs + 5 * minuteMs)).toEqual(others);
  expect(await at(nowMs)).toEqual(others);
  nowMs += 10 * minuteMs;
  expect(await at(nowMs)).toEqual({ keys: others.keys, lack: undefined });
});

test('a commit that claims a time to come was signed before it came', async () => {
  // A minute after the change of key, and after the first look at the host.
  nowMs = Date.UTC(2026, 0, 1);
  const first = textOf(await resolver.keyOf(plc));
  await network.rotateKey(plc);
  await resolver.keyOf(web);
  nowMs += minuteMs;
  const claimedMs = nowMs + 20 * minuteMs;
  expect(textsOf(await resolver.keysAt(plc, claimedMs, nowMs))).toContain(first);
  expect((await resolver.keysAt(web, claimedMs, nowMs)).lack).toBe('key_unknown');
});

test('where our clock is behind, the key of the time that a commit claims is the likeliest all the same', async () => {
  for (let rotation = 0; rotation < 20; rotation++) await network.rotateKey(plc);
  const newest = textOf(await resolver.keyOf(plc));
  nowMs = Date.UTC(2026, 0, 1) - 3 * minuteMs;
  const keys = textsOf(await resolver.keysAt(plc, nowMs + 60 * minuteMs, nowMs));
  expect(keys[0]).toBe(newest);
});

test('what a cache on the way had before a commit came says nothing of it', async () => {
  const kept = new Map<string, { body: Buffer; readMs: number }>();
  const cache = createServer(async ({ url = '', headers: { host } }, response) => {
    const limits = { timeoutMs: 5_000, bytesMax: 100_000, isPublicOnly: false };
    const { body } = await requestDocument(new URL(url, directory.url), limits, host);
    if (!kept.has(url)) kept.set(url, { body, readMs: nowMs });
    const answer = kept.get(url) as { body: Buffer; readMs: number };
    response.writeHead(200, { age: `${(nowMs - answer.readMs) / 1000}` }).end(answer.body);
  });
  await once(cache.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(cache.address() as AddressInfo).port}`;
  const behind = new KeyResolver({ plcUrl: url, webUrl: url, nowMs: () => nowMs, recheckMs: 50 });
  for (const did of [plc, web]) {
    await behind.keyOf(did);
    await behind.keysAt(did, nowMs, nowMs);
    await network.rotateKey(did);
  }
  nowMs += 20 * minuteMs;
  for (const did of [plc, web]) {
    const { requests } = directory;
    expect(await behind.keysAt(did, nowMs, nowMs)).toEqual({ keys: [], lack: 'key_unknown' });
    // Two looks at the document, and of the directory's two at the history.
    expect(directory.requests - requests).toBe(did === plc ? 4 : 2);
  }
  nowMs += 20;
  kept.clear();
  for (const did of [plc, web]) expect((await behind.keysAt(did, nowMs, nowMs)).keys).toHaveLength(1);
  behind.close();
  cache.close();
});

test('of a directory without histories the key of now is known, and not which came before', async () => {
  const replica = createServer(async ({ url = '' }, response) => {
    if (url.endsWith('/log/audit')) response.writeHead(404).end();
    else response.end(await (await fetch(directory.url + url)).text());
  });
  await once(replica.listen(0, '127.0.0.1'), 'listening');
  const plcUrl = `http://127.0.0.1:${(replica.address() as AddressInfo).port}`;
  const replicated = new KeyResolver({ plcUrl, nowMs: () => nowMs });
  const { keys, lack } = await replicated.keysAt(plc, nowMs, nowMs);
  expect(keys.map(textOf)).toEqual([textOf(await resolver.keyOf(plc))]);
  expect(lack).toBe('lookup_failed');
  replicated.close();
  replica.close();
});

test.each(['directory.test', 'ftp://directory.test', 'http://directory.test/?x', 'http://directory.test/#x'])(
  '%s is no directory',
  (plcUrl) => {
    expect(() => new KeyResolver({ plcUrl })).toThrow(expect.objectContaining({ code: 'IDENTITY_BAD_URL' }));
  },
);

test('a directory may be in a folder of a server', async () => {
  const inside = new KeyResolver({ plcUrl: `${directory.url}/folder` });
  expect(await inside.keyOf(plc)).toBe('key_unknown');
  expect(directory.requests).toBe(1);
});

test.each([
  [undefined, true],
  [[], false],
  [['other.test'], false],
  [['NAME'], true],
  [['*.DOMAIN'], true],
  [['DOMAIN'], false],
] as [string[] | undefined, boolean][])(
  'of hosts of accounts %j may be asked: %s',
  async (names, isAsked) => {
    const host = web.slice('did:web:'.length);
    const domain = host.slice(host.indexOf('.') + 1);
    const webHosts = names?.map((name) => name.replace('NAME', host).replace('DOMAIN', domain));
    const { url } = directory;
    const careful = new KeyResolver({ plcUrl: url, webUrl: url, webHosts });
    const found = await careful.keyOf(web);
    expect(typeof found === 'string' ? found : 'a key').toBe(isAsked ? 'a key' : 'key_unknown');
    expect(directory.requests).toBe(isAsked ? 1 : 0);
    careful.close();
  },
);
