// Filters that a client of the second wire sends.

import { describe, expect, it } from 'vitest';
import { readV2Update } from '../../lib/wire/v2-update.ts';

const update = (payload: unknown): string => JSON.stringify({ type: 'options_update', payload });
const didsOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `did:web:a${at}.test`);

describe('an update', () => {
  it('has the lists of the query, in any order, and is a whole filter', () => {
    const payload = {
      maxMessageSizeBytes: 900,
      collections: ['app.bsky.feed.post', 'app.bsky.graph.*'],
      dids: didsOf(100_000),
      kinds: ['commit', 'sync'],
      operations: ['delete'],
      subjects: ['did:web:b.test'],
    };
    const { kind, filter } = readV2Update(update(payload)) as Extract<
      ReturnType<typeof readV2Update>,
      { kind: 'update' }
    >;
    expect([kind, filter.dids.size]).toEqual(['update', 100_000]);
    expect(filter).toMatchObject({
      isV2: true,
      maxMessageSizeBytes: 900,
      collections: new Set(['app.bsky.feed.post']),
      prefixes: ['app.bsky.graph.'],
      kinds: 0b1001,
      operations: 0b1000,
      subjects: new Set(['did:web:b.test']),
    });
    expect(readV2Update(update({}))).toMatchObject({
      kind: 'update',
      filter: { kinds: 0b1111, maxMessageSizeBytes: 0 },
    });
  });

  it('may ask for what is verified', () => {
    expect(readV2Update(update({ verified: true }))).toMatchObject({ filter: { isVerified: true } });
    for (const payload of [{ verified: false }, {}])
      expect(readV2Update(update(payload))).not.toHaveProperty('filter.isVerified');
  });

  it.each([
    ['{', 'invalid JSON'],
    ['[]', 'an object'],
    ['{"type":"options_update"}', 'payload'],
    [JSON.stringify({ type: 'hello', payload: {} }), 'options_update'],
    [update([]), 'an object'],
    [update({ wantedDids: ['did:web:a'] }), 'unknown name wantedDids'],
    [update({ dids: [] }), 'dids is empty'],
    [update({ dids: ['plc'] }), 'plc is no DID'],
    [update({ dids: didsOf(100_001) }), 'too many dids'],
    [update({ kinds: ['identity'], collections: ['a.b.c'] }), 'no commit'],
    [update({ maxMessageSizeBytes: -1 }), 'negative'],
    [update({ verified: 'true' }), 'verified has to be true or false'],
  ])('%.60s is refused', (text, word) => {
    expect(readV2Update(text)).toEqual({ kind: 'failure', reason: expect.stringContaining(word) });
  });
});
