import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { isSubject, noPath, SubjectHasher } from '../../lib/event/subject.ts';
import { DidIndex, noLink } from '../../lib/fanout/did-index.ts';
import {
  hasDidHash,
  hashDids,
  hashSubjects,
  hasSubject,
  keysOf,
  lowKey,
} from '../../lib/fanout/hash-lists.ts';
import { seededRandom } from '../support/events.ts';

const hasher = new DidHasher(new Uint8Array(8));
const did = (at: number): string => `did:web:${at}.example.com`;
const reader = new SubjectHasher(hasher);
const post = (account: number, at: number): string => `at://${did(account)}/app.bsky.feed.post/${at}`;

function read(text: string): [number, number, number] {
  const bytes = Buffer.from(text);
  if (!reader.read(bytes, 0, bytes.length)) throw new Error(`"${text}" is no subject`);
  return [reader.didLow, reader.didHigh, reader.path];
}

function listOf(...subjects: string[]): Uint32Array {
  return hashSubjects(new Set(subjects), hasher);
}

test.for([0, 1, 2, 3, 1000])('a list of %i DIDs has its own and no others', (count) => {
  const hashes = hashDids(new Set(Array.from({ length: count }, (_, at) => did(at))), hasher);
  expect(hashes.length).toBe(count * 2);
  for (let at = 0; at < 2 * count + 10; at++) {
    const bytes = Buffer.from(did(at));
    hasher.hash(bytes, 0, bytes.length);
    expect(hasDidHash(hashes, hasher.low, hasher.high), `${at}`).toBe(at < count);
  }
});

test('DID hashes that share a word are told apart', () => {
  // Ascending by the second word, then by the first.
  const hashes = Uint32Array.of(7, 1, 5, 2, 0xffffffff, 2, 5, 0xffffffff);
  for (const [low, high] of [
    [7, 1],
    [5, 2],
    [0xffffffff, 2],
    [5, 0xffffffff],
  ]) {
    expect(hasDidHash(hashes, low, high)).toBe(true);
  }
  for (const [low, high] of [
    [5, 1],
    [6, 2],
    [4, 2],
    [0xffffffff, 0xffffffff],
    [5, 3],
  ]) {
    expect(hasDidHash(hashes, low, high)).toBe(false);
  }
});

test('equal sets of DIDs give equal lists', () => {
  expect(hashDids(new Set([did(1), did(2), did(3)]), hasher)).toEqual(
    hashDids(new Set([did(3), did(1), did(2)]), hasher),
  );
});

test('a list of subjects has its accounts with all their records, its other records, and nothing else', () => {
  const seed = 90;
  const random = seededRandom(seed);
  // Few accounts with many records, so that nearly all is decided among those of one account.
  const accounts = Array.from({ length: 12 }, (_, at) => did(at));
  const posts = accounts.map((_, account) => Array.from({ length: 40 }, (_, at) => post(account, at)));
  for (let round = 0; round < 100; round++) {
    const share = random() ** 2;
    const wanted = new Set([
      ...accounts.filter(() => random() < 0.2),
      ...posts.flat().filter(() => random() < share),
    ]);
    const list = hashSubjects(wanted, hasher);
    const keys = new DidIndex<string>();
    const number = keys.add(keysOf(list), 'wanted');
    for (const [at, account] of accounts.entries()) {
      for (const text of [account, ...posts[at]]) {
        const [low, high, path] = read(text);
        const isWanted = wanted.has(account) || wanted.has(text);
        const hint = `seed ${seed}, round ${round}, ${text}`;
        expect(hasSubject(list, low, high, path), hint).toBe(isWanted);
        const links = [keys.find(low, high), keys.find(lowKey(low, path), high)];
        const isFound = links.some((link) => link !== noLink && keys.ownerOf(link) === 'wanted');
        expect(isFound, hint).toBe(isWanted);
      }
    }
    keys.remove(keysOf(list), number);
    expect(keys.size).toBe(0);
  }
});

test('equal sets of subjects give equal lists, and records of a wanted account take no room', () => {
  expect(listOf(did(1), did(2), post(3, 1), post(3, 2))).toEqual(
    listOf(post(3, 2), did(2), post(3, 1), did(1)),
  );
  expect(listOf(post(1, 1), did(1), post(1, 2), did(2))).toEqual(listOf(did(1), did(2)));
  expect(listOf().length).toBe(0);
  expect(hasSubject(listOf(), 1, 2, 3)).toBe(false);
});

test('subjects that share words are told apart', () => {
  // Ascending by the second word, then by the first, then by the third.
  const list = Uint32Array.of(
    ...[7, 1, 4],
    ...[7, 1, 0xffffffff],
    ...[0xffffffff, 1, noPath],
    ...[5, 2, 4],
    ...[6, 2, noPath],
    ...[5, 0xffffffff, 4],
  );
  const has = (low: number, high: number, path: number): boolean => hasSubject(list, low, high, path);
  for (let at = 0; at < list.length; at += 3) expect(has(list[at], list[at + 1], list[at + 2])).toBe(true);
  expect([has(6, 2, 1), has(0xffffffff, 1, 0xffffffff)]).toEqual([true, true]);
  expect([has(7, 1, noPath), has(7, 1, 5), has(7, 1, 1), has(5, 2, noPath)]).toEqual(Array(4).fill(false));
  expect([has(5, 1, 4), has(7, 2, 4), has(5, 3, 4)]).toEqual(Array(3).fill(false));
  expect([has(6, 1, 9), has(6, 3, 9), has(6, 0xffffffff, 9)]).toEqual(Array(3).fill(false));
});

test('the key of an account is its DID, and no two subjects share one', () => {
  const [low, high] = read(did(1));
  expect([...keysOf(listOf(did(1)))]).toEqual([low, high]);
  const subjects = Array.from({ length: 300 }, (_, at) => [did(-1 - at), post(at % 5, at)]).flat();
  const keys = keysOf(listOf(...subjects));
  expect(keys.length).toBe(2 * subjects.length);
  expect(new Set(new BigUint64Array(keys.buffer)).size).toBe(subjects.length);
});

test('whatever may be wanted can be pointed at', () => {
  const identifier = 'a.:%-_Z9'.repeat(254);
  for (const subject of [
    'did:a:b',
    `did:plc:${identifier}`,
    'at://did:a:b/c/d',
    `at://did:plc:${identifier}/a-.:~_Z/a-.:~_Z`,
    `at://did:a:b/${'c'.repeat(127)}/${'d'.repeat(128)}`,
  ]) {
    expect(isSubject(subject)).toBe(true);
    expect(hasSubject(listOf(subject), ...read(subject)), subject).toBe(true);
    expect(hasSubject(listOf(subject), ...read('did:other:b')), subject).toBe(false);
  }
});
