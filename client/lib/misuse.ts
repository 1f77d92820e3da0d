// How the client says that a name is none, and what a value is that should be another: the name that is meant, and the value itself.
// Pure; who finds it makes the error.

import { nearName } from '../../lib/near-name.ts';

/** Characters of a value that are shown. */
const shownCharsMax = 100;

/** Names that other clients have for what is meant here, where no letters tell. */
const otherNames: Readonly<Record<string, string>> = {
  endpoint: 'url',
  host: 'url',
  service: 'url',
  since: 'cursor',
  protocol: 'wire',
  version: 'wire',
};

/** What is said of a name that is none. @param what there is of that kind, such as `an option`. @param meant the name of `known` that is. */
export function unknownName(
  name: string,
  value: unknown,
  what: string,
  known: readonly string[],
  meant: string | undefined = meantOf(name, known),
): string {
  const right = meant === undefined ? `give one of ${known.join(', ')}` : `did you mean ${meant}?`;
  return `${shownName(name)} (${shownValue(value)}) is not ${what}: ${right}`;
}

function meantOf(name: string, known: readonly string[]): string | undefined {
  const other = otherNames[name];
  return other !== undefined && known.includes(other) ? other : nearName(name, known);
}

/** A value as it is written, cut to a length that can be read. */
export function shownValue(value: unknown): string {
  return cut(textOf(value));
}

function shownName(name: string): string {
  return cut(/^[\w.]+$/.test(name) ? name : JSON.stringify(name));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, shownCharsMax));
  if (typeof value === 'function') return 'a function';
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return `${value.constructor.name} of ${value.byteLength} bytes`;
  try {
    // Symbols and big integers are none of JSON's.
    return (typeof value === 'object' ? JSON.stringify(value) : undefined) ?? String(value);
  } catch {
    return 'an object';
  }
}

function cut(text: string): string {
  return text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`;
}
