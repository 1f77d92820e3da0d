// Spellings of `maxMessageSizeBytes`.

import { expect, it } from 'vitest';
import { messageSizeLimit } from '../../lib/wire/wanted-filter.ts';

it.each([
  ['1000', 1000],
  ['+1000', 1000],
  ['0001', 1],
  ['4294967295', 4_294_967_295],
])('%s is %d', (text, limit) => expect(messageSizeLimit(text)).toBe(limit));

it.each([
  '',
  '0',
  '-0',
  '-5',
  'x',
  '1.0',
  '1e3',
  '1_000',
  ' 5',
  '5 ',
  // The v1 server kept the low 32 bits of these, which made limits nobody had asked for.
  '4294967296',
  '99999999999',
  '9223372036854775807',
  '99999999999999999999',
])('%j is no limit', (text) => expect(messageSizeLimit(text)).toBe(0));
