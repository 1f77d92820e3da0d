import { expect, test } from 'vitest';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { isSubject, mayBeSubject, noPath, SubjectHasher } from '../../lib/event/subject.ts';
import { seededRandom } from '../support/events.ts';

const key = Buffer.from('01234567');
const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
const uri = `at://${did}/app.bsky.feed.post/3kaaaaaaaaaa2`;

/** The short form, or undefined; the text stands in the middle of others. */
function read(text: string): number[] | undefined {
  const bytes = Buffer.from(`did:${text}/x`);
  const end = bytes.length - 2;
  const hasher = new SubjectHasher(new DidHasher(key));
  const isRead = hasher.read(bytes, 4, end);
  if (isRead) expect(mayBeSubject(bytes, 4, end)).toBe(true);
  return isRead ? [hasher.didLow, hasher.didHigh, hasher.path] : undefined;
}

function hashOf(text: string): [number, number] {
  const hasher = new DidHasher(key);
  hasher.hash(Buffer.from(text), 0, text.length);
  return [hasher.low, hasher.high];
}

test('an account is the hash of its DID', () => {
  const expected = [...hashOf(did), noPath];
  expect(read(did)).toEqual(expected);
  expect(read(`at://${did}`)).toEqual(expected);
  expect(read(`at://${did}/`)).toEqual(expected);
  expect(read(`at://${did}#fragment`)).toEqual(expected);
});

test('a record is the hash of its DID, and that of its path as an op has it', () => {
  const expected = [...hashOf(did), hashOf('app.bsky.feed.post/3kaaaaaaaaaa2')[0]];
  expect(read(uri)).toEqual(expected);
  expect(read(`${uri}#fragment`)).toEqual(expected);
  expect(read(`${uri}?query`)).toEqual(expected);
  const path = Buffer.from('app.bsky.feed.post/3kaaaaaaaaaa2');
  expect(new SubjectHasher(new DidHasher(key)).pathOf(path, 0, path.length)).toBe(expected[2]);
});

test.each([
  '',
  'did:',
  'at://',
  'at://handle.example.com/app.bsky.feed.post/1',
  `${did} and more`,
  `${did}/app.bsky.feed.post/1`,
  `${did}#fragment`,
  ` ${did}`,
  `at://${did} /app.bsky.feed.post/1`,
  `at://${did}é`,
  `https://example.com/${did}`,
  `did:plc:${'a'.repeat(2048)}`,
  // What is in a private space is no record of the account.
  `at://${did}/space/com.example.type/skey/${did}/com.example.record/1`,
])('%s points at nothing', (text) => {
  expect(read(text)).toBeUndefined();
});

test('another log has other hashes', () => {
  const bytes = Buffer.from(did);
  const hasher = new SubjectHasher(new DidHasher(Buffer.from('76543210')));
  expect(hasher.read(bytes, 0, bytes.length)).toBe(true);
  expect([hasher.didLow, hasher.didHigh]).not.toEqual(hashOf(did));
});

test('no bytes are too strange', () => {
  const random = seededRandom(11);
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(uri).subarray(0, Math.floor(random() * (uri.length + 1)));
    const changed = Buffer.from(bytes);
    if (changed.length > 0) changed[Math.floor(random() * changed.length)] = Math.floor(random() * 256);
    const hasher = new SubjectHasher(new DidHasher(key));
    if (hasher.read(changed, 0, changed.length)) {
      expect(changed.toString()).toMatch(/^(at:\/\/)?did:[\w.:%-]*(?![\w.:%-])([/#?].*)?$/s);
      expect(mayBeSubject(changed, 0, changed.length)).toBe(true);
    }
  }
});

test.each([
  [did, true],
  ['did:web:example.com', true],
  [uri, true],
  [`at://${did}`, false],
  [`at://${did}/`, false],
  [`at://${did}/app.bsky.feed.post`, false],
  [`at://${did}/app.bsky.feed.post/`, false],
  [`${uri}/more`, false],
  [`${uri}#fragment`, false],
  [`at://${did}/app.bsky.feed.post/é`, false],
  ['at://handle.example.com/app.bsky.feed.post/1', false],
  ['at://did:plc:/app.bsky.feed.post/1', false],
  ['', false],
  ['app.bsky.feed.post', false],
])('%s as a subject: %s', (text, isOne) => {
  expect(isSubject(text)).toBe(isOne);
});

test('a record can be wanted whatever the length of its path, and is found by it', () => {
  for (let bytes = 255; bytes <= 840; bytes++) {
    const collectionBytes = Math.min(317, Math.max(18, bytes - 1 - 512));
    const path = `${'c'.repeat(collectionBytes)}/${'r'.repeat(bytes - 1 - collectionBytes)}`;
    expect(isSubject(`at://${did}/${path}`), `${bytes} bytes`).toBe(bytes <= 317 + 1 + 512);
    expect(read(`at://${did}/${path}`)).toEqual([...hashOf(did), hashOf(path)[0]]);
  }
});
