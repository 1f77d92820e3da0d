import { describe, expect, test } from 'vitest';
import { DidHasher, didHashKeyBytes } from '../../lib/event/did-hash.ts';
import { SubjectHasher } from '../../lib/event/subject.ts';
import { wantedNames } from '../../lib/wire/wanted-filter.ts';
import { seededRandom } from '../../test/support/events.ts';
import { readAddress } from '../lib/address.ts';
import type { StreamEvent } from '../lib/event.ts';
import { checkFilter, optionsUpdate, requestOf, type StreamFilter, v2Path, wantedBy } from '../lib/filter.ts';
import { v2RequestOf } from '../lib/v2-request.ts';

const none = { cursor: undefined, compress: false, dictionaryId: undefined };

const everything = 'is not part of a filter, and ignoring it would bring everything: did you mean';
test.each<[object, string]>([
  [{ wantedCollection: ['a.b.c'] }, `wantedCollection (["a.b.c"]) ${everything} wantedCollections?`],
  [{ wantedcollections: ['a.b.c'] }, `wantedcollections (["a.b.c"]) ${everything} wantedCollections?`],
  [{ collections: [] }, `collections ([]) ${everything} wantedCollections?`],
  [{ colections: [] }, `colections ([]) ${everything} wantedCollections?`],
  [{ did: 'x' }, `did ("x") ${everything} wantedDids?`],
  [{ maxMessageSize: 5 }, `maxMessageSize (5) ${everything} maxMessageSizeBytes?`],
  [
    { cursor: 5 },
    'cursor (5) is not part of a filter, and ignoring it would bring everything: give one of wantedC',
  ],
  [
    { filter: { wantedKinds: [] } },
    'filter ({"wantedKinds":[]}) is not an option: write its parts, wantedCollections',
  ],
  [
    { wantedCollections: 'a.b.c' },
    'wantedCollections is "a.b.c": it has to be a list, as ["app.bsky.feed.post"]',
  ],
  [{ wantedCollections: null }, 'wantedCollections is null: it has to be a list'],
  [{ wantedCollections: [5] }, 'wantedCollections has 5 in it: its values have to be texts'],
  [{ wantedDids: new Set() }, 'wantedDids is {}: it has to be a list, as ["did:plc:…"]'],
  [
    { wantedDids: ['alice.example'] },
    'wantedDids: "alice.example" is a handle: give the DID of the account, as did:plc:…',
  ],
  [{ wantedDids: ['did:plc:a', 'alice'] }, 'wantedDids: "alice" is not a DID: give one'],
  [
    { wantedKinds: ['comit'] },
    'wantedKinds: "comit" is none of commit, identity, account, sync: did you mean commit?',
  ],
  [{ wantedOperations: ['write'] }, 'wantedOperations: "write" is none of create, update, delete'],
  [
    { wantedSubjects: ['at://alice.example/a.b.c/1'] },
    'wantedSubjects: "at://alice.example/a.b.c/1" is neither a DID nor the at-uri of a record: write did:plc:… or at://did:plc:…/collection/key',
  ],
  [
    { maxMessageSizeBytes: '5' },
    'maxMessageSizeBytes is "5": it has to be a whole number of bytes, 0 for no limit',
  ],
  [{ maxMessageSizeBytes: -1 }, 'maxMessageSizeBytes is -1'],
  [{ isVerified: true }, `isVerified (true) ${everything} verified?`],
  [{ verified: 'true' }, 'verified is "true": it has to be true or false'],
])('%j would bring everything or nothing, and is refused', (filter, message) => {
  expect(() => checkFilter(filter as StreamFilter)).toThrow(
    expect.objectContaining({
      code: 'CLIENT_BAD_FILTER',
      exitCode: 2,
      message: expect.stringContaining(message),
    }),
  );
});

test('a filter may be whole, and stand beside names that the caller has', () => {
  checkFilter({
    wantedCollections: ['app.bsky.feed.*'],
    wantedDids: ['did:plc:a'],
    wantedKinds: ['commit', 'sync'],
    wantedOperations: ['create', 'update', 'delete'],
    wantedSubjects: ['did:plc:a', 'at://did:plc:a/a.b.c/1'],
    maxMessageSizeBytes: 0,
  });
  checkFilter({ url: 'ws://a.example', wantedKind: undefined } as StreamFilter, ['url']);
});

