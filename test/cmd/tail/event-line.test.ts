import { expect, test } from 'vitest';
import type { StreamEvent } from '../../../client/lib/subscribe.ts';
import { inColour, jsonLine, plain, prettyLine } from '../../../cmd/tail/event-line.ts';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
const timeUs = Date.UTC(2026, 0, 31, 12, 5, 6, 789) * 1000 + 123;

function commit(record: unknown, more: object = {}): StreamEvent {
  const operation = record === undefined ? 'delete' : 'create';
  const body = {
    rev: 'r',
    operation,
    collection: 'app.bsky.feed.post',
    rkey: '3kaaaaaaaaaaa',
    record,
    ...more,
  };
  return { did, time_us: timeUs, kind: 'commit', commit: body } as StreamEvent;
}

function identity(handle?: string): StreamEvent {
  const body = { did, seq: 1, time: '', ...(handle === undefined ? {} : { handle }) };
  return { did, time_us: timeUs, kind: 'identity', identity: body };
}

function account(active: boolean, status?: string): StreamEvent {
  const body = { did, seq: 1, time: '', active, ...(status === undefined ? {} : { status }) };
  return { did, time_us: timeUs, kind: 'account', account: body };
}

test.each([
  [commit({ text: 'Hello,\n\tworld' }), `create   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa Hello, world`],
  [commit(undefined), `delete   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa`],
  [
    commit({ subject: { uri: 'at://x/y/z' } }),
    `create   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa → at://x/y/z`,
  ],
  [commit({ subject: 'did:x:y' }), `create   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa → did:x:y`],
  [
    commit({ subject: null, a: 1 }),
    `create   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa {"subject":null,"a":1}`,
  ],
  [commit({ text: '', title: 'T' }), `create   app.bsky.feed.post     ${did}/3kaaaaaaaaaaa T`],
  [identity('a.example'), `identity                        ${did} a.example`],
  [identity(), `identity                        ${did}`],
  [account(true), `account                         ${did} active`],
  [account(false, 'takendown'), `account                         ${did} takendown`],
  [account(false), `account                         ${did} inactive`],
])('%#: a line for a person', (event, expected) => {
  expect(prettyLine(event, 200, plain)).toBe(`01-31 12:05:06.789 ${expected}`);
});

const other = 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb';
const target = `at://${other}/app.bsky.feed.post/3kbbbbbbbbbbb`;
const short = '→ did:plc:bbbbbbbbb~/3kbbbbbbbbbbb';

test.each<[string, object, number, string]>([
  ['a like', { subject: { uri: target } }, 200, `→ ${target}`],
  ['a like on a small terminal', { subject: { uri: target } }, 120, short],
  ['a follow', { subject: other }, 120, `→ ${other}`],
  ['a follow on a small terminal', { subject: other }, 105, '→ did:plc:bbbbbbbbb~'],
  [
    'a reply',
    { text: 'yes', reply: { parent: { uri: target }, root: { uri: 'at://x' } } },
    200,
    `yes ${short}`,
  ],
  ['a reply on a wide terminal', { text: 'yes', reply: { parent: { uri: target } } }, 220, `yes → ${target}`],
  ['a reply on a small terminal', { text: 'yes', reply: { parent: { uri: target } } }, 120, 'yes'],
  ['a quote', { text: 'yes', embed: { record: { uri: target } } }, 200, `yes ${short}`],
  ['a quote with a picture', { embed: { record: { record: { uri: target } } } }, 200, `→ ${target}`],
  ['a letter', { subject: 'Re: yes', reply: 'no', embed: { record: 1 } }, 200, 'Re: yes'],
])('%s points at something', (_, record, columns, expected) => {
  const line = prettyLine(commit(record), columns, plain);
  expect(line.length).toBeLessThanOrEqual(columns);
  expect(line.slice(line.indexOf('/3kaaaaaaaaaaa') + 15)).toBe(expected);
});

test('a long text leaves room for what it points at', () => {
  const line = prettyLine(
    commit({ text: 'word '.repeat(100), reply: { parent: { uri: target } } }),
    160,
    plain,
  );
  expect(line).toMatch(/(word ){7,}.*… → did:plc:b{9}~\/3kb{11}$/);
  expect(line).toHaveLength(160);
});

test.each([40, 80, 100, 132, 200])('a line is cut to %i columns, and leaves room for its text', (columns) => {
  const line = prettyLine(commit({ text: 'word '.repeat(100) }), columns, plain);
  expect(line.length).toBeLessThanOrEqual(Math.max(columns, 84));
  if (columns >= 100) expect(line.split('word').length).toBeGreaterThan(3);
  if (columns >= 132) expect(line).toContain(did.slice(0, 17));
});

test('wide characters count twice', () => {
  const text = '日本語'.repeat(50);
  const line = prettyLine(commit({ text }), 150, plain);
  const shown = line.slice(line.indexOf('日'));
  expect(shown).toMatch(/^[日本語]+…$/);
  expect(line.length + shown.length - 1).toBeGreaterThan(146);
  expect(line.length + shown.length - 1).toBeLessThanOrEqual(150);
});

/** What terminals act on, or what makes a text look like another. */
const hostile = [
  '\x1b[2J\x1b]0;title\x07',
  '\x9b31m\x9d0;x\x9c',
  '\r\n\b\b\x7f\x00',
  '\u202e\u2066\u200b\ufeff\u2028\u2029\u0085',
  '\ud800',
  '\u{e0041}',
].join('');
const actedOn = /\p{C}|\p{Zl}|\p{Zp}/u;

test('nothing that a terminal acts on gets through, wherever it stands', () => {
  const events = [
    commit({ text: hostile }),
    commit({ subject: { uri: hostile } }),
    commit({ subject: { uri: `at://did:x:y${hostile}/a.b.c/${hostile}` } }),
    commit({ text: hostile, reply: { parent: { uri: `did:${hostile}` } } }),
    commit({ [hostile]: hostile }),
    commit({ text: 'x' }, { collection: hostile, rkey: hostile }),
    { ...commit({ text: 'x' }), did: hostile },
    { ...identity(hostile), time_us: Number.MAX_SAFE_INTEGER },
    account(false, hostile),
  ];
  for (const event of events) {
    const line = prettyLine(event, 500, plain);
    expect(line).not.toMatch(actedOn);
    expect(prettyLine(event, 110, plain)).not.toMatch(actedOn);
    // Colours are all there is of escapes.
    expect(prettyLine(event, 500, inColour).replace(/\x1b\[\d+m/g, '')).toBe(line);
  }
});

test('JSON is what was sent, on one line, and for a terminal without what it acts on', () => {
  const sent = `{ "a":\r\n\t1.50, "b":${JSON.stringify(hostile)}, "big":9007199254740993}`;
  const line = jsonLine(sent, false);
  expect(line).toBe(sent.replace(/[\r\n\t]/g, ' '));
  const shown = jsonLine(sent, true);
  expect(shown).not.toMatch(actedOn);
  expect(shown).toContain('9007199254740993');
  expect(JSON.parse(shown)).toEqual(JSON.parse(sent));
});
