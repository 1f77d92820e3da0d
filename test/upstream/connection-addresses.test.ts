// How long each address of a host is tried. Asserted on what net is given: a host with an address that swallows packets
// and another that answers slowly cannot be had on one machine.

import net from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { closeAll, makeUpstream, Recorder, wsRelay } from './relay-servers.ts';

afterEach(closeAll);

test('an address of a slow host is not given up before it can answer', async () => {
  const connect = vi.spyOn(net, 'connect');
  const recorder = new Recorder();
  const server = await wsRelay((ws) => ws.send(Buffer.of(1)));
  makeUpstream([server.relay], recorder).start();
  await recorder.until('the frame', () => recorder.frameCount === 1);
  const [[options]] = connect.mock.calls as unknown as [[net.TcpSocketConnectOpts]];
  connect.mockRestore();
  // A first packet that is lost goes out again after a second.
  expect(options.autoSelectFamilyAttemptTimeout).toBeGreaterThan(1_000 + 300);
});
