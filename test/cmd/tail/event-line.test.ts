import { expect, test } from 'vitest';
import type { StreamEvent } from '../../../client/lib/subscribe.ts';
import { inColour, jsonLine, plain, prettyLine } from '../../../cmd/tail/event-line.ts';
import { timeRatio } from '../../support/time-ratio.ts';

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
  [commit({ text: 'Hello,\n\tworld' }), `create feed.post    ${did}/3kaaaaaaaaaaa Hello, world`],
  [commit(undefined), `delete feed.post    ${did}/3kaaaaaaaaaaa`],
  [commit({ subject: { uri: 'at://x/y/z' } }), `create feed.post    ${did}/3kaaaaaaaaaaa → at://x/y/z`],
  [commit({ subject: 'did:x:y' }), `create feed.post    ${did}/3kaaaaaaaaaaa → did:x:y`],
  [commit({ subject: null, a: 1 }), `create feed.post    ${did}/3kaaaaaaaaaaa {"subject":null,"a":1}`],
  [commit({ text: '', title: 'T' }), `create feed.post    ${did}/3kaaaaaaaaaaa T`],
  [
    commit({ a: 1 }, { collection: 'chat.example.room.message' }),
    `create chat.example.room.message ${did}/3kaaaaaaaaaaa {"a":1}`,
  ],
  [identity('a.example'), `identity            ${did} a.example`],
  [identity(), `identity            ${did}`],
  [account(true), `account             ${did} active`],
  [account(false, 'takendown'), `account             ${did} takendown`],
  [account(false), `account             ${did} inactive`],
])('%#: a line for a person', (event, expected) => {
  expect(prettyLine(event, 200, plain, false)).toBe(`01-31 12:05:06.789 ${expected}`);
});

const other = 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb';
const target = `at://${other}/app.bsky.feed.post/3kbbbbbbbbbbb`;
const short = '→ did:plc:bbbbb~/3kbbbbbbbbbbb';
const text =
  'One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen';
const reply = { text, reply: { parent: { uri: target }, root: { uri: 'at://x' } } };
const like = { subject: { uri: target } };
const wide = { collection: 'fm.example.alpha.feed.play' };
const whole = `${did}/3kaaaaaaaaaaa`;

test.each([
  [80, commit({ text }), 'create feed.post    did:plc:aaaaa~ One two three four five six seven e…'],
  [100, commit({ text }), `create feed.post    did:plc:aaaaa~ ${text.slice(0, 55)}…`],
  [120, commit({ text }), `create feed.post    ${whole} ${text.slice(0, 43)}…`],
  [80, commit({ text: 'Hello' }), 'create feed.post    did:plc:aaaaa~ Hello'],
  [80, commit(like), `create feed.post    did:plc:aaaaa~ ${short}`],
  [100, commit(like), `create feed.post    ${did} ${short}`],
  [120, commit(like), `create feed.post    ${whole} ${short}`],
  [80, commit({ subject: other }), `create feed.post    did:plc:aaaaa~ → ${other}`],
  [80, commit(reply), 'create feed.post    did:plc:aaaaa~ One two three four five six seven e…'],
  [100, commit(reply), `create feed.post    did:plc:aaaaa~ ${text.slice(0, 55)}…`],
  [120, commit(reply), `create feed.post    did:plc:aaaaa~ ${text.slice(0, 44)}… ${short}`],
  [80, commit(undefined), `delete feed.post    ${whole}`],
  [80, commit({ text }, wide), `create ~alpha.feed.play did:plc:aaaaa~ ${text.slice(0, 31)}…`],
  [80, identity('alice.example'), `identity            did:plc:aaaaa~ alice.example`],
  [80, account(false, 'takendown'), `account             did:plc:aaaaa~ takendown`],
])('live, on %i columns: %#', (columns, event, expected) => {
  const line = prettyLine(event, columns, plain, true);
  expect(line).toBe(`12:05:06 ${expected}`);
  expect(line.length).toBeLessThanOrEqual(columns);
});

test('a replay has the date, and milliseconds where there is room for them', () => {
  const line = (columns: number): string => prettyLine(commit({ text: 'x' }), columns, plain, false);
  expect(line(80)).toMatch(/^01-31 12:05:06 create/);
  expect(line(120)).toMatch(/^01-31 12:05:06\.789 create/);
});

test.each<[string, object, string]>([
  ['a quote', { text: 'yes', embed: { record: { uri: target } } }, `yes → ${target}`],
  ['a quote with a picture', { embed: { record: { record: { uri: target } } } }, `→ ${target}`],
  ['a letter', { subject: 'Re: yes', reply: 'no', embed: { record: 1 } }, 'Re: yes'],
])('%s points at something', (_, record, expected) => {
  const line = prettyLine(commit(record), 200, plain, false);
  expect(line.slice(line.indexOf(whole) + whole.length + 1)).toBe(expected);
});

test.each([45, 60, 80, 100, 132, 200])('no line is longer than %i columns', (columns) => {
  const events = [
    commit({ text }),
    commit(reply),
    commit(like),
    commit(like, wide),
    commit(undefined),
    identity('a'),
  ];
  for (const event of events) {
    for (const isLive of columns < 80 ? [true] : [true, false])
      expect(prettyLine(event, columns, plain, isLive).length).toBeLessThanOrEqual(Math.max(columns, 50));
  }
});

test('wide characters count twice', () => {
  const text = '日本語'.repeat(50);
  const line = prettyLine(commit({ text }), 150, plain, false);
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
    const line = prettyLine(event, 500, plain, false);
    expect(line).not.toMatch(actedOn);
    expect(prettyLine(event, 110, plain, true)).not.toMatch(actedOn);
    // Colours are all there is of escapes.
    expect(prettyLine(event, 500, inColour, false).replace(/\x1b\[\d+m/g, '')).toBe(line);
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

test('a line costs what it shows, however large the record, and names of it, are', () => {
  const untouched = {
    get b() {
      throw new Error('looked at');
    },
  };
  expect(prettyLine(commit({ a: 'x'.repeat(10_000), untouched }), 200, plain, false)).toMatch(/\{"a":"x+…$/);
  const line =
    (more: object, event: object = {}) =>
    () =>
      prettyLine({ ...commit({ text: 'x' }, more), ...event } as StreamEvent, 200, plain, false);
  for (const named of [
    (name: string) => line({ rkey: name }),
    (name: string) => line({ collection: name }),
    (name: string) => line({}, { did: name }),
    (name: string) => line({ record: { subject: `did:${name}` } }),
  ]) {
    const small = named('\u200b '.repeat(5_000));
    const large = named('\u200b '.repeat(2_000_000));
    // Four times as long, if all of it were looked at.
    expect(timeRatio(() => Array.from({ length: 100 }, small), large)).toBeLessThan(1);
  }
});