test('a filter becomes a query', () => {
  const url = new URL('ws://a.example/subscribe?own=1');
  const filter = {
    wantedCollections: ['app.bsky.feed.*', 'a.b.c'],
    wantedDids: ['did:plc:a'],
    wantedKinds: ['commit'],
    wantedOperations: ['create', 'delete'],
    wantedSubjects: ['did:plc:b', 'at://did:plc:b/a.b.c/1'],
    maxMessageSizeBytes: 7,
  } as const;
  const request = requestOf(url, filter, { cursor: 0, compress: true, dictionaryId: 7 });
  expect(decodeURIComponent(request.url)).toBe(
    'ws://a.example/subscribe?own=1&wantedCollections=app.bsky.feed.*&wantedCollections=a.b.c&wantedDids=did:plc:a' +
      '&wantedKinds=commit&wantedOperations=create&wantedOperations=delete&wantedSubjects=did:plc:b' +
      '&wantedSubjects=at://did:plc:b/a.b.c/1&maxMessageSizeBytes=7&cursor=0&compress=true&zstdDictionary=7&progress=true',
  );
  expect(request.hello).toBeUndefined();
  expect(requestOf(url, {}, none).url).toBe('ws://a.example/subscribe?own=1&progress=true');
});

const read = (url: string, options: StreamFilter = {}) => readAddress({ url, ...options }, Date.now);

test('what is verified is asked for on both wires, in the query and in an update', () => {
  const { url, filter } = read('ws://a.example?verified=true');
  expect(filter.verified).toBe(true);
  expect(read('ws://a.example?verified=true', { verified: false }).filter.verified).toBe(false);
  expect(requestOf(url, filter, none).url).toBe('ws://a.example/subscribe?verified=true&progress=true');
  const live = { cursor: undefined, dictionaryId: undefined, mayUpdate: true };
  const { url: v2 } = read(`ws://a.example${v2Path}?verified=true`);
  expect(v2RequestOf(v2, filter, live).url).toContain('?verified=true&progress=true');
  expect(JSON.parse(optionsUpdate(filter)).payload.verified).toBe(true);
  expect(JSON.parse(optionsUpdate({ verified: false })).payload).not.toHaveProperty('verified');
});

