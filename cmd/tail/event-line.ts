// One event as one line, for a person or for a program. Everything in it was written by strangers: nothing that a
// terminal would act on gets through. Pure.

import type { StreamEvent } from '../../client/lib/subscribe.ts';
import { printable } from '../../lib/text.ts';
import { startOfJson } from './json-start.ts';

/** Puts a colour around a text, or does not. */
export type Paint = (style: Style, text: string) => string;
export type Style = 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const codes: Record<Style, number> = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };
const operationStyles: Record<'create' | 'update' | 'delete', Style> = {
  create: 'green',
  update: 'yellow',
  delete: 'red',
};

/** For terminals with colours. */
export const inColour: Paint = (style, text) => `\x1b[${codes[style]}m${text}\x1b[0m`;
/** For those without, and files. */
export const plain: Paint = (_, text) => text;

/** Columns of an operation and of a collection in short, so that most lines are aligned; one name takes both. */
const operationColumns = 6;
const collectionColumns = 12;
const whatColumns = operationColumns + 1 + collectionColumns;
/** A collection's name may take so much of the line, and so many columns of a short one. */
const nameShareMax = 0.2;
const nameColumnsMin = 16;
/** Names of a collection begin so more often than not. */
const usualPrefix = 'app.bsky.';
/** Characters of a name that are shown; longer ones are legal and rare. */
const nameCharsMax = 80;
/** Characters of a record that has no text, as JSON. */
const recordCharsMax = 2_000;
/** From here on a time has its milliseconds, unless it is now. */
const wideColumns = 120;
/** Where that leaves the text fewer columns, the account has fewer. */
const textColumnsMin = 40;
const shortDidChars = 14;
/** Columns of what a record points at in short, as most are: an arrow, a DID, a record key. */
const shortTargetColumns = 2 + shortDidChars + 14;
/** Columns of a line where there is no terminal to say. */
export const defaultColumns = 200;

/**
 * Time, what happened, collection, account, the start of what the record says and what it points at; at most `columns`
 * wide, from 45 on. Text and target come first: the account is whole, and has the record key, where there is room left, as in
 * a deletion. `isLive`: it is of now, and needs no date. `paint` does not count.
 */
export function prettyLine(event: StreamEvent, columns: number, paint: Paint, isLive: boolean): string {
  const { style, word, collection, rkey, text, target } = partsOf(event);
  const time = timeOf(event.time_us, isLive, columns);
  const name = collectionText(collection, columns);
  const what = (name === '' ? word : `${word.padEnd(operationColumns)} ${name}`).length;
  const padding = ' '.repeat(Math.max(0, whatColumns - what));
  const left = columns - time.length - 1 - what - padding.length - 1;
  const account = accountText(event.did, rkey, left - wishedColumns(text, target));
  const end = endOf(text, target, left - account.length - 1);
  const painted =
    name === ''
      ? paint(style, word)
      : `${paint(style, word.padEnd(operationColumns))} ${paint('cyan', name)}`;
  return `${paint('dim', time)} ${painted}${padding} ${paint('dim', account)} ${end}`.trimEnd();
}

/** Without the prefix that says nothing; of a name that is long, the end says most. */
function collectionText(collection: string, columns: number): string {
  const name = shown(collection.startsWith(usualPrefix) ? collection.slice(usualPrefix.length) : collection);
  const charsMax = Math.max(nameColumnsMin, Math.floor(columns * nameShareMax));
  return name.length <= charsMax ? name : `~${name.slice(1 - charsMax)}`;
}

/** What a text and a target want of a line, with the space before them. */
function wishedColumns(text: string, target: string): number {
  if (text + target === '') return 0;
  if (text === '') return shortTargetColumns + 1;
  return textColumnsMin + 1 + (target === '' ? 0 : shortTargetColumns + 1);
}

/** The account with the record key, the account, or the beginning of it: what there is room for. */
function accountText(did: string, rkey: string, columns: number): string {
  const whole = shown(did);
  const forms = [rkey === '' ? whole : `${whole}/${shown(rkey)}`, whole];
  return forms.find((form) => form.length <= columns) ?? shown(did, shortDidChars);
}

/** What a record says; then what it points at, if there is room for both. */
function endOf(text: string, target: string, columns: number): string {
  if (target === '') return cutTo(text, columns);
  if (text === '') return cutTo(arrowTo(target, columns), columns);
  const arrowColumns = columns - textColumnsMin - 1;
  const arrow = arrowTo(target, arrowColumns);
  if (arrow.length > arrowColumns) return cutTo(text, columns);
  return `${cutTo(text, columns - arrow.length - 1)} ${arrow}`;
}

