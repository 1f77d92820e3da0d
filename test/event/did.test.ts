// The syntax of DIDs against a regular expression that says the same, and against values that matter.

import { describe, expect, it } from 'vitest';
import { isDid } from '../../lib/event/did.ts';
import { seededRandom } from '../support/events.ts';

const pattern = /^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$/;

describe('isDid', () => {
  it.each([
    'did:plc:abcdefghijklmnopqrstuvwx',
    'did:plc:0123456789ABCDEFGHIJKLMN',
    'did:web:example.com',
    'did:web:a:b:c',
    'did:web:a_b-c.d%20e',
    'did:web:-',
    'did:web:::a',
  ])('accepts %s', (text) => expect(isDid(text)).toBe(true));

  it.each([
    '',
    'did',
    'did:',
    'did:plc',
    'did:plc:',
    'did::a',
    'did:PLC:a',
    'did:p1c:a',
    'DID:plc:a',
    ' did:plc:a',
    'did:plc:a:',
    'did:plc:a%',
    'did:plc:a/b',
    'did:plc:a b',
    'did:plc:\u00e9',
    'did:web:a,did:web:b',
  ])('refuses %j', (text) => expect(isDid(text)).toBe(false));

  it('knows the longest one', () => {
    expect(isDid(`did:plc:${'a'.repeat(2040)}`)).toBe(true);
    expect(isDid(`did:plc:${'a'.repeat(2041)}`)).toBe(false);
  });

  it('agrees with the pattern on random text', () => {
    const seed = 20_260_702;
    const random = seededRandom(seed);
    const letters = ['a', 'Z', '0', ':', '%', '.', '_', '-', '/', ' '];
    let accepted = 0;
    for (let round = 0; round < 50_000; round++) {
      let text = random() < 0.9 ? 'did:a' : 'did:';
      for (let at = Math.floor(random() * 8); at > 0; at--)
        text += letters[Math.floor(random() * letters.length)];
      if (isDid(text)) accepted++;
      if (isDid(text) !== pattern.test(text)) expect.fail(`seed ${seed}, round ${round}: ${text}`);
    }
    expect(accepted).toBeGreaterThan(500);
  });
});
