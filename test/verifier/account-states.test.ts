// Where accounts are in their chains, through restarts, kills and gaps in what was checked.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AccountStates } from '../../lib/verifier/account-states.ts';
import { AccountStore } from '../../lib/verifier/account-store.ts';

let folder: string;
let store: AccountStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-accounts-'));
  store = await AccountStore.open(folder);
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

const state = (letter: string, hasUnchecked = false) => ({
  rev: letter.repeat(13),
  data: new Uint8Array(32).fill(letter.charCodeAt(0)),
  hasUnchecked,
});

async function stateOf(states: AccountStates, did: string) {
  await states.load(new Set([did]));
  return states.of(did);
}

test('a state is read back as it was written, by its account alone', async () => {
  const row = { ...state('b', true), checkedUs: 1_780_000_000_000_001 };
  await store.putMany([['did:web:a.test', row]]);
  expect(await store.getMany(['did:web:b.test', 'did:web:a.test'])).toEqual([undefined, row]);
});

test('states survive a restart once their events are stored, and only then', async () => {
  const states = new AccountStates(store, 0);
  await states.load(new Set(['did:web:a.test', 'did:web:b.test']));
  states.set('did:web:a.test', state('b'), 10, 1);
  states.set('did:web:b.test', state('c'), 20, 2);
  await states.write(1);
  expect(states.unwritten).toBe(1);
  const killed = new AccountStates(store, 0);
  expect(await stateOf(killed, 'did:web:a.test')).toEqual(state('b'));
  expect(await stateOf(killed, 'did:web:b.test')).toBeUndefined();
  await states.write(2);
  const after = new AccountStates(store, 0);
  expect(await stateOf(after, 'did:web:b.test')).toEqual(state('c'));
});

test('what was not checked is known of every account from before', async () => {
  const states = new AccountStates(store, 0);
  await states.load(new Set(['did:web:a.test', 'did:web:b.test']));
  states.set('did:web:a.test', state('b'), 10, 1);
  states.skipped(15);
  states.set('did:web:b.test', state('c'), 20, 2);
  expect(states.of('did:web:a.test')).toEqual(state('b', true));
  expect(states.of('did:web:b.test')).toEqual(state('c'));
  await states.write(2);
  // A new process does not know who has written the log since.
  const later = new AccountStates(store, 30);
  expect(await stateOf(later, 'did:web:b.test')).toEqual(state('c', true));
});

test('more accounts than memory holds are on disk, or wait for it', async () => {
  const states = new AccountStates(store, 0);
  const dids = Array.from({ length: 40_000 }, (_, at) => `did:web:a${at}.test`);
  for (const did of dids) states.set(did, state('b'), 10, 1);
  expect(states.isFull).toBe(true);
  await states.load(new Set());
  expect(await stateOf(states, dids[0])).toEqual(state('b'));
  expect(await stateOf(states, dids[39_999])).toEqual(state('b'));
});

test('a database that is damaged is begun anew, and a bad row is none', async () => {
  await store.putMany([['did:web:a.test', { ...state('b'), rev: 'not a rev', checkedUs: 1 }]]);
  expect(await store.getMany(['did:web:a.test'])).toEqual([undefined]);
  await store.close();
  const location = join(folder, 'accounts');
  for (const name of await readdir(location))
    if (name.startsWith('MANIFEST')) await writeFile(join(location, name), 'not what it was');
  store = await AccountStore.open(folder);
  await store.putMany([['did:web:a.test', { ...state('c'), checkedUs: 1 }]]);
  expect(await store.getMany(['did:web:a.test'])).toEqual([{ ...state('c'), checkedUs: 1 }]);
});
