import { expect, test } from 'vitest';
import { filterNames, meantBy } from '../../lib/wire/misspelt-name.ts';

test.each([
  ['wantedCollections[]', 'wantedCollections'],
  ['wantedCollections[0]', 'wantedCollections'],
  ['wantedCollection', 'wantedCollections'],
  ['wantedcollections', 'wantedCollections'],
  ['WANTED_COLLECTIONS', 'wantedCollections'],
  ['wantedColections', 'wantedCollections'],
  ['wantedCollectoins', 'wantedCollections'],
  ['collections', 'wantedCollections'],
  ['collection', 'wantedCollections'],
  ['wantedDid', 'wantedDids'],
  ['wantedDIDs', 'wantedDids'],
  ['wantedDids ', 'wantedDids'],
  ['dids', 'wantedDids'],
  ['did', 'wantedDids'],
  ['wantedKind', 'wantedKinds'],
  ['kinds[]', 'wantedKinds'],
  ['wantedOperation', 'wantedOperations'],
  ['wanted-subjects', 'wantedSubjects'],
  ['maxMessageSize', 'maxMessageSizeBytes'],
  ['maxmessagesizebytes', 'maxMessageSizeBytes'],
  ['maxMessageSizeByte', 'maxMessageSizeBytes'],
])('%j means %s', (name, meant) => expect(meantBy(name)).toBe(meant));

test.each([
  ...['cursor', 'compress', 'zstdDictionary', 'requireHello', 'progress', 'until', 'limit'],
  ...['', '_', '[]', 'utm_source', 'wanted', 'id', 'dad', 'token', 'access_token', 'x'.repeat(1_000_000)],
])('%.40j means nothing of a filter', (name) => expect(meantBy(name)).toBeUndefined());

test('names are nearest to themselves', () => {
  for (const name of filterNames) expect(meantBy(name)).toBe(name);
});
