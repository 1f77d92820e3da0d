// Records made by @ipld/dag-cbor's encoder, against what the wire's rules say of the values they were made from.

import { decode, encode } from '@ipld/dag-cbor';
import { expect, test } from 'vitest';
import { SeededRandom } from '../../lib/seeded-random.ts';
import { link } from './raw-cbor.ts';
import { cidOf } from './raw-frames.ts';
import { recordJson } from './recorder.ts';

const records = 3000;
const seed = 20260703;

interface Link {
  toString(): string;
}
type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Value[]
  | { [key: string]: Value }
  | Link;

const letters = [
  ...'abcz AZ09!"#$%&\'<=>[\\]~\u0000\u0007\b\f\n\r\t\u001f\u007f\u2028\u2029éßਊ日本🚀\ufffd\uffff',
];
const plainKeys = [
  '$type',
  'text',
  'createdAt',
  'langs',
  'reply',
  'root',
  'uri',
  'a',
  'ab',
  'abcde',
  'abcdf',
  'Z',
];

class Generator {
  readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(String(seed), 'decode');
  }

  text(): string {
    return Array.from({ length: this.random.int(12) }, () => this.random.pick(letters)).join('');
  }

  integer(): number | bigint {
    const { random } = this;
    const edge = random.pick([0n, 23n, 24n, 255n, 256n, 65_536n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n]);
    const value = (edge + BigInt(random.int(5)) - 2n) * (random.chance(0.5) ? 1n : -1n);
    const clamped = value > 2n ** 63n - 1n ? 2n ** 63n - 1n : value < -(2n ** 63n) ? -(2n ** 63n) : value;
    return Number.isSafeInteger(Number(clamped)) ? Number(clamped) : clamped;
  }

  value(depth: number): Value {
    const { random } = this;
    switch (random.int(depth > 4 ? 7 : 10)) {
      case 0:
      case 1:
        return this.text();
      case 2:
      case 3:
        return this.integer();
      case 4:
        return random.pick([null, true, false]);
      case 5:
        return new Uint8Array(random.bytes(random.int(9)));
      case 6:
        return decode(link(cidOf(random.bytes(4), random.pick([0x71, 0x55])))) as Link;
      case 7:
        return Array.from({ length: random.int(5) }, () => this.value(depth + 1));
      default:
        return this.object(depth + 1);
    }
  }

  object(depth: number): { [key: string]: Value } {
    const { random } = this;
    const object: { [key: string]: Value } = {};
    const count = random.chance(0.05) ? 40 : random.int(7);
    for (let index = 0; index < count; index++) {
      const key = random.chance(0.5) ? random.pick(plainKeys) : this.text();
      object[key] = key === '$type' ? 'com.example.record' : this.value(depth);
    }
    return object;
  }
}

/** JSON.stringify's text, with the escapes that it writes otherwise. */
function stringJson(value: string): string {
  return JSON.stringify(value).replace(/\\.|[<>&\u2028\u2029]/g, (found) => {
    if (found.length > 1 && found !== '\\b' && found !== '\\f') return found;
    const unit = { '\\b': 8, '\\f': 12 }[found] ?? found.charCodeAt(0);
    return `\\u${unit.toString(16).padStart(4, '0')}`;
  });
}

/** The wire's text for a value. */
function wireJson(value: Value): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return stringJson(value);
  if (value instanceof Uint8Array)
    return `{"$bytes":"${Buffer.from(value).toString('base64').replaceAll('=', '')}"}`;
  if (Array.isArray(value)) return `[${value.map(wireJson).join()}]`;
  if (Object.getPrototypeOf(value) !== Object.prototype) return `{"$link":"${value.toString()}"}`;
  const members = Object.entries(value).map(
    ([key, item]) => [Buffer.from(stringJson(key)), wireJson(item)] as const,
  );
  members.sort(([left], [right]) => Buffer.compare(left, right));
  return `{${members.map(([key, item]) => `${key}:${item}`).join()}}`;
}

test(`${records} records become the JSON of their values`, () => {
  for (let index = 0; index < records; index++) {
    const value = new Generator(seed + index).object(0);
    const json = recordJson(encode(value));
    const wanted = wireJson(value);
    if (json !== wanted) expect(json, `seed ${seed + index}`).toBe(wanted);
    JSON.parse(json);
  }
});