test('a filter that is too long for a URL goes as a hello, and a part of it in the URL', () => {
  const wantedDids = Array.from({ length: 10_000 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
  const wantedCollections = [`a.b.${'c'.repeat(5_000)}`, 'a.b.c'];
  const url = new URL('ws://a.example/subscribe');
  const request = requestOf(url, { wantedDids, wantedCollections }, none);
  expect(request.url.length).toBeLessThan(10_000);
  const query = new URL(request.url).searchParams;
  expect(query.get('requireHello')).toBe('true');
  expect(query.getAll('wantedCollections')).toEqual(wantedCollections.slice(0, 1));
  const some = query.getAll('wantedDids');
  expect(some.length).toBeGreaterThan(10);
  expect(wantedDids.slice(0, some.length)).toEqual(some);
  expect(JSON.parse(request.hello as string)).toMatchObject({
    type: 'options_update',
    payload: { wantedDids, wantedCollections },
  });
});

test('subjects that are too many for a URL go as a hello alone', () => {
  const subjectsOf = (count: number) =>
    Array.from(
      { length: count },
      (_, at) => `at://did:plc:${'a'.repeat(24)}/app.bsky.feed.post/${at + 1e12}`,
    );
  const url = new URL('ws://a.example/subscribe');
  const wantedDids = Array.from({ length: 50 }, (_, at) => `did:plc:${String(at).padStart(24, 'a')}`);
  const short = requestOf(url, { wantedDids, wantedSubjects: subjectsOf(20) }, none);
  expect(new URL(short.url).searchParams.getAll('wantedSubjects')).toEqual(subjectsOf(20));
  expect(short.hello).toBeUndefined();
  const wantedSubjects = subjectsOf(10_000);
  for (const filter of [
    { wantedDids, wantedSubjects },
    { wantedDids, wantedSubjects: subjectsOf(60) },
  ]) {
    const request = requestOf(url, filter, none);
    expect(request.url.length).toBeLessThan(8_000);
    const query = new URL(request.url).searchParams;
    expect(query.get('requireHello')).toBe('true');
    expect(query.getAll('wantedDids')).toEqual(wantedDids);
    expect(query.has('wantedSubjects')).toBe(false);
    expect(JSON.parse(request.hello as string)).toMatchObject({ payload: filter });
  }
  // Nothing is too long here but one collection, and all of it is there.
  const long = requestOf(url, { wantedCollections: [`a.b.${'c'.repeat(7_000)}`] }, none);
  expect(long.hello).toBeUndefined();
});

test('an update replaces everything', () => {
  expect(JSON.parse(optionsUpdate({}))).toEqual({
    type: 'options_update',
    payload: {
      wantedCollections: [],
      wantedDids: [],
      wantedKinds: [],
      wantedOperations: [],
      wantedSubjects: [],
      maxMessageSizeBytes: 0,
    },
  });
});

test('the client has the lists that the server knows, under the same names', () => {
  const { payload } = JSON.parse(optionsUpdate({}));
  expect(Object.keys(payload).sort()).toEqual([...wantedNames, 'maxMessageSizeBytes'].sort());
});

test('kinds and operations are looked at here, for servers that do not know them', () => {
  const commit = { kind: 'commit', commit: { operation: 'create' } } as StreamEvent;
  const identity = { kind: 'identity' } as StreamEvent;
  expect(wantedBy({})(commit)).toBe(true);
  expect(wantedBy({ wantedKinds: [], wantedOperations: [], wantedSubjects: [] })(commit)).toBe(true);
  expect(wantedBy({ wantedKinds: ['identity'] })(commit)).toBe(false);
  expect(wantedBy({ wantedOperations: ['delete'] })(commit)).toBe(false);
  expect(wantedBy({ wantedKinds: ['commit'], wantedOperations: ['create'] })(commit)).toBe(true);
  expect(wantedBy({ wantedOperations: ['delete'] })(identity)).toBe(true);
});

describe('subjects are looked at here, too', () => {
  const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
  const uri = `at://${did}/app.bsky.feed.post/3kaaaaaaaaaaa`;
  const commit = (record: unknown, operation = 'create') =>
    ({ kind: 'commit', did, commit: { operation, record } }) as StreamEvent;
  const byAccount = wantedBy({ wantedSubjects: ['did:x:y', did] });
  const byRecord = wantedBy({ wantedSubjects: ['did:x:y', uri] });

  test.each<[unknown, boolean, boolean]>([
    [{ subject: did }, true, false],
    [{ subject: { uri, cid: 'bafy' } }, true, true],
    [{ reply: { root: { uri: 'at://did:x:z/a.b.c/1' }, parent: { uri: `${uri}#x` } } }, true, true],
    [{ facets: [{ features: [{ uri: 'https://a.example' }, { did }] }] }, true, false],
    [{ deep: [[[{ at: `at://${did}` }]]] }, true, false],
    [{ subject: `${uri}?a=/b` }, true, true],
    [{ subject: `${uri}/more` }, true, false],
    [{ subject: `at://${did}/app.bsky.feed.post/other` }, true, false],
    [{ text: `see ${uri}` }, false, false],
    [{ text: `${did} ` }, false, false],
    [{ subject: `${did}#service` }, false, false],
    [{ subject: `${did}b` }, false, false],
    [{ subject: `at://${did}b/app.bsky.feed.post/3kaaaaaaaaaaa` }, false, false],
    [{ [did]: uri.slice(1), a: null, b: 1, c: true }, false, false],
    [{}, false, false],
    [undefined, false, false],
  ])('%#: %j', (record, wantsAccount, wantsRecord) => {
    for (const operation of ['create', 'update']) {
      expect(byAccount(commit(record, operation))).toBe(wantsAccount);
      expect(byRecord(commit(record, operation))).toBe(wantsRecord);
    }
  });

  test('deletions are the server’s to choose; what is no commit points at nothing', () => {
    expect(byRecord(commit(undefined, 'delete'))).toBe(true);
    const noDeletes = wantedBy({ wantedSubjects: [uri], wantedOperations: ['create'] });
    expect(noDeletes(commit(undefined, 'delete'))).toBe(false);
    for (const kind of ['identity', 'account']) expect(byAccount({ kind, did } as StreamEvent)).toBe(false);
  });

  test('what a server with subjects lets through, the client does', () => {
    const seed = 20_260_710;
    const random = seededRandom(seed);
    const hasher = new SubjectHasher(new DidHasher(Buffer.alloc(didHashKeyBytes, 7)));
    const formOf = (text: string) => {
      const bytes = Buffer.from(text);
      if (!hasher.read(bytes, 0, bytes.length)) return undefined;
      return { account: `${hasher.didLow} ${hasher.didHigh}`, path: hasher.path };
    };
    const wanted = formOf(uri);
    const pieces = ['/', '#', '?', ':', '%', 'a', 'é', '/a.b.c', ' ', 'at://', '\n'];
    const counts = { accounts: 0, records: 0 };
    for (let round = 0; round < 20_000; round++) {
      let text = random() < 0.5 ? did : uri;
      for (let edits = Math.floor(random() * 3); edits > 0; edits--) {
        const at = Math.floor(random() ** 0.3 * (text.length + 1));
        const piece = random() < 0.2 ? '' : pieces[Math.floor(random() * pieces.length)];
        text = text.slice(0, at) + piece + text.slice(random() < 0.5 ? at : at + 1);
      }
      const form = formOf(text);
      const ofAccount = form?.account === wanted?.account;
      const ofRecord = ofAccount && form?.path === wanted?.path;
      counts.accounts += Number(ofAccount);
      counts.records += Number(ofRecord);
      const here = [byAccount(commit({ text })), byRecord(commit({ text }))];
      if (here.join() !== [ofAccount, ofRecord].join()) expect.fail(`seed ${seed}, round ${round}: ${text}`);
    }
    expect(counts.records).toBeGreaterThan(1_000);
    expect(counts.accounts - counts.records).toBeGreaterThan(1_000);
  });

  test('no record is too deep or too wide', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}"${uri}"${']'.repeat(100_000)}`);
    expect(byRecord(commit({ deep }))).toBe(true);
    expect(byRecord(commit({ wide: Array.from({ length: 300_000 }, () => 'did:x:z') }))).toBe(false);
  });
});
