// How a node gets at the NATS servers: what their addresses, a file of credentials and one of authorities say, and which failures no
// waiting mends. The client takes neither a user nor TLS from an address, so that is done here. It connects to nothing.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { unsafe } from './cluster-errors.ts';
import type { ClusterSettings } from './stream-layout.ts';

/** What the client is told. */
export interface NatsAccess {
  /** Without users. */
  readonly servers: readonly string[];
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  /** Present when nothing but TLS will do. */
  readonly tls?: {
    readonly ca?: string;
    readonly checkServerIdentity: (name: string, certificate: PeerCertificate) => Error | undefined;
  };
  /** Contents of a file of credentials. */
  readonly creds: Uint8Array | undefined;
}

/** Codes of Node's for certificates that are not accepted, beside those that begin with `CERT_` and `UNABLE_TO_`. */
const certificateCodes = new Set(['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT']);

/** @throws UsageError `CLUSTER_ENGINE_UNSAFE`, which names the flag. */
export async function natsAccess({ urls, credsPath, caPath }: ClusterSettings): Promise<NatsAccess> {
  const parsed = urls.map((url) => new URL(/^\w+:\/\//.test(url) ? url : `nats://${url}`));
  const creds = credsPath === undefined ? undefined : await given('--nats-creds', credsPath);
  if (creds !== undefined) checkCreds(creds, String(credsPath));
  const ca = caPath === undefined ? undefined : (await given('--nats-ca', caPath)).toString();
  if (ca !== undefined) checkAuthorities(ca, String(caPath));
  const isTls = ca !== undefined || parsed.some(({ protocol }) => protocol === 'tls:');
  return {
    servers: parsed.map(({ host }) => host),
    ...userOf(parsed, creds !== undefined),
    ...(isTls && { tls: { ...(ca !== undefined && { ca }), checkServerIdentity: identityCheck(parsed) } }),
    creds,
  };
}

/** Why it is no use to try again, as a line for the operator; undefined when it may be. */
export function refusalOf(error: Error): string | undefined {
  if (error.name === 'AuthorizationError')
    return `the NATS server refuses this user (${error.message}): check --nats-creds, or the user in --nats-url`;
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = String((cause as NodeJS.ErrnoException).code ?? '');
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the certificate of the NATS server is for another name (${cause.message}): give the name that it is for in --nats-url`;
  if (certificateCodes.has(code) || /^(CERT|UNABLE_TO)_/.test(code))
    return `the certificate of the NATS server is not accepted (${cause.message}): check --nats-ca`;
  if (/does not support 'tls'|tls.*not available/.test(error.message))
    return 'the NATS server speaks no TLS: set tls in its configuration, or give nats:// in --nats-url and no --nats-ca';
  return undefined;
}

/** A password does not belong into a message. */
export function withoutUser(url: string): string {
  return url.replace(/^(\w+:\/\/)?[^@]*@/, '$1');
}

/** Node takes a server without a name, which one at an IP address is to the client, for `localhost`. */
function identityCheck(urls: readonly URL[]): typeof checkServerIdentity {
  const hosts = urls.map(({ hostname }) => hostname.replace(/^\[|\]$/g, ''));
  const nameless = hosts.filter((host) => isIP(host) !== 0 || host === 'localhost');
  return (name, certificate) => {
    if (name !== 'localhost' || nameless.length === 0) return checkServerIdentity(name, certificate);
    const found = nameless.map((host) => checkServerIdentity(host, certificate));
    return found.includes(undefined) ? undefined : found[0];
  };
}

function userOf(urls: readonly URL[], hasCreds: boolean): Pick<NatsAccess, 'user' | 'pass' | 'token'> {
  const users = new Set(
    urls.filter(({ username }) => username !== '').map(({ username, password }) => `${username}:${password}`),
  );
  if (users.size === 0) return {};
  if (hasCreds) throw unsafe('--nats-creds and a user in --nats-url: give one of the two');
  if (users.size > 1) throw unsafe('--nats-url has different users: one is for all servers');
  const [user, pass] = String([...users][0])
    .split(':')
    .map(decodeURIComponent);
  return pass === '' ? { token: user } : { user, pass };
}

async function given(flag: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unsafe(`${flag}: cannot read ${path} (${(error as Error).message})`);
  }
}

function checkCreds(creds: Buffer, path: string): void {
  const text = creds.toString();
  if (/BEGIN NATS USER JWT-+\s+[\w.-]+/.test(text) && /BEGIN USER NKEY SEED-+\s+SU[A-Z2-7]+/.test(text))
    return;
  throw unsafe(
    `--nats-creds: ${path} is no file of credentials (a JWT and a seed, as "nsc generate creds" makes it)`,
  );
}

function checkAuthorities(ca: string, path: string): void {
  try {
    new X509Certificate(ca);
  } catch {
    throw unsafe(`--nats-ca: ${path} has no certificate in PEM`);
  }
}
