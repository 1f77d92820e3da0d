// Messages from clients. What the v1 server makes of them was captured from its parser (reference-messages.jsonl:
// message, outcome, and the reason it closes with or the filter it sets; size limits are not part of that).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventKinds, operations } from '../../lib/event/event.ts';
import type { Filter } from '../../lib/event/filter.ts';
import { type ClientMessage, readClientMessage } from '../../lib/wire/options-update.ts';
import { seededRandom } from '../support/events.ts';
import { passAll } from '../support/pass-all.ts';
import { growth, linearGrowthMax } from '../support/time-ratio.ts';

interface Wanted {
  collections: string[];
  prefixes: string[];
  dids: string[];
}

const references = readFileSync(new URL('reference-messages.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as [string, ClientMessage['kind'], string | Wanted]);

function update(payload: unknown): string {
  return JSON.stringify({ type: 'options_update', payload });
}

function updated(text: string, current: Filter = passAll): Filter {
  const message = readClientMessage(text, current.maxMessageSizeBytes);
  if (message.kind !== 'update') throw new Error(JSON.stringify(message));
  return message.filter;
}

describe('the v1 server', () => {
  it.each(references)('on %j: %s', (text, kind, outcome) => {
    const message = readClientMessage(text, 0);
    expect(message.kind).toBe(kind);
    // A lone surrogate is sent as a replacement character.
    if (message.kind === 'failure') expect(Buffer.from(message.reason).toString()).toBe(outcome);
    if (message.kind !== 'update') return;
    const { collections, prefixes, dids } = message.filter;
    expect({ collections: [...collections].sort(), prefixes, dids: [...dids].sort() }).toEqual(outcome);
  });
});

describe('limits', () => {
  const collections = (count: number) =>
    Array.from({ length: count }, (_, index) => `app.bsky.test.c${index}`);
  const dids = (count: number) => Array.from({ length: count }, (_, index) => `did:plc:a${index}`);
  const tooMany = (what: string) =>
    `failed to parse subscriber options: invalid subscriber options: too many wanted ${what}`;
  it.each([
    ['100 collections', { wantedCollections: collections(100) }, undefined],
    ['101 collections', { wantedCollections: collections(101) }, tooMany('collections')],
    ['101 equal collections', { wantedCollections: Array(101).fill('a.b.c') }, undefined],
    ['101 equal wildcards', { wantedCollections: Array(101).fill('a.*') }, tooMany('collections')],
    ['100,000 DIDs', { wantedDids: dids(100_000) }, undefined],
    ['100,001 DIDs', { wantedDids: dids(100_001) }, tooMany('DIDs')],
    ['100,000 subjects', { wantedSubjects: dids(100_000) }, undefined],
    ['100,001 subjects', { wantedSubjects: dids(100_001) }, tooMany('subjects')],
    ['both over', { wantedCollections: collections(101), wantedDids: dids(100_001) }, tooMany('DIDs')],
  ])('%s', (_name, payload, reason) => {
    const message = readClientMessage(update(payload), 0);
    expect(message.kind === 'failure' ? message.reason : undefined).toBe(reason);
  });
});

describe('an update', () => {
  const current: Filter = {
    collections: new Set(['a.b.c']),
    prefixes: ['d.'],
    dids: new Set(['did:web:a']),
    subjects: new Set(['did:web:c']),
    maxMessageSizeBytes: 500,
    kinds: 1 << eventKinds.commit,
    operations: 1 << operations.create,
  };

  it('replaces the whole filter', () => {
    expect(updated(update({ wantedDids: ['did:web:b'] }), current)).toEqual({
      ...passAll,
      dids: new Set(['did:web:b']),
      maxMessageSizeBytes: 500,
    });
  });

  it('clears the filter when it is empty', () => {
    for (const payload of [{}, null, { wantedDids: [], wantedCollections: null }]) {
      expect(updated(update(payload), current)).toEqual({ ...passAll, maxMessageSizeBytes: 500 });
    }
  });

  it('asks for what is verified, or for all again', () => {
    const verified = updated(update({ VERIFIED: true }), current);
    expect(verified).toEqual({ ...passAll, maxMessageSizeBytes: 500, isVerified: true });
    for (const payload of [{}, { verified: false }, { verified: null }])
      expect(updated(update(payload), verified)).toEqual({ ...passAll, maxMessageSizeBytes: 500 });
    expect(readClientMessage(update({ verified: 'true' }), 0)).toEqual({
      kind: 'failure',
      reason:
        'failed to unmarshal subscriber options update: json: cannot unmarshal string into Go struct field SubscriberOptionsUpdatePayload.verified of type bool',
    });
  });

  it.each([
    ['1000', 1000],
    ['0', 0],
    ['-5', 0],
    ['4294967295', 4_294_967_295],
    ['4294967296', 0],
    ['9223372036854775807', 0],
    ['null', 500],
  ])('applies a size limit of %s', (spelling, limit) => {
    const text = `{"type":"options_update","payload":{"maxMessageSizeBytes":${spelling}}}`;
    expect(updated(text, current).maxMessageSizeBytes).toBe(limit);
  });

  it('takes the last of a repeated limit, and keeps it before a null', () => {
    const text =
      '{"type":"options_update","payload":{"maxMessageSizeBytes":1,"MaxMessageSizeBytes":2,"maxMessageSizeBytes":null}}';
    expect(updated(text).maxMessageSizeBytes).toBe(2);
  });
});

describe('kinds and operations', () => {
  it('are taken from arrays, names in any case', () => {
    const payload = { wantedKinds: ['identity', 'commit'], WANTEDOPERATIONS: ['update', 'update'] };
    expect(updated(update(payload))).toEqual({
      ...passAll,
      kinds: (1 << eventKinds.commit) | (1 << eventKinds.identity),
      operations: 1 << operations.update,
    });
    expect(updated(update({ wantedKinds: [], wantedOperations: null }))).toEqual(passAll);
  });

  const parse = 'failed to parse subscriber options: invalid subscriber options: invalid';
  const mismatch = 'failed to unmarshal subscriber options update: json: cannot unmarshal';
  it.each([
    [{ wantedKinds: ['sync'] }, `${parse} kind: sync`],
    [{ wantedOperations: ['create', null] }, `${parse} operation: `],
    [
      { wantedKinds: 'commit' },
      `${mismatch} string into Go struct field SubscriberOptionsUpdatePayload.wantedKinds of type []string`,
    ],
    [
      { wantedOperations: [1] },
      `${mismatch} number into Go struct field SubscriberOptionsUpdatePayload.wantedOperations of type string`,
    ],
  ])('%j ends the connection', (payload, reason) => {
    expect(readClientMessage(update(payload), 0)).toEqual({ kind: 'failure', reason });
  });
});

describe('hostile messages', () => {
  it('never throw', () => {
    const seed = 20_260_705;
    const random = seededRandom(seed);
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      'u',
      '0',
      '-',
      'e',
      '.',
      'null',
      'true',
      '"type"',
      '"payload"',
      '"options_update"',
      '"wantedDids"',
      '"did:web:a"',
      ' ',
      '\u0000',
      '\u20ac',
      '\ud83d',
    ];
    for (let round = 0; round < 20_000; round++) {
      let text = random() < 0.5 ? '{"type":"options_update","payload":{' : '';
      for (let at = Math.floor(random() * 12); at > 0; at--)
        text += pieces[Math.floor(random() * pieces.length)];
      if (random() < 0.3) text += '}}';
      try {
        readClientMessage(text, 0);
      } catch (error) {
        expect.fail(`seed ${seed}, round ${round}: ${text}: ${error}`);
      }
    }
  });

  const open = '{"type":"options_update","payload":{"wantedDids":[';
  /** Texts of about so many bytes. */
  const texts: [string, (bytes: number) => string][] = [
    ['open arrays', (bytes) => '['.repeat(bytes)],
    ['open objects', (bytes) => '{"a":'.repeat(bytes / 5)],
    ['nested arrays', (bytes) => `${'['.repeat(9_000)}${'1,'.repeat(bytes / 2)}`],
    ['empty strings', (bytes) => `${open}${'"",'.repeat(bytes / 3)}""]}}`],
    [
      'distinct DIDs',
      (bytes) => `${open}${Array.from({ length: bytes / 15 }, (_, index) => `"did:a:${index}"`).join()}]}}`,
    ],
    ['escapes', (bytes) => `${open}"${'\\u0041'.repeat(bytes / 6)}"]}}`],
    ['names', (bytes) => `{${'"type":"",'.repeat(bytes / 10)}"a":1}`],
    ['digits', (bytes) => `{"type":"options_update","payload":{"maxMessageSizeBytes":${'9'.repeat(bytes)}}}`],
  ];
  it.each(texts)('%s take time that is linear in their length', (_name, textOf) => {
    const ratio = growth(125_000, (bytes) => {
      const text = textOf(bytes);
      return () => readClientMessage(text, 0);
    });
    expect(ratio).toBeLessThan(linearGrowthMax);
  });

  it.each(texts)('10 MB of %s do not throw', (_name, textOf) => {
    expect(readClientMessage(textOf(10_000_000), 0).kind).not.toBe('update');
  });
});
