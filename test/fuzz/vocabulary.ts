// The words of the fuzzer's grammar: DIDs, collections, cursors, numbers, JSON, right ones and such as are nearly right.
// What requests and frames are made of them is for the other files here.

import type { SeededRandom } from '../../lib/seeded-random.ts';

/** Makes a word. */
export type Word = (random: SeededRandom) => string;

const lower = 'abcdefghijklmnopqrstuvwxyz';
const base32 = '234567abcdefghijklmnopqrstuvwxyz';
const letters = `${lower}${lower.toUpperCase()}`;

/** Texts that mean something to somebody: numbers at their bounds, escapes, names of prototypes, bytes that are no text. */
export const oddTexts: readonly string[] = [
  ...['', ' ', '0', '-0', '+0', '-1', '00', '1e3', '0x10', '1_0', '1.5', 'NaN', 'Infinity', '\u0661'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
  ...['9007199254740993', '1780000000', '1780000000000', '1780000000000000', '9'.repeat(400)],
  ...['null', 'true', 'false', 'undefined', '[]', '{}', '""', "'", '<b>', '$a', '%s%n', '../..', '*', '.*'],
  ...['__proto__', 'constructor', 'toString', 'then', 'hasOwnProperty', '\0', '\r\n', '\n', '\t', '\x7f'],
  ...['\u00e9', '\u2028', '\u017f', '\u212a', '\ud83d\ude00', '\ud800', 'a\u0300', '\ufeff', '\ufffd'],
];

export const did: Word = (random) =>
  random.pick([
    (): string => `did:plc:${random.text(base32, 24)}`,
    (): string => `did:web:${random.text(lower, random.between(1, 12))}.test`,
    (): string =>
      `did:${random.text(lower, random.between(0, 4))}:${random.text(`${letters}._:%-`, random.between(0, 30))}`,
    (): string =>
      random.pick([
        'did:',
        'did:plc:',
        'did:a:b:',
        'did:a:%',
        'DID:plc:a',
        'did:a',
        'did:A:b',
        `did:a:${'b'.repeat(3000)}`,
      ]),
  ])();

export const collection: Word = (random) =>
  random.pick([
    (): string =>
      random.pick(['app.bsky.feed.post', 'app.bsky.feed.like', 'app.bsky.graph.follow', 'none.such.name']),
    (): string =>
      random.pick([
        'app.bsky.*',
        'app.*',
        '*',
        '.*',
        'app.bsky.feed.*',
        '*.*',
        '-.*',
        `${'a.'.repeat(300)}*`,
      ]),
    (): string =>
      Array.from({ length: random.between(1, 6) }, () =>
        random.text(`${letters}0-`, random.between(0, 8)),
      ).join('.'),
    (): string => `${'a'.repeat(random.between(60, 66))}.b.${random.pick(['c', '1', 'c-', '-c', 'C'])}`,
  ])();

export const subject: Word = (random) =>
  random.chance(0.4)
    ? did(random)
    : `at://${did(random)}/${collection(random)}${random.pick(['/', '', '//', '/a/'])}${random.pick(['self', '3k', '.', '..', '', 'a b', '\u00e9'])}`;

export const kind: Word = (random) =>
  random.pick(['commit', 'identity', 'account', 'Commit', 'sync', '', '__proto__']);

export const operation: Word = (random) =>
  random.pick(['create', 'update', 'delete', 'CREATE', '', 'toString', 'delete ']);

/** An integer as its spelling, mostly. */
export const number: Word = (random) =>
  random.pick([
    (): string => String(random.int(10 ** random.between(0, 16))),
    (): string => `${random.pick(['-', '+', '00', ''])}${random.text('0123456789', random.between(1, 22))}`,
    (): string => random.pick(oddTexts),
  ])();

export const flag: Word = (random) => random.pick(['true', 'true', 'false', '1', 'TRUE', '', 'true ', 'yes']);

/** Anything: text of all planes, with and without meaning. */
export const anyText: Word = (random) =>
  random.pick([
    (): string => random.pick(oddTexts),
    (): string => random.text(`${letters}0123456789 .:/?#&=%;+"\\'<>{}[]`, random.between(0, 40)),
    (): string =>
      Array.from({ length: random.between(0, 8) }, () => String.fromCodePoint(random.int(0x110000))).join(''),
  ])();

/** The parts of a filter, and what makes their values. */
export const filterWords: Readonly<Record<string, Word>> = {
  wantedCollections: collection,
  wantedDids: did,
  wantedKinds: kind,
  wantedOperations: operation,
  wantedSubjects: subject,
  maxMessageSizeBytes: number,
};
const filterNames = Object.keys(filterWords);

/** The name of a part of a filter, at times nearly. */
export function filterName(random: SeededRandom): string {
  const name = random.pick(filterNames);
  if (random.chance(0.85)) return name;
  return random.pick([
    name.toUpperCase(),
    `${name}[]`,
    name.slice(0, -1),
    name.replace('s', '\u017f').replace('k', '\u212a'),
    name.slice(6),
    ` ${name}`,
  ]);
}

/** The value of a part, mostly of its kind. */
export function filterValue(random: SeededRandom, name: string): string {
  const word = filterWords[name];
  return word === undefined || random.chance(0.15) ? anyText(random) : word(random);
}

/** A part that is right and leaves a subscription possible. */
export function goodPart(random: SeededRandom): [name: string, value: string] {
  return random.pick([
    (): [string, string] => [
      'wantedCollections',
      random.pick(['app.bsky.feed.post', 'app.bsky.graph.*', 'none.such.name']),
    ],
    (): [string, string] => ['wantedDids', `did:plc:${random.text(base32, 24)}`],
    (): [string, string] => ['wantedKinds', random.pick(['commit', 'identity', 'account'])],
    (): [string, string] => ['wantedOperations', random.pick(['create', 'update', 'delete'])],
    (): [string, string] => [
      'wantedSubjects',
      `at://did:plc:${random.text(base32, 24)}/app.bsky.feed.post/${random.text(base32, 13)}`,
    ],
    (): [string, string] => ['maxMessageSizeBytes', String(random.between(1, 2000))],
  ])();
}

const numberSpellings = [
  '0',
  '-0',
  '1',
  '-1',
  '1.5',
  '1e2',
  '1E+2',
  '0.0',
  '9007199254740993',
  '-9223372036854775809',
];

/** JSON of anything, spelled in the ways there are. @param depth of arrays and objects that it may have. */
export function json(random: SeededRandom, depth: number): string {
  const kinds = depth > 0 ? 7 : 4;
  switch (random.int(kinds)) {
    case 0:
      return random.pick(['null', 'true', 'false']);
    case 1:
      return random.pick(numberSpellings);
    case 2:
    case 3:
      return jsonString(random, anyText(random));
    case 4:
      return jsonArray(
        random,
        Array.from({ length: random.int(4) }, () => json(random, depth - 1)),
      );
    default: {
      const names = Array.from({ length: random.int(4) }, () =>
        random.chance(0.5) ? filterName(random) : anyText(random),
      );
      return jsonObject(
        random,
        names.map((name) => [name, json(random, depth - 1)]),
      );
    }
  }
}

/** One of the spellings of a string. */
export function jsonString(random: SeededRandom, text: string): string {
  if (random.chance(0.7)) return JSON.stringify(text);
  const escaped = Array.from({ length: text.length }, (_, at) =>
    random.chance(0.5)
      ? `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`
      : JSON.stringify(text[at]).slice(1, -1),
  );
  return `"${escaped.join('')}"`;
}

const space: Word = (random) => (random.chance(0.9) ? '' : random.text(' \t\r\n', random.between(1, 4)));

export function jsonArray(random: SeededRandom, elements: readonly string[]): string {
  return `${space(random)}[${space(random)}${elements.join(`${space(random)},${space(random)}`)}]${space(random)}`;
}

export function jsonObject(random: SeededRandom, members: readonly (readonly [string, string])[]): string {
  const texts = members.map(
    ([name, value]) => `${jsonString(random, name)}${space(random)}:${space(random)}${value}`,
  );
  return `${space(random)}{${space(random)}${texts.join(`${space(random)},`)}}${space(random)}`;
}

/** A filter as a document: its parts right, mostly. */
export function filterJson(random: SeededRandom): string {
  const members = new Map<string, string>();
  for (let part = random.int(5); part > 0; part--) {
    const isGood = random.chance(0.6);
    const [name, first] = isGood ? goodPart(random) : [filterName(random), ''];
    const value = (): string => jsonString(random, isGood ? first : filterValue(random, name));
    const isNumber = name === 'maxMessageSizeBytes';
    const text =
      !isGood && random.chance(0.15)
        ? json(random, 3)
        : isNumber
          ? isGood
            ? first
            : random.pick(numberSpellings)
          : jsonArray(random, Array.from({ length: isGood ? 1 : random.int(4) }, value));
    members.set(random.chance(0.02) ? anyText(random) : name, text);
  }
  return jsonObject(random, [...members]);
}

/** A client's message: an `options_update`, or what is nearly one. */
export function clientMessage(random: SeededRandom): string {
  if (random.chance(0.1)) return json(random, 4);
  const type = random.chance(0.9)
    ? '"options_update"'
    : random.pick(['"Options_Update"', '"x"', 'null', '1', '[]', '""']);
  const payload = random.chance(0.95) ? filterJson(random) : json(random, 3);
  const names = random.chance(0.95)
    ? ['type', 'payload']
    : [random.pick(['TYPE', 'Type', 'typ']), random.pick(['PayLoad', 'pay'])];
  const members: [string, string][] = [
    [names[0], type],
    [names[1], payload],
  ];
  if (random.chance(0.2)) members.reverse();
  if (random.chance(0.1)) members.splice(random.int(3), 0, [anyText(random), json(random, 2)]);
  return jsonObject(random, members);
}
