// Filters as bodies of requests: what they mean, and what is said about bad ones.

import { describe, expect, it } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import { isDocumentFault, readFilterDocument } from '../../lib/wire/filter-document.ts';
import { seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';

const dids = (count: number) => Array.from({ length: count }, (_, at) => `did:plc:a${at}`);

describe('a filter', () => {
  it('is what a query with the same values is', () => {
    const document = {
      wantedCollections: ['app.bsky.feed.post', 'app.bsky.graph.*', 'app.bsky.feed.post'],
      wantedDids: ['did:web:a', 'did:web:b', 'did:web:a'],
      wantedKinds: ['commit', 'identity'],
      wantedOperations: ['delete'],
      wantedSubjects: ['did:web:c', 'at://did:web:d/app.bsky.feed.post/3k'],
      maxMessageSizeBytes: 5000,
      verified: true,
    };
    expect(readFilterDocument(JSON.stringify(document, null, 2))).toEqual({
      collections: new Set(['app.bsky.feed.post']),
      prefixes: ['app.bsky.graph.'],
      dids: new Set(['did:web:a', 'did:web:b']),
      kinds: (1 << eventKinds.commit) | (1 << eventKinds.identity),
      operations: 1 << operations.delete,
      subjects: new Set(['did:web:c', 'at://did:web:d/app.bsky.feed.post/3k']),
      maxMessageSizeBytes: 5000,
      isVerified: true,
    });
  });

  it.each(['{}', ' { }\n', '{"maxMessageSizeBytes":0}', '{"maxMessageSizeBytes":4294967296}'])(
    'may be without conditions: %s',
    (text) => expect(readFilterDocument(text)).toEqual(passAll),
  );

  it('may have 100,000 DIDs and as many subjects', () => {
    const filter = readFilterDocument(
      JSON.stringify({ wantedDids: dids(100_000), wantedSubjects: dids(100_000) }),
    );
    expect(filter).toMatchObject({ dids: { size: 100_000 }, subjects: { size: 100_000 } });
  });
});

describe('a problem', () => {
  const names = `wantedCollections, wantedDids, wantedKinds, wantedOperations, wantedSubjects, maxMessageSizeBytes or verified`;
  const options = 'invalid subscriber options';
  it.each([
    ['', 'invalid JSON: unexpected end of JSON input'],
    ['{"wantedDids":["did:web:a"', 'invalid JSON: unexpected end of JSON input'],
    ['{"wantedDids":["did:web:a"]}}', "invalid JSON: invalid character '}' after top-level value"],
    ['wantedDids=did:web:a', "invalid JSON: invalid character 'w' looking for beginning of value"],
    ['\u001f\ufffd\b', "invalid JSON: invalid character '\\x1f' looking for beginning of value"],
    ['[]', 'a filter is an object, and this is array'],
    ['"did:web:a"', 'a filter is an object, and this is string'],
    ['null', 'a filter is an object, and this is null'],
    ['{"wantedDid":["did:web:a"]}', `unknown name wantedDid: give ${names}`],
    ['{"wanteddids":["did:web:a"]}', `unknown name wanteddids: give ${names}`],
    ['{"__proto__":[]}', `unknown name __proto__: give ${names}`],
    ['{"type":"options_update","payload":{}}', `unknown name type: give ${names}`],
    ['{"wantedDids":["did:web:a"],"wantedDids":[]}', 'wantedDids is there twice'],
    ['{"maxMessageSizeBytes":1,"maxMessageSizeBytes":1}', 'maxMessageSizeBytes is there twice'],
    ['{"wantedDids":[]}', 'wantedDids is empty: leave it out if there is no such condition'],
    ['{"wantedKinds":["commit"],"wantedSubjects":[ ]}', expect.stringContaining('wantedSubjects is empty')],
    ['{"wantedDids":null}', 'wantedDids has to be an array of strings'],
    ['{"maxMessageSizeBytes":null}', 'maxMessageSizeBytes has to be an integer'],
    ['{"maxMessageSizeBytes":-1}', 'maxMessageSizeBytes is negative: leave it out if there is no limit'],
    ['{"verified":"true"}', 'verified has to be true or false'],
    ['{"verified":true,"verified":true}', 'verified is there twice'],
    ['{"wantedDids":"did:web:a"}', 'wantedDids has to be an array of strings'],
    ['{"wantedDids":["did:web:a",null]}', 'wantedDids has to be an array of strings'],
    ['{"wantedKinds":[["commit"]]}', 'wantedKinds has to be an array of strings'],
    ['{"wantedSubjects":{"a":"did:web:a"}}', 'wantedSubjects has to be an array of strings'],
    ['{"maxMessageSizeBytes":"5"}', 'maxMessageSizeBytes has to be an integer'],
    ['{"maxMessageSizeBytes":1.5}', 'maxMessageSizeBytes has to be an integer'],
    ['{"maxMessageSizeBytes":99999999999999999999}', 'maxMessageSizeBytes has to be an integer'],
    ['{"wantedDids":["did:web:a","did:web:"]}', `${options}: invalid DID: did:web:`],
    ['{"wantedCollections":["a.b"]}', `${options}: invalid collection: a.b`],
    ['{"wantedKinds":["syncs"]}', `${options}: invalid kind: syncs`],
    ['{"wantedOperations":[""]}', `${options}: invalid operation: `],
    ['{"wantedSubjects":["at://did:web:a"]}', `${options}: invalid subject: at://did:web:a`],
    [JSON.stringify({ wantedDids: dids(100_001) }), `${options}: too many wanted DIDs`],
    [JSON.stringify({ wantedSubjects: dids(100_001) }), `${options}: too many wanted subjects`],
    [
      JSON.stringify({ wantedCollections: Array.from({ length: 101 }, (_, at) => `a.b.c${at}`) }),
      `${options}: too many wanted collections`,
    ],
  ])('%.60s', (text, problem) =>
    expect(readFilterDocument(text)).toEqual({ reason: expect.any(String), problem }),
  );

  it('has a reason, for counting', () => {
    const reasons = ['[', '{"x":[]}', '{"wantedDids":["x"]}', '{"wantedKinds":["x"]}'].map((text) => {
      const result = readFilterDocument(text);
      return isDocumentFault(result) && result.reason;
    });
    expect(reasons).toEqual(['bad_filter', 'bad_filter', 'bad_did', 'bad_kind']);
  });

  it('is short, whatever it is about', () => {
    const long = 'x'.repeat(1_000_000);
    for (const text of [`{"${long}":1}`, `{"wantedDids":["${long}"]}`, `{"wantedKinds":["${long}"]}`]) {
      const result = readFilterDocument(text);
      expect('problem' in result && result.problem.length).toBeLessThan(300);
    }
  });

  it('is all that hostile texts lead to', () => {
    const seed = 77;
    const random = seededRandom(seed);
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\u',
      'null',
      '1',
      '"wantedDids"',
      '"did:web:a"',
      '\ud83d',
    ];
    for (let round = 0; round < 20_000; round++) {
      let text = '{"wantedDids":';
      for (let left = random() * 10; left > 0; left--) text += pieces[Math.floor(random() * pieces.length)];
      try {
        readFilterDocument(text);
      } catch (error) {
        expect.fail(`seed ${seed}, round ${round}: ${text}: ${error}`);
      }
    }
    expect(readFilterDocument('['.repeat(10_000_000))).toHaveProperty('problem');
  });
});
