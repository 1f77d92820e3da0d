// NATS servers behind TLS, with users, with credentials of an operator, without room: who gets in, what a serving node needs, and the line
// that says what is wrong.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { NatsEngine } from '../../lib/cluster/nats-engine.ts';
import type { ClusterSettings } from '../../lib/cluster/stream-layout.ts';
import { setUpStream } from '../../lib/cluster/stream-setup.ts';
import { natsServer } from './nats-binary.ts';
import { NatsCluster } from './nats-cluster.ts';

const binary = natsServer();
// The client's own package for keys.
const client = createRequire(createRequire(import.meta.url).resolve('@nats-io/transport-node'));
const nkeys = client('@nats-io/nkeys') as {
  createOperator(): KeyPair;
  createAccount(): KeyPair;
  createUser(): KeyPair;
};

interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(input: Uint8Array): Uint8Array;
}

let dir: string;
let nats: NatsCluster | undefined;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'slipstream-secured-'));
  if (binary === undefined) return;
  for (const [ca, name] of [
    ['ca', 'localhost'],
    ['other-ca', '127.0.0.1'],
  ]) {
    openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ${ca}.key -out ${ca}.pem -subj /CN=${ca}`,
    );
    openssl(
      `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name} -addext subjectAltName=${name === '127.0.0.1' ? 'IP' : 'DNS'}:${name}`,
    );
    openssl(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -days 2 -copy_extensions copy -out ${name}.pem`,
    );
  }
});
afterEach(async () => {
  await nats?.end();
  nats = undefined;
});
afterAll(() => rm(dir, { recursive: true }));

function openssl(line: string): void {
  execFileSync('openssl', line.split(' '), { cwd: dir, stdio: 'pipe' });
}

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const tls = (name: string): string =>
  `tls { cert_file: "${dir}/${name}.pem", key_file: "${dir}/${name}.key" }`;

/** The end of opening the engine and setting up the stream: `in`, or the error's text. */
async function enter(url: string, more: Partial<ClusterSettings> = {}, waitMs = 10_000): Promise<string> {
  const port = nats?.servers[0].port;
  const settings: ClusterSettings = {
    ...{ urls: [url.replace('PORT', String(port))], name: 'main', role: 'both', replicas: 1 },
    ...{ streamBytes: 64 * 2 ** 20, credsPath: undefined, caPath: undefined, ...more },
  };
  try {
    const engine = await NatsEngine.open(settings, waitMs);
    try {
      await setUpStream(engine, { settings, retentionMs: 0, hasLog: false, waitMs: 2_000 });
      return 'in';
    } finally {
      await engine.close();
    }
  } catch (error) {
    return String(error);
  }
}

async function start(config: string, fileStore?: string): Promise<void> {
  const store = mkdtempSync(join(dir, 'nats-'));
  nats = await NatsCluster.begin(binary as string, store, 1, config, fileStore);
}

test.skipIf(binary === undefined)('TLS, and a user in the address', async () => {
  await start(`${tls('localhost')}\nauthorization { user: slip, password: "s:l@p" }`);
  const caPath = join(dir, 'ca.pem');
  const user = 'slip:s%3Al%40p@';
  expect(await enter(`tls://${user}localhost:PORT`, { caPath })).toBe('in');
  expect(await enter(`nats://${user}localhost:PORT`, { caPath })).toBe('in');
  expect(await enter(`tls://${user}localhost:PORT`)).toMatch(
    /certificate of the NATS server is not accepted.*--nats-ca/,
  );
  expect(await enter(`tls://${user}localhost:PORT`, { caPath: join(dir, 'other-ca.pem') })).toMatch(
    /certificate of the NATS server is not accepted.*--nats-ca/,
  );
  expect(await enter(`tls://${user}127.0.0.1:PORT`, { caPath })).toMatch(/is for another name.*--nats-url/);
  expect(await enter(`${user}localhost:PORT`, { caPath })).toBe('in');
  const wrong = await enter('tls://slip:secret@localhost:PORT', { caPath });
  expect(wrong).toMatch(/refuses this user.*the user in --nats-url/);
  expect(wrong).not.toContain('secret');
  expect(await enter('tls://localhost:PORT', { caPath })).toMatch(/refuses this user/);
});

test.skipIf(binary === undefined)('TLS, and a certificate for an address', async () => {
  await start(tls('127.0.0.1'));
  const caPath = join(dir, 'ca.pem');
  expect(await enter('tls://127.0.0.1:PORT', { caPath })).toBe('in');
  expect(await enter('tls://localhost:PORT', { caPath })).toMatch(/is for another name/);
});

