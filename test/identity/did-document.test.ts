import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { signingKeyOf } from '../../lib/identity/did-document.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';
import { didDocumentsPath, hasShared, sharedNote } from '../support/shared.ts';

const did = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa';
const text = 'zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme';
const point = VerifyingKey.parse(text)?.point;
const method = { id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase: text };
const document = (...methods: readonly unknown[]) => ({ id: did, verificationMethod: methods });
const pointOf = (value: unknown) => {
  const key = signingKeyOf(value, did);
  return typeof key === 'string' ? key : key.point;
};

test('the key for commits, among others', () => {
  const other = {
    ...method,
    id: `${did}#atproto_label`,
    publicKeyMultibase: 'zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb',
  };
  expect(pointOf(document(method))).toEqual(point);
  expect(pointOf(document(other, { ...method, id: '#atproto' }, other))).toEqual(point);
  // One that is no key is passed over.
  expect(pointOf(document({ ...method, publicKeyMultibase: 'z' }, null, 7, method))).toEqual(point);
});

test('suites of 2019', () => {
  // From the vectors of the protocol: both texts are the same key.
  const multikey = VerifyingKey.parse('did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc');
  const old = {
    ...method,
    type: 'EcdsaSecp256k1VerificationKey2019',
    publicKeyMultibase: 'z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t',
  };
  expect(pointOf(document(old))).toEqual(multikey?.point);
  expect(pointOf(document({ ...old, type: 'EcdsaSecp256r1VerificationKey2019' }))).toBe('no_key');
});

test.each([
  ['no method', document()],
  ['methods that are none', { id: did, verificationMethod: 'key' }],
  ['no methods at all', { id: did }],
  ['a method of somebody else', document({ ...method, controller: 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb' })],
  ['a method for something else', document({ ...method, id: `${did}#atproto_label` })],
  ['a method of another document', document({ ...method, id: 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb#atproto' })],
  ['an unknown suite', document({ ...method, type: 'constructor' })],
  [
    'a key of another kind',
    document({ ...method, publicKeyMultibase: 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK' }),
  ],
])('%s is no key', (_name, value) => {
  expect(signingKeyOf(value, did)).toBe('no_key');
});

test.each([[null], ['text'], [{}], [[]], [{ ...document(method), id: 'did:web:else.test' }]])(
  '%j is not the document',
  (value) => {
    expect(signingKeyOf(value, did)).toBe('wrong_did');
  },
);

test.skipIf(!hasShared)(`real documents${sharedNote}`, () => {
  const documents: Record<string, unknown> = JSON.parse(readFileSync(didDocumentsPath, 'utf8'));
  for (const [name, value] of Object.entries(documents))
    expect(signingKeyOf(value, name), name).toBeInstanceOf(VerifyingKey);
});
