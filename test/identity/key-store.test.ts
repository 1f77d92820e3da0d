import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KeyStore } from '../../lib/identity/key-store.ts';
import { openDatabase } from '../../lib/level/database.ts';
import { VerifyingKey } from '../../lib/verify/verifying-key.ts';

const keys = [
  'did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme',
  'did:key:zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb',
].map((text) => VerifyingKey.parse(text) as VerifyingKey);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipstream-keys-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('keys of both curves survive a restart', async () => {
  const store = await KeyStore.open(folder);
  for (const [index, key] of keys.entries())
    await store.put(`did:plc:${index}`, { key, readMs: 1_700_000_000_000 + index });
  await store.delete('did:plc:2');
  await store.close();
  const again = await KeyStore.open(folder);
  for (const [index, key] of keys.entries()) {
    const stored = await again.get(`did:plc:${index}`);
    expect(stored?.readMs).toBe(1_700_000_000_000 + index);
    expect([stored?.key.curve, stored?.key.point]).toEqual([key.curve, key.point]);
  }
  await again.delete('did:plc:0');
  expect(await again.get('did:plc:0')).toBeUndefined();
  expect(await again.get('did:plc:7')).toBeUndefined();
  await again.close();
});

test('one that another process has open is left alone', async () => {
  const store = await KeyStore.open(folder);
  await store.put('did:plc:0', { key: keys[0], readMs: 1 });
  await expect(KeyStore.open(folder)).rejects.toMatchObject({ code: 'LOG_LOCKED' });
  expect(await store.get('did:plc:0')).toBeDefined();
  await store.close();
});

test.each([/^MANIFEST/, /^CURRENT/, /\.ldb$/])('one whose %s is damaged is begun anew', async (name) => {
  const store = await KeyStore.open(folder);
  await store.put('did:plc:0', { key: keys[0], readMs: 1 });
  await store.close();
  const location = join(folder, 'keys');
  const db = await openDatabase(location, { writeBufferBytes: 65_536 });
  await db.compactRange(Buffer.from([0]), Buffer.from([0xff]));
  await db.close();
  await writeFile(join(location, 'of somebody else'), 'x');
  for (const found of (await readdir(location)).filter((one) => name.test(one)))
    await writeFile(join(location, found), 'not what it was');
  const again = await KeyStore.open(folder);
  expect(await again.get('did:plc:0')).toBeUndefined();
  await again.put('did:plc:0', { key: keys[1], readMs: 2 });
  expect((await again.get('did:plc:0'))?.key.curve).toBe('p256');
  await again.close();
  expect(await readdir(location)).toContain('of somebody else');
});
