// The test directory, asked as anybody asks the real one.

import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from '../../lib/websocket.ts';
import { type DirectoryServer, type LocalNetwork, startNetwork } from '../lib/simulator.ts';

let network: LocalNetwork;
let directory: DirectoryServer;
let plc: string;
beforeEach(async () => {
  network = await startNetwork({ seed: 'directory', accounts: 40, historyRecords: 1 });
  directory = await network.startDirectory();
  plc = network.accounts.find(({ did }) => did.startsWith('did:plc:'))?.did as string;
});
afterEach(() => network.close());

interface Entry {
  readonly did: string;
  readonly operation: {
    readonly verificationMethods: { readonly atproto: string };
    readonly prev: string | null;
  };
  readonly cid: string;
  readonly createdAt: string;
}

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${directory.url}${path}`);
  return { status: response.status, body: await response.json() };
}

const methodOf = (body: unknown) =>
  (body as { verificationMethod: { publicKeyMultibase: string }[] }).verificationMethod[0].publicKeyMultibase;

test('documents of accounts, also of those that nothing was seen of', async () => {
  const before = await get(`/${plc}`);
  expect(before).toMatchObject({
    status: 200,
    body: { id: plc, alsoKnownAs: [expect.stringMatching(/^at:/)] },
  });
  // It is the key that the account then has.
  await network.post('hello', plc);
  expect((await get(`/${plc}`)).body).toEqual(before.body);
  expect((await get('/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa')).status).toBe(404);
  expect((await get('/other')).status).toBe(404);
});

test('accounts of did:web have hosts', async () => {
  const did = network.accounts.find((account) => account.did.startsWith('did:web:'))?.did as string;
  const answered = Promise.withResolvers<unknown>();
  const headers = { host: `${did.slice('did:web:'.length)}:443` };
  request(`${directory.url}/.well-known/did.json`, { headers }, (response) =>
    answered.resolve(json(response)),
  ).end();
  expect(await answered.promise).toMatchObject({ id: did });
});

test('another key, and what was before it', async () => {
  const first = methodOf((await get(`/${plc}`)).body);
  await network.rotateKey(plc);
  const second = methodOf((await get(`/${plc}`)).body);
  await network.rotateKey(plc);
  const third = methodOf((await get(`/${plc}`)).body);
  expect(new Set([first, second, third]).size).toBe(3);
  const log = (await get(`/${plc}/log/audit`)).body as Entry[];
  expect(log.map(({ operation }) => operation.verificationMethods.atproto.slice('did:key:'.length))).toEqual([
    ...[first, second, third],
  ]);
  expect(log.map(({ operation }) => operation.prev)).toEqual([null, log[0].cid, log[1].cid]);
  expect(log.map(({ createdAt }) => createdAt)).toEqual(log.map(({ createdAt }) => createdAt).toSorted());
  // The export has them, page by page, beside those of others.
  for (const { did } of network.accounts.filter((account) => account.did.startsWith('did:plc:')))
    await get(`/${did}`);
  const lines: Entry[] = [];
  for (let after = ''; ; after = lines[lines.length - 1].createdAt) {
    const text = await (
      await fetch(`${directory.url}/export?count=7&after=${encodeURIComponent(after)}`)
    ).text();
    if (text === '') break;
    lines.push(...text.split('\n').map((line) => JSON.parse(line)));
  }
  expect(lines.filter(({ did }) => did === plc)).toEqual(log);
  expect(new Set(lines.map(({ did }) => did)).size).toBeGreaterThan(30);
});

test('a new name is told, too', async () => {
  await network.identity(plc, 'renamed.test');
  expect((await get(`/${plc}`)).body).toMatchObject({ alsoKnownAs: ['at://renamed.test'] });
});

test('trouble', async () => {
  directory.setFaults({ refuseStatus: 429, retryAfter: 7, refusals: 2 });
  for (const status of [429, 429, 200]) {
    const response = await fetch(`${directory.url}/${plc}`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([
      status,
      status === 429 ? '7' : null,
    ]);
  }
  directory.setFaults({ refuseStatus: 1 });
  await expect(fetch(`${directory.url}/${plc}`)).rejects.toThrow();
  directory.setFaults({ refuseStatus: 0, answerDelayMs: 20 });
  expect((await get(`/${plc}`)).status).toBe(200);
  expect(directory.requests).toBeGreaterThan(4);
});

test('the stream tells of each operation, from a number on, and says what is wrong with one', async () => {
  await network.post('hello', plc);
  await network.rotateKey(plc);
  const page = await (await fetch(`${directory.url}/export?after=0&count=2`)).text();
  const [first, second] = page.split('\n').map((line) => JSON.parse(line));
  expect([first.type, first.seq, second.seq]).toEqual(['sequenced_op', 1, 2]);
  const url = `${directory.url.replace('http', 'ws')}/export/stream`;
  const told: { did: string; seq: number; operation: object }[] = [];
  const socket = new WebSocket(`${url}?cursor=1`);
  socket.on('message', (data: Buffer) => told.push(JSON.parse(data.toString())));
  await expect.poll(() => told.length).toBeGreaterThan(0);
  expect(told[0]).toEqual(second);
  const before = told.length;
  await network.rotateKey(plc);
  await expect.poll(() => told.length).toBe(before + 1);
  const newest = told[told.length - 1];
  expect(newest.did).toBe(plc);
  const log = (await get(`/${plc}/log/audit`)).body as Entry[];
  expect(newest.operation).toEqual(log[2].operation);
  socket.close();
  directory.setFaults({ streamCatchUpMax: 0 });
  for (const [cursor, reason] of [
    ['?cursor=1', 'OutdatedCursor'],
    ['?cursor=99', 'FutureCursor'],
  ]) {
    const closed = Promise.withResolvers<string>();
    new WebSocket(`${url}${cursor}`).on('close', (_code, why: Buffer) => closed.resolve(why.toString()));
    expect(await closed.promise).toBe(reason);
  }
  directory.setFaults({ hasNoStream: true });
  const refused = Promise.withResolvers<number | undefined>();
  const socketOfNone = new WebSocket(url);
  socketOfNone.on('error', () => {});
  socketOfNone.on('unexpected-response', (_request, response) => refused.resolve(response.statusCode));
  expect(await refused.promise).toBe(404);
});
