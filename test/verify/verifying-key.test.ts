import { expect, test } from 'vitest';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';

const good = 'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme';

test('a key is read with its prefix and without', () => {
  const key = VerifyingKey.parse(good);
  expect(key?.curve).toBe('secp256k1');
  expect(VerifyingKey.parse(good.slice('did:key:'.length))?.point).toEqual(key?.point);
});

test('a point is a key in both of its forms', () => {
  const { point, curve, ...key } = VerifyingKey.parse(good) as VerifyingKey;
  expect(key).toBeDefined();
  const long = (VerifyingKey.ofPoint(curve, point) as VerifyingKey).uncompressed();
  expect(VerifyingKey.ofPoint(curve, long)?.point).toEqual(point);
});

test.each([
  ['nothing', ''],
  ['another method', 'did:plc:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme'],
  ['another base', good.replace('z', 'f')],
  ['a letter that base58 has not', good.replace('okF', 'o0F')],
  ['a letter beyond ASCII', good.replace('okF', 'oéF')],
  ['a letter less', good.slice(0, -1)],
  ['another kind of key', 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'],
  ['text without end', `z${'1'.repeat(100_000)}`],
])('%s is no key', (_name, text) => {
  expect(VerifyingKey.parse(text)).toBeUndefined();
});

test.each([
  ['not on the curve', Buffer.concat([Buffer.from([2]), Buffer.alloc(32, 0xff)])],
  ['of another length', Buffer.alloc(34, 2)],
  ['the point at infinity', Buffer.alloc(33)],
  ['in the hybrid form', Buffer.concat([Buffer.from([6]), Buffer.alloc(64, 1)])],
])('a point %s is no key', (_name, point) => {
  for (const curve of ['p256', 'secp256k1'] as const)
    expect(VerifyingKey.ofPoint(curve, point)).toBeUndefined();
});

test('a multikey is compressed, a bare point has no code', () => {
  const key = VerifyingKey.parse(good) as VerifyingKey;
  expect(VerifyingKey.parseBarePoint('secp256k1', good.slice('did:key:'.length))).toBeUndefined();
  expect(VerifyingKey.parse('z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t')).toBeUndefined();
  expect(key.uncompressed()[0]).toBe(4);
});
