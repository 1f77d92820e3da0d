// Queries of the second wire: every parameter, its limits, and the errors.

import { describe, expect, it } from 'vitest';
import { v2BytesMore } from '../../lib/event/v2-event.ts';
import { encodings } from '../../lib/fanout/encodings.ts';
import { type V2Encodings, v2Encodings } from '../../lib/fanout/v2-encodings.ts';
import { isV2Fault, parseV2Query, type V2Fault, type V2Request } from '../../lib/wire/v2-query.ts';
import { passAll } from '../support/pass-all.ts';

const offered: V2Encodings = { ...v2Encodings(), byId: new Map([[20, encodings.zstd]]), currentId: 20 };

function read(query: string, socketEncoding?: string): V2Request {
  const result = parseV2Query(query, socketEncoding, offered);
  if (isV2Fault(result)) throw new Error(result.message);
  return result;
}

function refuse(query: string, socketEncoding?: string): V2Fault {
  const result = parseV2Query(query, socketEncoding, offered);
  if (!isV2Fault(result)) throw new Error('no fault');
  expect(result.status).toBe(400);
  return result;
}

const did = (at: number): string => `did:plc:${String(at).padStart(24, 'a')}`;

describe('a query', () => {
  it('without parameters asks for everything from now on, as JSON', () => {
    expect(read('')).toEqual({
      filter: { ...passAll, isV2: true, bytesMore: v2BytesMore, kinds: 0b1111 },
      cursor: undefined,
      encoding: offered.json,
      takesUpdates: false,
      requireHello: false,
      progress: false,
    });
  });

  it('may have all of them, and others, which are ignored', () => {
    const { filter, cursor, encoding } = read(
      'kinds=commit&kinds=sync&dids=did%3Aweb%3Aa.test&dids=did:web:a.test&collections=app.bsky.feed.post' +
        '&collections=app.bsky.graph.*&collections=app.bsky.*&maxMessageSizeBytes=4294967295&zstdDictionary=20&cursor=7&wantedKinds=x&constructor=1',
    );
    expect(filter).toMatchObject({
      kinds: 9,
      dids: new Set(['did:web:a.test']),
      collections: new Set(['app.bsky.feed.post']),
      prefixes: ['app.bsky.graph.', 'app.bsky.'],
      maxMessageSizeBytes: 4_294_967_295,
    });
    expect([cursor, encoding]).toEqual([7, encodings.zstd]);
  });

  it('may have ten thousand DIDs, repeated ones included, and no more', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => `dids=${encodeURIComponent(did(at))}`).join('&');
    expect(many.length).toBeGreaterThan(380_000);
    expect(read(many).filter.dids.size).toBe(10_000);
    expect(refuse(`${many}&dids=${did(1)}`)).toMatchObject({
      reason: 'too_many_dids',
      error: 'InvalidRequest',
    });
  });

  it.each([
    ['kinds', 'commit', 4, 'bad_kind'],
    ['collections', 'app.bsky.feed.post', 100, 'too_many_collections'],
  ])('may have as many %s as the contract has', (name, value, most, reason) => {
    const some = Array.from({ length: most }, () => `${name}=${value}`).join('&');
    read(some);
    expect(refuse(`${some}&${name}=${value}`).reason).toBe(reason);
  });

  it.each([
    ['kinds=commits', 'bad_kind', 'commits'],
    ['kinds=', 'bad_kind', 'kinds'],
    ['dids=plc:a', 'bad_did', 'plc:a'],
    ['collections=app.bsky', 'bad_collection', 'app.bsky'],
    ['collections=*', 'bad_collection', '*'],
    ['collections=not_an_nsid.*', 'bad_collection', 'not_an_nsid.*'],
    ['collections=app.bsky.feed.post&kinds=identity', 'bad_collection', 'kinds'],
    ['maxMessageSizeBytes=', 'bad_message_size', '4294967295'],
    ['maxMessageSizeBytes=4294967296', 'bad_message_size', 'maxMessageSizeBytes'],
    ['maxMessageSizeBytes=-1', 'bad_message_size', 'maxMessageSizeBytes'],
    ['maxMessageSizeBytes=1&maxMessageSizeBytes=1', 'bad_message_size', 'one'],
    ['cursor=-1', 'bad_cursor', '-1'],
    ['cursor=-0', 'bad_cursor', '-0'],
    ['cursor=1e15', 'bad_cursor', '1e15'],
    ['cursor=99999999999999999999', 'bad_cursor', '9999'],
    ['zstdDictionary=0', 'bad_dictionary', 'zstdDictionary'],
    ['zstdDictionary=x', 'bad_dictionary', 'zstdDictionary'],
    ['zstdDictionary=-1', 'bad_dictionary', 'zstdDictionary'],
    ['wantedDids=did:web:a', 'v1_parameter', 'dids'],
    ['wantedCollections=a.b.c', 'v1_parameter', 'collections'],
    ['requireHello=false', 'v1_parameter', 'requireHello'],
    ['compress=true', 'v1_parameter', 'zstdDictionary'],
    ['operations=edit', 'bad_operation', 'edit'],
    ['subjects=at://did:web:a', 'bad_subject', 'at://did:web:a'],
    ['filterUpdates=true', 'bad_filter', 'filterUpdates'],
    ['verified=1', 'bad_verified', 'true or false'],
    ['dids=%zz', 'bad_query', 'malformed'],
    ['dids=did:web:a;x', 'bad_query', 'malformed'],
  ])('%s is refused: %s', (query, reason, word) => {
    const fault = refuse(query);
    expect(fault).toMatchObject({ reason, error: 'InvalidRequest' });
    expect(fault.message).toContain(word);
  });

  it('may ask for what is verified', () => {
    expect(read('verified=true').filter.isVerified).toBe(true);
    for (const query of ['verified=false', 'verified=', ''])
      expect(read(query).filter.isVerified).toBeUndefined();
  });

  it('has conditions of ours, where they are asked for', () => {
    const subject = 'at://did:web:a.test/app.bsky.feed.post/1';
    const asked = read(
      `operations=delete&operations=create&subjects=did:web:b.test&subjects=${subject}&progress=true&filterUpdates=first`,
    );
    expect(asked).toMatchObject({ takesUpdates: true, requireHello: true, progress: true });
    expect(asked.filter).toMatchObject({
      operations: 0b1010,
      subjects: new Set(['did:web:b.test', subject]),
    });
    expect(read('filterUpdates=allow')).toMatchObject({ takesUpdates: true, requireHello: false });
    expect(read('filterUpdates=&progress=1')).toMatchObject({ takesUpdates: false, progress: false });
  });

  it('with the header of v1 for compression is refused', () => {
    expect(refuse('', 'zstd').message).toContain('zstdDictionary');
  });

  it('with a dictionary that is not there is told which is', () => {
    for (const id of ['21', '4294967296', '99999999999999999999']) {
      const fault = refuse(`zstdDictionary=${id}`);
      expect(fault).toMatchObject({ reason: 'bad_dictionary', error: 'UnknownZstdDictionary' });
      expect(fault.message).toContain(' 20:');
    }
  });

  it('may say compress=false', () => {
    expect(read('compress=false').encoding).toBe(offered.json);
  });
});
