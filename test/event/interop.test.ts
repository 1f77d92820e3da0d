// The protocol's own vectors of syntax (vectors/README.md) as the oracle for ours. Where v1's wire has another rule than
// the protocol, the values concerned are listed with the reason, so that a new deviation fails.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isRecordPath } from '../../lib/decode/record-path.ts';
import { isDid } from '../../lib/event/did.ts';
import { DidHasher } from '../../lib/event/did-hash.ts';
import { isNsid } from '../../lib/event/nsid.ts';
import { isSubject, mayBeSubject, SubjectHasher } from '../../lib/event/subject.ts';
import { tidTimeUs } from '../../lib/event/tid.ts';

function vectors(name: string): string[] {
  const path = join(import.meta.dirname, 'vectors', `${name}.txt`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('# '));
}

/** The vectors of a syntax that `accepts` decides otherwise. */
function deviations(syntax: string, accepts: (text: string) => boolean) {
  const [valid, invalid] = [vectors(`${syntax}_syntax_valid`), vectors(`${syntax}_syntax_invalid`)];
  expect(Math.min(valid.length, invalid.length)).toBeGreaterThan(3);
  return {
    refused: [...new Set(valid.filter((text) => !accepts(text)))],
    accepted: [...new Set(invalid.filter(accepts))],
  };
}

const none = { refused: [], accepted: [] };

test('DIDs', () => expect(deviations('did', isDid)).toEqual(none));

test('NSIDs', () => expect(deviations('nsid', isNsid)).toEqual(none));

test('TIDs', () => {
  const isTid = (text: string): boolean => {
    const bytes = Buffer.from(text);
    return !Number.isNaN(tidTimeUs(bytes, 0, bytes.length));
  };
  expect(deviations('tid', isTid)).toEqual(none);
});

test('record keys', () => {
  const isKey = (text: string): boolean => {
    const bytes = Buffer.from(`com.example.record/${text}`);
    return isRecordPath(bytes, 0, bytes.length);
  };
  expect(deviations('recordkey', isKey)).toEqual({
    refused: [],
    // v1 looks at characters and lengths of a path alone.
    accepted: ['.', '..'],
  });
});

describe('at-uris', () => {
  const subject = 'at://did:plc:asdf123/com.atproto.feed.post';

  test('that a subscriber can want are those of a record', () => {
    expect(deviations('aturi', isSubject)).toEqual({
      refused: [
        // An account is wanted by its DID, and a handle is not resolved: events have DIDs.
        'at://did:plc:asdf123',
        'at://user.bsky.social',
        // Nothing points at a collection.
        subject,
        'at://did:abc:123',
        `${subject}V2`,
      ],
      // What an op may have as its path may be wanted.
      accepted: ['at://did:plc:asdf123/short/stuff', `${subject}/.`, `${subject}/..`],
    });
  });

  test('in records are not checked behind the DID: what nobody can want is looked up by nobody', () => {
    const hasher = new SubjectHasher(new DidHasher(Buffer.from('01234567')));
    const reads = (text: string): boolean => {
      const bytes = Buffer.from(text);
      const isRead = hasher.read(bytes, 0, bytes.length);
      if (isRead) expect(mayBeSubject(bytes, 0, bytes.length), text).toBe(true);
      return isRead;
    };
    const { refused, accepted } = deviations('aturi', reads);
    expect(refused).toEqual(['at://user.bsky.social']);
    const authorities = new Set(accepted.map((text) => text.slice('at://'.length).split(/[/?#]/)[0]));
    expect([...authorities].filter((authority) => !isDid(authority))).toEqual(['did:plc:']);
  });
});
