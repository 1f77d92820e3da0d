// What the readers of lib/wire should find, by plain and slow means that share nothing with them: regular expressions, BigInt,
// JSON.parse, URLSearchParams' rules spelled out. For comparison.

import { eventKinds, operations as eventOperations } from '../../lib/event/event.ts';
import type { Filter } from '../../lib/event/filter.ts';

/** A filter as text that can be compared; undefined where there is none. */
export type PlainFilter = Readonly<Record<string, readonly string[] | number>>;

const didPattern = /^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$/;
const nsidPattern =
  /^[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+\.[a-zA-Z]([a-zA-Z0-9]{0,62})?$/;
const recordPattern = /^[a-zA-Z0-9_:.~-]{1,317}\/[a-zA-Z0-9_:.~-]{1,512}$/;

export function isPlainDid(text: string): boolean {
  return text.length <= 2048 && didPattern.test(text);
}

export function isPlainNsid(text: string): boolean {
  return text.length <= 317 && nsidPattern.test(text);
}

export function isPlainSubject(text: string): boolean {
  const [, did, path] = /^at:\/\/([^/]*)\/(.*)$/s.exec(text) ?? [];
  return did === undefined ? isPlainDid(text) : isPlainDid(did) && recordPattern.test(path);
}

export function isPlainInt64(text: string): boolean {
  if (!/^[+-]?[0-9]+$/.test(text)) return false;
  const digits = text.replace(/^[+-]/, '');
  const value = text.startsWith('-') ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value;
}

export function plainLimit(text: string): number {
  const value = isPlainInt64(text) ? BigInt(text.replace(/^\+/, '')) : 0n;
  return value > 0n && value < 2n ** 32n ? Number(value) : 0;
}

/** Pairs of a query. */
export function plainPairs(query: string): [string, string][] {
  const decode = (text: string): string | undefined => {
    if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
    const bytes = text
      .replaceAll('+', ' ')
      .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString();
  };
  return query.split('&').flatMap((part): [string, string][] => {
    if (part === '' || part.includes(';')) return [];
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    const value = decode(equals < 0 ? '' : part.slice(equals + 1));
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
}

/** JSON with all its names, also those that are there twice; numbers as they are spelled. */
export type PlainJson =
  | { readonly kind: 'object'; readonly pairs: readonly (readonly [string, PlainJson])[] }
  | { readonly kind: 'array'; readonly elements: readonly PlainJson[] }
  | { readonly kind: 'string' | 'number'; readonly text: string }
  | { readonly kind: 'bool' | 'null' };

/** Reads JSON; undefined when it is none. */
export function plainJson(text: string): PlainJson | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)].map(([token]) => token);
  let at = 0;
  const value = (): PlainJson => {
    const token = tokens[at++];
    if (token === '{') {
      const pairs: [string, PlainJson][] = [];
      for (; tokens[at] !== '}'; at += tokens[at] === ',' ? 1 : 0) {
        const name = JSON.parse(tokens[at]) as string;
        at += 2;
        pairs.push([name, value()]);
      }
      at++;
      return { kind: 'object', pairs };
    }
    if (token === '[') {
      const elements: PlainJson[] = [];
      for (; tokens[at] !== ']'; at += tokens[at] === ',' ? 1 : 0) elements.push(value());
      at++;
      return { kind: 'array', elements };
    }
    if (token.startsWith('"')) return { kind: 'string', text: JSON.parse(token) as string };
    if (token === 'null') return { kind: 'null' };
    return token === 'true' || token === 'false' ? { kind: 'bool' } : { kind: 'number', text: token };
  };
  return value();
}

const arrays = [
  'wantedCollections',
  'wantedDids',
  'wantedKinds',
  'wantedOperations',
  'wantedSubjects',
] as const;
const limit = 'maxMessageSizeBytes';
const kinds = ['commit', 'identity', 'account'];
/** Those that can be asked for over plain HTTP. */
export const textKinds = [...kinds, 'sync'];
const operations = ['create', 'update', 'delete'];

/** What is wanted, as it came. */
export type PlainWanted = Record<string, readonly string[]>;