/** The account or record, in short if there are fewer columns: `→ did:plc:abcdefghi~/3k…`. */
function arrowTo(target: string, columns: number): string {
  const whole = `→ ${shown(target)}`;
  if (whole.length <= columns) return whole;
  const [, did, path] = /^(?:at:\/\/)?([^/]*)(.*)$/s.exec(target) as RegExpExecArray;
  return `→ ${shown(did, shortDidChars)}${shown(path.slice(path.lastIndexOf('/')))}`;
}

interface Parts {
  readonly style: Style;
  readonly word: string;
  readonly collection: string;
  readonly rkey: string;
  readonly text: string;
  /** DID or at-uri. */
  readonly target: string;
}

function partsOf(event: StreamEvent): Parts {
  if (event.kind === 'commit') {
    const { commit } = event;
    const { operation, collection, rkey } = commit;
    const says = commit.operation === 'delete' ? { text: '', target: '' } : contentOf(commit.record);
    return { style: operationStyles[operation], word: operation, collection, rkey, ...says };
  }
  const nameless = { style: 'cyan', word: event.kind, collection: '', rkey: '', target: '' } as const;
  if (event.kind === 'identity') return { ...nameless, text: event.identity.handle ?? '' };
  if (event.kind === 'sync') return { ...nameless, text: event.sync.rev };
  const { active, status = 'inactive' } = event.account;
  return { ...nameless, text: active ? 'active' : status };
}

/** The text as it was sent, on one line. `forTerminal`: what a terminal would act on is escaped, as JSON allows. */
export function jsonLine(text: string, forTerminal: boolean): string {
  // Line breaks between tokens are JSON; within strings they cannot be.
  const line = text.replace(/[\r\n\t]/g, ' ');
  return forTerminal ? line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped) : line;
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/** `00:27:24` of now, else `11-25 00:27:24` or `11-25 00:27:24.997`, in UTC. */
function timeOf(timeUs: number, isLive: boolean, columns: number): string {
  const ms = Math.floor(timeUs / 1000);
  const text = (ms <= 8.64e15 ? new Date(ms).toISOString() : '').replace('T', ' ');
  return isLive ? text.slice(11, 19) : text.slice(5, columns < wideColumns ? 19 : 23);
}

/** Where records have what is worth reading, and what they are about: a like, a follow, a reply, a quote. */
const textPaths = [['text'], ['displayName'], ['name'], ['title'], ['description'], ['subject']];
const targetPaths = [
  ['subject'],
  ['subject', 'uri'],
  ['reply', 'parent', 'uri'],
  ['embed', 'record', 'uri'],
  ['embed', 'record', 'record', 'uri'],
];

function contentOf(record: unknown): Pick<Parts, 'text' | 'target'> {
  const target = textsAt(record, targetPaths).find((text) => /^(did:|at:\/\/)/.test(text)) ?? '';
  const text = textsAt(record, textPaths).find((text) => text !== target) ?? '';
  return { text: text + target === '' ? startOfJson(record, recordCharsMax) : text, target };
}

/** The texts at those paths that are there and not empty. */
function textsAt(record: unknown, paths: readonly (readonly string[])[]): string[] {
  const values = paths.map((path) =>
    path.reduce(
      (value: unknown, name) => (value as Record<string, unknown> | null | undefined)?.[name],
      record,
    ),
  );
  return values.filter((value) => typeof value === 'string' && value !== '') as string[];
}

/** Characters that take two columns, as far as it matters here. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Text on one line, cut to columns. */
function cutTo(text: string, columns: number): string {
  if (columns <= 0) return '';
  // Joiners within emoji do no harm; without them there are more emoji, and no "?".
  const head = text.slice(0, 4 * columns).replace(/\u200d/g, '');
  const line = shown(head, head.length);
  let used = 0;
  /** Where the text ends if it does not fit: a column is left for the mark. */
  let end = 0;
  for (const character of line) {
    used += wide.test(character) ? 2 : 1;
    if (used > columns) return `${line.slice(0, end)}…`;
    if (used < columns) end += character.length;
  }
  return line;
}

/** Text on one line, without what a terminal would act on. Of a long one only the beginning is looked at. */
function shown(text: string, charsMax: number = nameCharsMax): string {
  return printable(text.slice(0, 4 * charsMax).replace(/\s+/g, ' '), charsMax);
}
