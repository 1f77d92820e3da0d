// The lexicon files against the code: parameters and limits, and what messages have.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventKinds } from '../../lib/event/event.ts';
import { subscribeEventsNsid, V2EventWriter } from '../../lib/event/v2-event.ts';
import { v2Encodings } from '../../lib/fanout/v2-encodings.ts';
import { v2QueryValuesMax } from '../../lib/wire/v2-filter.ts';
import { infoText, v2Wire } from '../../lib/wire/v2-messages.ts';
import { isV2Fault, parseV2Query } from '../../lib/wire/v2-query.ts';

interface Definition {
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, { readonly type: string }>>;
}

function lexicon(nsid: string) {
  const path = join(import.meta.dirname, '../../lexicons', `${nsid}.json`);
  const { id, defs } = JSON.parse(readFileSync(path, 'utf8'));
  expect(id).toBe(nsid);
  return defs as Readonly<Record<string, Definition>> & {
    readonly main: { readonly parameters: Definition };
  };
}

/** A message has what its payload's definition requires, and nothing that it does not name. */
function conforms(text: string): void {
  const { $type, payload } = JSON.parse(text);
  expect($type).toBe('message');
  const [nsid, name] = payload.$type.split('#');
  const { required = [], properties = {} } = lexicon(nsid)[name];
  const names = Object.keys(payload).filter((key) => key !== '$type');
  expect(names).toEqual(expect.arrayContaining([...required]));
  expect(Object.keys(properties)).toEqual(expect.arrayContaining(names));
}

it('the limits of lists are those of the query', () => {
  const { properties } = lexicon(subscribeEventsNsid).main.parameters;
  for (const [name, most] of Object.entries(v2QueryValuesMax)) {
    expect(properties?.[name], name).toMatchObject({ type: 'array', maxLength: most });
  }
});

it('every parameter is one that is read', () => {
  const values: Readonly<Record<string, string>> = {
    cursor: 'x',
    zstdDictionary: 'x',
    maxMessageSizeBytes: 'x',
  };
  for (const name of Object.keys(lexicon(subscribeEventsNsid).main.parameters.properties ?? {})) {
    if (name === 'progress') continue;
    expect(isV2Fault(parseV2Query(`${name}=${values[name] ?? '!'}`, undefined, v2Encodings())), name).toBe(
      true,
    );
  }
});

it.each([
  ['commit', { rev: 'r', operation: 'create', collection: 'c', rkey: 'k', record: {}, cid: 'b' }],
  ['identity', { did: 'd', seq: 1, time: 't' }],
  ['account', { active: true, did: 'd', seq: 1, time: 't' }],
  ['sync', { blocks: { $bytes: '' }, did: 'd', rev: 'r', seq: 1, time: 't' }],
] as const)('a message of kind %s is as it says', (kind, inner) => {
  const json = Buffer.from(JSON.stringify({ did: 'd', time_us: 1, kind, [kind]: inner }));
  const out = Buffer.alloc(1000);
  const end = new V2EventWriter().write(out, 0, json, 0, json.length, eventKinds[kind], 1);
  conforms(out.toString('utf8', 0, end));
});

it('what the server says of its own accord is as it says', () => {
  conforms(infoText('OutdatedCursor', 'old'));
  conforms(v2Wire.progressOf({ positionUs: 1, newestUs: 2, live: true }));
  conforms(
    v2Wire.gapOf({
      reason: 'log_cut',
      relay: 'r',
      fromUs: 1,
      toUs: 2,
      fromSeq: 3,
      toSeq: 4,
      detail: 'd',
      count: 1,
    }),
  );
});
