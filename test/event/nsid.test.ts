// The syntax of NSIDs against a regular expression that says the same, and against names that matter.

import { describe, expect, it } from 'vitest';
import { isNsid } from '../../lib/event/nsid.ts';
import { seededRandom } from '../support/events.ts';

const pattern =
  /^[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+(\.[a-zA-Z]([a-zA-Z0-9]{0,62})?)$/;

describe('isNsid', () => {
  it.each([
    'app.bsky.feed.post',
    'a.b.c',
    'A.B.C',
    'a-b.c-d.e',
    'a.1.c',
    'a.0-0.cD9',
    `a.b.${'c'.repeat(63)}`,
  ])('accepts %s', (text) => expect(isNsid(text)).toBe(true));

  it.each([
    '',
    '*',
    'a',
    'a.b',
    'a.b.',
    '.a.b.c',
    'a..b.c',
    '1.b.c',
    'a.b.1c',
    'a.b.c-d',
    'a-.b.c',
    'a.-b.c',
    'a.b.c_d',
    'a.b.c ',
    'a.b.\u00e9',
    `a.b.${'c'.repeat(64)}`,
    `${'a'.repeat(64)}.b.c`,
  ])('refuses %j', (text) => expect(isNsid(text)).toBe(false));

  it('knows the longest one', () => {
    const long = `${`${'a'.repeat(62)}.`.repeat(5)}cd`;
    expect(long).toHaveLength(317);
    expect(isNsid(long)).toBe(true);
    expect(isNsid(`${long}e`)).toBe(false);
  });

  it('agrees with the pattern on random text', () => {
    const seed = 20_260_701;
    const random = seededRandom(seed);
    const letters = 'aabZ0-...';
    let accepted = 0;
    for (let round = 0; round < 50_000; round++) {
      const length = 1 + Math.floor(random() * 12);
      let text = '';
      for (let at = 0; at < length; at++) text += letters[Math.floor(random() * letters.length)];
      if (isNsid(text)) accepted++;
      if (isNsid(text) !== pattern.test(text)) expect.fail(`seed ${seed}, round ${round}: ${text}`);
    }
    expect(accepted).toBeGreaterThan(500);
  });
});
