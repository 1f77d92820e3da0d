import { expect, test } from 'vitest';
import { type KeyChange, keyChangesOf, keysAt } from '../../lib/identity/audit-log.ts';

const names = {
  one: 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
  two: 'did:key:zQ3shtxV1FrJfhqE1dvxYRcCknWNjHc3c5X1y3ZSoPDi2aur2',
  three: 'did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb',
};
const minuteMs = 60_000;
const startMs = Date.UTC(2026, 0, 1);
const at = (minutes: number) => new Date(startMs + minutes * minuteMs).toISOString();
const entry = (minutes: number, key: string | undefined, more: object = {}) => ({
  createdAt: at(minutes),
  nullified: false,
  operation: { type: 'plc_operation', verificationMethods: { ...(key ? { atproto: key } : {}) } },
  ...more,
});

/** Which of the keys are good at a time. */
function goodAt(log: unknown, minutes: number): string[] {
  const changes = keyChangesOf(log) as readonly KeyChange[];
  const all = Object.keys(names) as (keyof typeof names)[];
  return keysAt(changes, startMs + minutes * minuteMs).map(
    (key) =>
      all.find((name) => keyChangesOf([entry(0, names[name])])?.[0].key?.point.join() === key.point.join()) ??
      '?',
  );
}

test('the key of a time, and those that came later', () => {
  const log = [entry(0, names.one), entry(100, names.two), entry(200, names.three)];
  // With a later one it was signed by a clock that is behind.
  expect(goodAt(log, -10)).toEqual(['one', 'two', 'three']);
  expect(goodAt(log, 50)).toEqual(['one', 'two', 'three']);
  expect(goodAt(log, 104)).toEqual(['two', 'one', 'three']);
  expect(goodAt(log, 106)).toEqual(['two', 'three']);
  expect(goodAt(log, 1e6)).toEqual(['three']);
});

test('of many keys those nearest in time are tried, and the newest', () => {
  const log = Array.from({ length: 40 }, (_, at) => entry(at, at % 2 === 0 ? names.one : names.two));
  const changes = keyChangesOf([...log, entry(1e6, names.three)]) as readonly KeyChange[];
  const keys = keysAt(changes, startMs + 20.5 * minuteMs);
  expect(keys).toHaveLength(16);
  expect(keys[0]).toBe(changes[20].key);
  expect(new Set(keys.slice(1, 3))).toEqual(new Set([changes[19].key, changes[21].key]));
  expect(keys.at(-1)).toBe(changes.at(-1)?.key);
});

test('operations that leave the key as it is are none', () => {
  expect(keyChangesOf([entry(0, names.one), entry(5, names.one), entry(9, names.two)])).toHaveLength(2);
});

test('what was undone never was, and a tombstone ends it', () => {
  const log = [entry(0, names.one), entry(100, names.two, { nullified: true }), entry(200, undefined)];
  expect(goodAt(log, 150)).toEqual(['one']);
  expect(goodAt(log, 204)).toEqual(['one']);
  expect(goodAt(log, 206)).toEqual([]);
});

test('the first kind of operation', () => {
  const log = [{ createdAt: at(0), nullified: false, operation: { type: 'create', signingKey: names.one } }];
  expect(goodAt(log, 10)).toEqual(['one']);
});

test.each([[undefined], [{}], [[]], [[null]], [[{ ...entry(0, names.one), createdAt: 'soon' }]]])(
  '%j is no log',
  (log) => {
    expect(keyChangesOf(log)).toBeUndefined();
  },
);

test('a key that is none is none', () => {
  expect(goodAt([entry(0, names.one), entry(100, 'did:key:none')], 150)).toEqual([]);
});