/** The filter of values; undefined when one is wrong. */
export function plainFilter(
  wanted: PlainWanted,
  limitText: string,
  most: number,
  known: readonly string[] = kinds,
): PlainFilter | undefined {
  const of = (name: string): readonly string[] => wanted[name] ?? [];
  const collections = of('wantedCollections');
  const exact = collections.filter((name) => !name.endsWith('.*'));
  const prefixes = collections.filter((name) => name.endsWith('.*'));
  const each = (name: string): string[] => [...new Set(of(name))].sort();
  const isRight =
    exact.every(isPlainNsid) &&
    of('wantedDids').every(isPlainDid) &&
    of('wantedSubjects').every(isPlainSubject) &&
    of('wantedKinds').every((word) => known.includes(word)) &&
    of('wantedOperations').every((word) => operations.includes(word)) &&
    new Set(exact).size + prefixes.length <= 100 &&
    each('wantedDids').length <= most &&
    each('wantedSubjects').length <= most;
  if (!isRight) return undefined;
  return {
    collections: [...new Set(exact)].sort(),
    prefixes: [...new Set(prefixes.map((name) => (name.length > 317 ? '\0.' : name.slice(0, -1))))].sort(),
    dids: each('wantedDids'),
    subjects: each('wantedSubjects'),
    kinds: each('wantedKinds'),
    operations: each('wantedOperations'),
    maxMessageSizeBytes: plainLimit(limitText),
  };
}

/** A filter of lib/event/filter.ts in the same form. */
export function asPlain({
  collections,
  prefixes,
  dids,
  subjects,
  kinds: kindBits,
  operations: operationBits,
  maxMessageSizeBytes,
}: Filter): PlainFilter {
  const words = (
    bits: number,
    names: readonly string[],
    numbers: Readonly<Record<string, number>>,
  ): string[] => names.filter((name) => (bits & (1 << numbers[name])) !== 0).sort();
  return {
    collections: [...collections].sort(),
    prefixes: [...prefixes].sort(),
    dids: [...dids].sort(),
    subjects: [...subjects].sort(),
    kinds: words(kindBits, textKinds, eventKinds),
    operations: words(operationBits, operations, eventOperations),
    maxMessageSizeBytes,
  };
}

/** What a client's message means: a filter, nothing, or an end. */
export function plainMessage(text: string, currentLimitBytes: number): PlainFilter | 'ignored' | 'failure' {
  const message = plainJson(text);
  if (message === undefined) return 'failure';
  if (message.kind === 'null') return 'ignored';
  if (message.kind !== 'object') return 'failure';
  let type = '';
  let payload: PlainJson | undefined;
  for (const [name, value] of message.pairs) {
    if (/^payload$/iu.test(name)) payload = value;
    if (!/^type$/iu.test(name) || value.kind === 'null') continue;
    if (value.kind !== 'string') return 'failure';
    type = value.text;
  }
  if (type !== 'options_update') return 'ignored';
  if (payload === undefined) return 'failure';
  if (payload.kind === 'null') payload = { kind: 'object', pairs: [] };
  return payload.kind === 'object' ? plainUpdate(payload.pairs, currentLimitBytes) : 'failure';
}

function plainUpdate(
  pairs: readonly (readonly [string, PlainJson])[],
  currentLimitBytes: number,
): PlainFilter | 'failure' {
  const wanted: PlainWanted = {};
  let limitText = String(currentLimitBytes);
  for (const [name, value] of pairs) {
    const array = arrays.find((known) => new RegExp(`^${known}$`, 'iu').test(name));
    if (array !== undefined) {
      const strings = stringsOf(value, true);
      if (strings === undefined) return 'failure';
      wanted[array] = strings;
    } else if (new RegExp(`^${limit}$`, 'iu').test(name) && value.kind !== 'null') {
      if (value.kind !== 'number' || !isPlainInt64(value.text)) return 'failure';
      limitText = value.text;
    }
  }
  return plainFilter(wanted, limitText, 100_000) ?? 'failure';
}

function stringsOf(value: PlainJson, isLenient: boolean): readonly string[] | undefined {
  if (value.kind === 'null' && isLenient) return [];
  if (value.kind !== 'array') return undefined;
  const strings = value.elements.map((element) =>
    element.kind === 'string' ? element.text : element.kind === 'null' && isLenient ? '' : undefined,
  );
  return strings.includes(undefined) ? undefined : (strings as string[]);
}

/** The filter of a posted document; undefined when it is none. */
export function plainDocument(text: string): PlainFilter | undefined {
  const document = plainJson(text);
  if (document?.kind !== 'object') return undefined;
  const wanted: PlainWanted = {};
  let limitText = '0';
  const names = document.pairs.map(([name]) => name);
  if (new Set(names).size < names.length) return undefined;
  for (const [name, value] of document.pairs) {
    if (name === limit) {
      if (value.kind !== 'number' || !isPlainInt64(value.text) || value.text.startsWith('-'))
        return undefined;
      limitText = value.text;
      continue;
    }
    const strings = stringsOf(value, false);
    if (!(arrays as readonly string[]).includes(name) || strings === undefined || strings.length === 0)
      return undefined;
    wanted[name] = strings;
  }
  return plainFilter(wanted, limitText, 100_000, textKinds);
}
