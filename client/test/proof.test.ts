// The proof of an event, from a daemon; and what is said when there is none.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyProofs } from '@atproto/repo';
import { expect, test } from 'vitest';
import { FrameRecording } from '../../simulator/lib/frames-file.ts';
import { SyntheticNetwork } from '../../simulator/lib/network.ts';
import { RelayServer } from '../../simulator/lib/relay-server.ts';
import { Daemon } from '../../test/support/daemon.ts';
import { type CommitEvent, proofOf, subscribe } from '../lib/subscribe.ts';

test('a deletion and all other events of a stream are proven by the server that it is from', async () => {
  const network = new SyntheticNetwork({ seed: 'client proofs', accounts: 8 });
  const frames: Buffer[] = [];
  for (let index = 0; index < 60; index++) frames.push(Buffer.from((await network.next()).bytes));
  const relay = await RelayServer.listen({ source: new FrameRecording(frames, false) });
  await using daemon = await Daemon.start(['--ws-url', relay.url, '--proofs', '1h', '--workers', '0']);
  await expect.poll(() => relay.connections).toBe(1);
  await relay.publish(frames.length);
  await expect.poll(() => daemon.metric('slipstream_proof_commits_total{result="kept"}')).toBeGreaterThan(40);
  let proven = 0;
  let first: CommitEvent | undefined;
  for await (const event of subscribe({ url: daemon.url, cursor: 0 })) {
    if (event.kind === 'commit') {
      first ??= event;
      const { collection, rkey, operation } = event.commit;
      const car = await proofOf(daemon.url, event);
      const claim = { collection, rkey, cid: null };
      const key = network.signingKeyOf(event.did) as string;
      const { verified, unverified } = await verifyProofs(car, [claim], event.did, key);
      expect((operation === 'delete' ? verified : unverified).length).toBe(1);
      if (++proven === 40) break;
    }
  }
  const event = first as CommitEvent;
  const elsewhere = { ...event, did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa' };
  await expect(proofOf(daemon.url, elsewhere)).rejects.toMatchObject({
    code: 'CLIENT_NO_PROOF',
    retryable: false,
    message: expect.stringContaining('404: other_record (the event'),
  });
  await relay.close();
});

test('servers that have no such thing, are busy, or are not there', async () => {
  const commit = { operation: 'delete', collection: 'a.b.c', rkey: 'x', rev: 'r' } as const;
  const event = { did: 'did:plc:a', time_us: 5, commit };
  let status = 404;
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.writeHead(status).end('Not Found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(proofOf(`${url}/subscribe?wantedDids=did:plc:b`, event)).rejects.toMatchObject({
    ...{ code: 'CLIENT_NO_PROOF', retryable: false, message: 'no proof of this event: 404: Not Found' },
  });
  expect(asked).toEqual(['/proof?time_us=5&uri=at%3A%2F%2Fdid%3Aplc%3Aa%2Fa.b.c%2Fx']);
  status = 503;
  await expect(proofOf(url, event)).rejects.toMatchObject({ retryable: true });
  server.close();
  server.closeAllConnections();
  await expect(proofOf(url, event)).rejects.toMatchObject({ code: 'CLIENT_NO_PROOF', retryable: true });
});