test.skipIf(binary === undefined)('TLS is not left out where it is asked for', async () => {
  await start('');
  expect(await enter('nats://127.0.0.1:PORT')).toBe('in');
  expect(await enter('tls://127.0.0.1:PORT')).toMatch(/speaks no TLS.*nats:\/\//);
  expect(await enter('nats://127.0.0.1:PORT', { caPath: join(dir, 'ca.pem') })).toMatch(/speaks no TLS/);
});

test.skipIf(binary === undefined)('files that are not what they should be', async () => {
  await start('');
  const notOne = file('not-one', 'hello');
  expect(await enter('nats://127.0.0.1:PORT', { credsPath: notOne })).toMatch(
    /--nats-creds: .*not-one is no file of cred/,
  );
  expect(await enter('nats://127.0.0.1:PORT', { caPath: notOne })).toMatch(
    /--nats-ca: .*not-one has no certificate/,
  );
  expect(await enter('nats://127.0.0.1:PORT', { credsPath: join(dir, 'absent') })).toMatch(
    /--nats-creds: cannot read/,
  );
  expect(await enter('nats://127.0.0.1:PORT', { caPath: join(dir, 'absent') })).toMatch(
    /--nats-ca: cannot read/,
  );
});

test.skipIf(binary === undefined)('credentials of an operator, and a token', async () => {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const limits = { subs: -1, data: -1, payload: -1 };
  const all = { ...limits, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const store = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountJwt = jwt(operator, account, { type: 'account', limits: { ...all, ...store } });
  const system = nkeys.createAccount();
  const systemJwt = jwt(operator, system, { type: 'account', limits: all });
  const operatorJwt = jwt(operator, operator, { type: 'operator' });
  await start(
    `operator: ${operatorJwt}\nresolver: MEMORY\nsystem_account: ${system.getPublicKey()}\nresolver_preload: {
${account.getPublicKey()}: ${accountJwt}
${system.getPublicKey()}: ${systemJwt} }`,
  );
  const creds = (signer: KeyPair, of: KeyPair): string =>
    `-----BEGIN NATS USER JWT-----\n${jwt(signer, of, { type: 'user', ...limits })}\n------END NATS USER JWT------\n\n` +
    `-----BEGIN USER NKEY SEED-----\n${Buffer.from(of.getSeed())}\n------END USER NKEY SEED------\n`;
  const credsPath = file('user.creds', creds(account, user));
  expect(await enter('nats://127.0.0.1:PORT', { credsPath })).toBe('in');
  expect(await enter('nats://127.0.0.1:PORT')).toMatch(/refuses this user.*--nats-creds/);
  const stranger = file('stranger.creds', creds(nkeys.createAccount(), user));
  expect(await enter('nats://127.0.0.1:PORT', { credsPath: stranger })).toMatch(
    /refuses this user.*--nats-creds/,
  );
  expect(await enter('nats://u:p@127.0.0.1:PORT', { credsPath })).toMatch(/give one of the two/);
  await nats?.end();
  await start('authorization { token: "t0ken" }');
  expect(await enter('nats://t0ken@127.0.0.1:PORT')).toBe('in');
  expect(await enter('nats://other@127.0.0.1:PORT')).toMatch(/refuses this user/);
});

test.skipIf(binary === undefined)('a serving node needs no more than the documentation says', async () => {
  const publish =
    '["$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*", "$JS.API.DIRECT.GET.*", "slipstream.*.node"]';
  const subscribe = '["slipstream.*.tail", "slipstream.*.node", "_INBOX.>"]';
  await start(`authorization { users = [
    { user: writer, password: w },
    { user: reader, password: r, permissions { publish: { allow: ${publish} }, subscribe: { allow: ${subscribe} } } } ] }`);
  // It makes nothing, so the writer comes first.
  expect(await enter('nats://reader:r@127.0.0.1:PORT', { role: 'serve' })).toMatch(
    /CLUSTER_ENGINE_UNAVAILABLE|cannot be made/,
  );
  expect(await enter('nats://writer:w@127.0.0.1:PORT')).toBe('in');
  expect(await enter('nats://reader:r@127.0.0.1:PORT', { role: 'serve' })).toBe('in');
});

test.skipIf(binary === undefined)('servers without room for the stream', async () => {
  await start('', '100MB');
  expect(await enter('nats://127.0.0.1:PORT', { streamBytes: 2 ** 30 })).toMatch(
    /the stream SLIPSTREAM_main cannot be made \(.*(storage|resources)/,
  );
});

/** As operators make them. */
function jwt(issuer: KeyPair, subject: KeyPair, claims: Readonly<Record<string, unknown>>): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = {
    ...{ jti: 'test', iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), name: 'test' },
    ...{ sub: subject.getPublicKey(), nats: { ...claims, version: 2 } },
  };
  const text = `${encode({ typ: 'JWT', alg: 'ed25519-nkey' })}.${encode(body)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
