// TLS: a certificate that nobody vouches for, no TLS at all, and an encrypted connection that works, pings included.
// Certificates are made by openssl; without it the tests that need one are skipped.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { parseRelayUrl } from '../../lib/upstream/relay-url.ts';
import { answeringRelay, closeAll, makeUpstream, Recorder } from './relay-servers.ts';

const identity = makeIdentity();

afterEach(closeAll);

test('a relay that does not speak TLS', async () => {
  const recorder = new Recorder();
  const { port } = await answeringRelay('HTTP/1.1 400 Bad Request\r\n\r\n');
  makeUpstream([parseRelayUrl(`wss://127.0.0.1:${port}`)], recorder).start();
  await recorder.until('an end', () => recorder.disconnects.length > 0);
  expect(recorder.whys()[0]).toBe('tls');
});

test.skipIf(identity === undefined)('a certificate that nobody vouches for', async () => {
  const recorder = new Recorder();
  await using server = await tlsRelay();
  makeUpstream([server.relay], recorder).start();
  await recorder.until('an end', () => recorder.disconnects.length > 0);
  expect(recorder.disconnects[0]).toMatchObject({
    why: 'tls',
    detail: expect.stringContaining('SELF_SIGNED'),
  });
  await closeAll();
});

test.skipIf(identity === undefined)('frames and pings over TLS, then silence', async () => {
  const recorder = new Recorder();
  await using server = await tlsRelay();
  const trusted = getCACertificates('default');
  setDefaultCACertificates([...trusted, identity?.cert ?? '']);
  try {
    let pings = 0;
    server.onPing = () => {
      pings++;
      recorder.poke();
    };
    makeUpstream([server.relay], recorder, { timing: { pingIntervalMs: 40, restMs: 5 } }).start();
    await recorder.until('a frame and five pings', () => recorder.frameCount === 1 && pings === 5);
    expect(recorder.disconnects).toEqual([]);
    server.mute();
    await recorder.until('a death', () => recorder.disconnects.length > 0);
    expect(recorder.whys()[0]).toBe('silent');
    await closeAll();
  } finally {
    setDefaultCACertificates(trusted);
  }
});

async function tlsRelay() {
  const http = createServer({ ...identity });
  const server = new WebSocketServer({ server: http, autoPong: false });
  let muted = false;
  const relay = {
    relay: parseRelayUrl('wss://localhost'),
    onPing: () => {},
    mute: () => {
      muted = true;
    },
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  server.on('connection', (ws) => {
    ws.on('ping', () => {
      if (!muted) ws.pong();
      relay.onPing();
    });
    ws.send(Buffer.of(1));
  });
  http.on('tlsClientError', () => {});
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  relay.relay = parseRelayUrl(`wss://localhost:${(http.address() as AddressInfo).port}`);
  return relay;
}

function makeIdentity(): { key: string; cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'upstream-tls-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
    const names = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', ...options.split(' '), ...names], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
